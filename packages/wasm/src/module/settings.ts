import {
  KeelsonError,
  type Bytes,
  type Deadlines,
  type Manifest,
  type PoolOptions,
  type RestartOptions,
} from "@keelson/core";
import type { AbiProfile } from "../abi/profile.ts";
import { DEFAULT_MAX_INSTANCES } from "../instance/live-instances.ts";
import type { CompileCache } from "../cache/compile-cache.ts";
import type { HostImports } from "../instance/link.ts";

/** Memory that a guest may have when nothing else is said: 64 MiB. */
export const DEFAULT_MEMORY_BYTES = 67_108_864;

/** Where the bytes of a module come from: a path, a `file:` URL, or the bytes themselves. */
export type BinarySource = string | URL | Bytes;

/** Where the code of a module comes from: its bytes, or what was compiled elsewhere. */
export type WasmSource = BinarySource | WebAssembly.Module;

/** Limits of a WebAssembly module. */
export interface WasmLimits {
  /** Linear memory of one instance, bytes. Default 64 MiB. */
  readonly memory?: number;
  /** Live instances in the whole kernel above which no further one of this module is made. Default 1000. */
  readonly instances?: number;
}

/** Options of {@link wasmModule}. Exactly one of `source` and `manifest` must be given; options go before what the manifest says. */
export interface WasmModuleOptions {
  readonly source?: WasmSource;
  /** A parsed manifest; its `entry` is resolved against `base`. */
  readonly manifest?: Manifest;
  /** What `entry` is relative to: the manifest's own URL or its folder's, ending in `/`. */
  readonly base?: URL;
  /** Default: the manifest's, or the name of the file without `.wasm`. */
  readonly id?: string;
  /** Default: the id. */
  readonly name?: string;
  /** Default "0.0.0". */
  readonly version?: string;
  readonly description?: string;
  /** Name of an ABI profile, or one of your own. Default: found out from the exports. */
  readonly abi?: string | AbiProfile;
  readonly pool?: PoolOptions;
  readonly limits?: WasmLimits;
  /** What the module may import besides what its profile provides. A function is called for each instance. */
  readonly imports?: HostImports;
  /** `sha256-<base64>` of the bytes. */
  readonly integrity?: string;
  readonly depends?: Readonly<Record<string, string>>;
  readonly restart?: RestartOptions;
  readonly overlap?: boolean;
  readonly deadlines?: Deadlines;
  /** Default: a cache of the definition's own, so that a reload of the same bytes compiles nothing. */
  readonly cache?: CompileCache;
}

/** What a generation is made from; options, manifest and defaults in one. */
export interface WasmSettings {
  readonly id: string;
  readonly source: BinarySource | undefined;
  /** Set instead of `source` when the module came compiled. */
  readonly compiled: WebAssembly.Module | undefined;
  /** The folder that the source must lie in, for entries of manifests. */
  readonly within: URL | undefined;
  readonly abi: string | AbiProfile | undefined;
  readonly maxMemoryBytes: number;
  readonly maxInstances: number;
  readonly imports: HostImports | undefined;
  readonly integrity: string | undefined;
  /** Limits that the manifest declares and that nothing here enforces. */
  readonly unenforced: readonly string[];
}

/** Checks options and fills in defaults; throws `INVALID_OPTIONS`. */
export function settle(options: WasmModuleOptions): WasmSettings {
  const { manifest, limits = {} } = options;
  const source = sourceOf(options);
  const id = options.id ?? manifest?.id ?? idOf(source);
  const maxMemoryBytes = limits.memory ?? manifest?.limits.memory ?? DEFAULT_MEMORY_BYTES;
  const maxInstances = limits.instances ?? DEFAULT_MAX_INSTANCES;
  requireNumber(maxMemoryBytes, 0, "limits.memory", id);
  requireNumber(maxInstances, 1, "limits.instances", id);
  return {
    id,
    source: isCompiled(source) ? undefined : (source as BinarySource),
    compiled: isCompiled(source) ? source : undefined,
    within: folderOf(options),
    abi: options.abi ?? manifest?.abi,
    maxMemoryBytes,
    maxInstances,
    imports: options.imports,
    integrity: options.integrity ?? manifest?.integrity,
    unenforced: (["fuel", "cpuMs"] as const).filter((name) => manifest?.limits[name] !== undefined),
  };
}

/** A bare file is its own base: it may be a symbolic link, since no manifest's author chose it. */
function folderOf({ source, manifest, base }: WasmModuleOptions): URL | undefined {
  if (source !== undefined || base === undefined) return undefined;
  return new URL(manifest?.entry ?? "", base).href === base.href ? undefined : new URL(".", base);
}

function isCompiled(source: unknown): source is WebAssembly.Module {
  return source instanceof WebAssembly.Module;
}

function sourceOf({ source, manifest, base }: WasmModuleOptions): WasmSource {
  if (source !== undefined) {
    const known =
      typeof source === "string" ||
      source instanceof URL ||
      source instanceof Uint8Array ||
      isCompiled(source);
    if (known) return source;
    throw new KeelsonError(
      "INVALID_OPTIONS",
      "wasmModule: source is neither path, URL, Uint8Array nor WebAssembly.Module",
      {
        hint: "an ArrayBuffer becomes bytes by new Uint8Array(buffer)",
      },
    );
  }
  if (manifest?.entry === undefined || base === undefined) {
    const what =
      manifest === undefined
        ? "neither source nor manifest is"
        : `${manifest.id}: the manifest's entry or \`base\` is not`;
    throw new KeelsonError("INVALID_OPTIONS", `wasmModule: ${what} given`, {
      hint: "give `source` (path, URL, bytes or compiled module), or `manifest` with an entry and `base`",
    });
  }
  return new URL(manifest.entry, base);
}

function idOf(source: WasmSource): string {
  const path =
    typeof source === "string" ? source : source instanceof URL ? decodeURIComponent(source.pathname) : "";
  const name =
    path
      .split(/[/\\]/)
      .at(-1)
      ?.replace(/\.wasm$/i, "") ?? "";
  if (name !== "") return name;
  throw new KeelsonError("INVALID_OPTIONS", "wasmModule: a module given as bytes or compiled needs an id", {
    hint: "add `id`",
  });
}

function requireNumber(value: number, min: number, name: string, id: string): void {
  if (Number.isSafeInteger(value) && value >= min) return;
  throw new KeelsonError(
    "INVALID_OPTIONS",
    `${id}: ${name} must be a whole number of at least ${min}, not ${value}`,
  );
}
