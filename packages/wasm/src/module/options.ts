import type {
  Bytes,
  Deadlines,
  Manifest,
  PoolOptions,
  QuarantineOptions,
  RestartOptions,
} from "@keelson/core";
import type { AbiProfile } from "../abi/profile.ts";
import type { CompileCache, CompileCacheOptions } from "../cache/compile-cache.ts";
import type { EngineModule } from "../instance/engine.ts";
import type { HostImports } from "../instance/link.ts";
import type { Isolation } from "../isolation/isolation.ts";
import type { MeterLimits } from "../meter/options.ts";

/** Where the bytes of a module come from: a path, a `file:` URL, or the bytes themselves. */
export type BinarySource = string | URL | Bytes;

/** Where the code of a module comes from: its bytes, or what was compiled elsewhere. */
export type WasmSource = BinarySource | EngineModule;

/** Limits of a WebAssembly module. */
export interface WasmLimits {
  /** Linear memory of one instance, bytes. Default 64 MiB. */
  readonly memory?: number | undefined;
  /** Number of live instances in the whole kernel from which on no more of this module are made. Default 1000. */
  readonly instances?: number | undefined;
  /** Units of fuel for one call, and for each part of a start: the start function, `_initialize`. Default: no limit. Needs `metering` "exact". */
  readonly fuel?: number | undefined;
  /** Time that one call may spend in the guest and its host functions, ms. Default: 50 for a plugin with a manifest, else the call's own deadline alone. */
  readonly cpuMs?: number | undefined;
  /** Stack that nested calls of the guest may take, bytes. Default 512 KiB. */
  readonly stack?: number | undefined;
  /** Memory that the process of one instance may hold at isolation "process", bytes. Default: 192 MiB plus three times `memory`. */
  readonly process?: number | undefined;
  /** Elements that the tables of one instance may hold together; each takes some 8 to 16 bytes of the host. Default 1,000,000. */
  readonly tableElements?: number | undefined;
  /** What the code itself may have: bytes, functions, nesting, …; past one of them the start fails with `WASM_TOO_LARGE`. */
  readonly code?: Partial<MeterLimits> | undefined;
}

/**
 * How a guest is kept stoppable. "exact" counts fuel and time; "deadline" is cheaper and cannot count fuel; "off" trusts the guest: it
 * runs as it is, and one that loops for ever holds its thread.
 */
export type Metering = "exact" | "deadline" | "off";

/**
 * How guests share the host's thread. "exclusive": a call holds the thread until it has answered. "sliced": it gives the thread up after each
 * slice of time, so that several guests and the event loop go on side by side; such a module always answers by promise.
 */
export type Scheduling = "exclusive" | "sliced";

/**
 * What a guest keeps between calls. "keep": what it likes, as long as its instance lives; which instance a call gets is not defined. "fresh":
 * nothing; each call gets a guest that has run nothing but its start.
 */
export type GuestState = "keep" | "fresh";

/** Options of {@link wasmModule}. Exactly one of `source` and `manifest` must be given; options take precedence over the manifest. */
export interface WasmModuleOptions {
  /** The code. Bytes and a compiled module need an `id`. */
  readonly source?: WasmSource | undefined;
  /** A parsed manifest; its `entry` is resolved against `base`. */
  readonly manifest?: Manifest | undefined;
  /** What `entry` is relative to: the manifest's own URL or its folder's, ending in `/`. */
  readonly base?: URL | undefined;
  /** Default: the manifest's, or the name of the file without `.wasm`. */
  readonly id?: string | undefined;
  /** Default: the id. */
  readonly name?: string | undefined;
  /** Default "0.0.0". */
  readonly version?: string | undefined;
  readonly description?: string | undefined;
  /** Name of an ABI profile, or a profile of your own. Default: chosen by the exports. */
  readonly abi?: string | AbiProfile | undefined;
  /** How many instances there are, and how long they live. */
  readonly pool?: PoolOptions | undefined;
  /** What one instance may take, and one call. */
  readonly limits?: WasmLimits | undefined;
  /** Default "exact". A module that was given compiled cannot be metered: "off". */
  readonly metering?: Metering | undefined;
  /** Default "exclusive". "sliced" needs metering, and a platform that supports `jspi`: else `INVALID_OPTIONS`, and `UNSUPPORTED` at the start. */
  readonly scheduling?: Scheduling | undefined;
  /** Default "keep". Choose "fresh" where calls come on behalf of different tenants. */
  readonly state?: GuestState | undefined;
  /**
   * Where the guest runs: see {@link Isolation}. Default "inline". The others always answer by promise, and take neither `interrupt`, a compiled module nor
   * an ABI profile of your own; "worker" does not take metering "off".
   */
  readonly isolation?: Isolation | undefined;
  /** What the module may import besides what its profile provides. A function is called for each instance. Isolated guests get functions and numbers. */
  readonly imports?: HostImports | undefined;
  /** `sha256-<base64>` of the bytes. */
  readonly integrity?: string | undefined;
  /** What must run before it: ids and ranges of versions. */
  readonly depends?: Readonly<Record<string, string>> | undefined;
  /** Default: no supervisor. */
  readonly restart?: RestartOptions | undefined;
  /** Whether a reload may run the new version beside the old one. Default true. */
  readonly overlap?: boolean | undefined;
  /** How long starting and stopping may take. */
  readonly deadlines?: Deadlines | undefined;
  /**
   * A flag over shared memory: while its first element is not 0, guests of this module are stopped with `ABORTED`, and no call of it begins. Another thread
   * can raise it while a guest holds this one. Guests look at it between slices, and after each call of the host. Only for isolation "inline".
   */
  readonly interrupt?: Int32Array | undefined;
  /** When the module is refused because its guest was stopped too often; false for never. Default: the kernel's. */
  readonly quarantine?: QuarantineOptions | false | undefined;
  /**
   * Keep where the original's instructions went, so that the details of a trap name the position in the original module
   * (`at.offset`, on V8; on JavaScriptCore, and for isolated guests, only the function is told). Takes some bytes for each few instructions. Default false.
   */
  readonly offsets?: boolean | undefined;
  /**
   * A cache to be shared with other modules, or the options of one for this module alone, such as `{ folder: "./cache" }`, where
   * metered modules outlive the program. Default: a cache of the definition's own in memory, so that a reload of the same bytes
   * compiles nothing.
   */
  readonly cache?: CompileCache | CompileCacheOptions | undefined;
}
