import {
  parseManifest,
  pooled,
  type Module,
  type Platform,
  type ModuleDefinition,
  type ModuleMetadata,
} from "@keelson/core";
import { given, requireOptions } from "@keelson/core/plain";
import { compileCacheOf } from "../cache/compile-cache.ts";
import { CoreModule } from "./core-module.ts";
import { readManifestFile } from "./read-source.ts";
import type { WasmModuleOptions } from "./options.ts";
import { requireHostOptions } from "./given-options.ts";
import { settle } from "./settings.ts";

/**
 * A module of kind `wasm`: a core WebAssembly module behind a pool of instances.
 *
 * Each generation reads its source again, so a reload picks up a new file. An instance that trapped or was stopped is discarded.
 *
 * The module is metered before it is compiled: a guest that loops for ever is stopped at its call's deadline, its `cpuMs` or its
 * fuel, in the host's own thread, and one that recurses for ever at its stack. Memory is capped by the engine itself: the maximum of the
 * module's memories is lowered. A module that was given compiled cannot be changed any more: nothing stops it, its size is looked at after
 * each call, and past the cap the instance is discarded with `OUT_OF_MEMORY`; a memory that it does not export cannot be seen at all, so give
 * bytes where you do not trust the code. A memory that the module imports is capped by whoever made it.
 *
 * @throws KeelsonError `INVALID_OPTIONS`. Starting fails with `NOT_FOUND`, `INVALID_WASM`, `UNSUPPORTED_WASM`, `WASM_TOO_LARGE`, `UNKNOWN_ABI`,
 * `MISSING_EXPORT`, `MISSING_IMPORT`, `WASM_LINK`, `OUT_OF_MEMORY`, `INSTANCE_LIMIT`, `UNSUPPORTED`, and as calls do; calls with
 * `DEADLINE_EXCEEDED`, `FUEL_EXHAUSTED`, `STACK_EXHAUSTED`, `OUT_OF_MEMORY`, `WASM_TRAP`, `MODULE_QUARANTINED`, `CHECKOUT_TIMEOUT`,
 * `INSTANCE_LIMIT`, `PROCESS_EXITED` and `WORKER_EXITED` of isolated guests, and as the ABI profile says.
 */
export function wasmModule(options: WasmModuleOptions): ModuleDefinition {
  const settings = settle(options);
  const { manifest, deadlines, quarantine } = options;
  const cache = compileCacheOf(options.cache);
  const name = options.name ?? manifest?.name ?? settings.id;
  const description = options.description ?? manifest?.description;
  const metadata: ModuleMetadata = {
    id: settings.id,
    name,
    version: options.version ?? manifest?.version ?? "0.0.0",
    kind: "wasm",
    ...(description === undefined ? {} : { description }),
  };
  const restart = options.restart ?? manifest?.restart;
  const overlap = options.overlap ?? manifest?.overlap;
  // Before the pool's time is made of it, which would be named instead.
  requireOptions("deadlines", deadlines, { initMs: 0, startMs: 0, stopMs: 0 }, Infinity);
  // What has not ended by then is to be ended within the time of the stop, too.
  const drainMs = DRAIN_SHARE * (deadlines?.stopMs ?? DEFAULT_STOP_MS);
  const pool = { drainMs, ...given(options.pool ?? {}) };
  const create = (): Module => pooled(new CoreModule(settings, cache), pool);
  // Refuses what is wrong with the pool's options now, and not when the module is started.
  create();
  return {
    metadata,
    depends: options.depends ?? manifest?.depends ?? {},
    ...(restart === undefined ? {} : { restart }),
    ...(overlap === undefined ? {} : { overlap }),
    ...(deadlines === undefined ? {} : { deadlines }),
    ...(quarantine === undefined ? {} : { quarantine }),
    ...(manifest === undefined ? {} : { manifest }),
    create,
  };
}

/** A module's time to stop unless it says otherwise, ms, and what part of it calls have that are under way. */
const DEFAULT_STOP_MS = 5_000;
const DRAIN_SHARE = 0.8;

/**
 * A {@link wasmModule} of the plugin whose manifest lies at `manifest`, with options of the host's own:
 * `kernel.register(await readWasmModule("./plugin", kernel.platform, { pool: { min: 1 } }))`.
 *
 * @param manifest path or `file:` URL of the manifest or of its folder
 * @throws KeelsonError `NOT_FOUND`, `PERMISSION_DENIED`, `IO`, `UNSUPPORTED`, `INVALID_MANIFEST`, `INVALID_OPTIONS`
 */
export async function readWasmModule(
  manifest: string | URL,
  platform: Platform,
  options?: Omit<WasmModuleOptions, "source" | "manifest" | "base">,
): Promise<ModuleDefinition> {
  requireHostOptions(options);
  const { bytes, origin, url } = await readManifestFile(manifest, platform);
  return wasmModule({ ...options, manifest: parseManifest(bytes, { source: origin }), base: url });
}
