import { KeelsonError, type ModuleLoader } from "@keelson/core";
import { requireOptions } from "@keelson/core/plain";
import { compileCacheOf } from "../cache/compile-cache.ts";
import type { WasmModuleOptions } from "./options.ts";
import { wasmModule } from "./wasm-module.ts";

/**
 * Options of {@link createWasmLoader}: what all modules that it loads get, whatever their manifests say. They share one `cache`, when that or its options are given:
 * `createWasmLoader({ cache: { folder: "./cache" } })`; else each has its own.
 */
export type WasmLoaderOptions = Pick<
  WasmModuleOptions,
  | "pool"
  | "limits"
  | "state"
  | "scheduling"
  | "metering"
  | "isolation"
  | "imports"
  | "quarantine"
  | "cache"
  | "deadlines"
>;

// What they are is looked at with each module.
const LOADER_OPTIONS: Readonly<Record<keyof WasmLoaderOptions, true>> = {
  pool: true,
  limits: true,
  state: true,
  scheduling: true,
  metering: true,
  isolation: true,
  imports: true,
  quarantine: true,
  cache: true,
  deadlines: true,
};

/**
 * A loader for the kind `wasm`: manifests with an `entry`, and bare `.wasm` files, which are granted nothing and get 64 MiB of memory
 * and 50 ms of running time a call.
 */
export function createWasmLoader(options?: WasmLoaderOptions): ModuleLoader {
  requireOptions("createWasmLoader", options, LOADER_OPTIONS);
  const shared =
    options?.cache === undefined ? options : { ...options, cache: compileCacheOf(options.cache) };
  // Refuses what is wrong with them now, and not with the first plugin.
  wasmModule({ ...shared, id: "plugin", source: new Uint8Array() });
  return {
    kind: "wasm",
    extensions: [".wasm"],
    verifiesIntegrity: true,
    async load(manifest, base) {
      if (manifest.entry === undefined) {
        throw new KeelsonError(
          "INVALID_MANIFEST",
          `${manifest.id}: a manifest of the kind wasm needs an entry`,
          {
            hint: "name the .wasm file, relative to the manifest, as `entry`",
          },
        );
      }
      return wasmModule({ ...shared, manifest, base });
    },
  };
}

/** The loader for the kind `wasm` with default options. */
export const wasmLoader: ModuleLoader = createWasmLoader();
