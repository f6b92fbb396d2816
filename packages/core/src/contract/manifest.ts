import type { ModuleKind } from "./module.ts";
import type { RestartOptions } from "./supervised.ts";
import type { Value } from "./value.ts";

/**
 * A plugin's own description of itself: what `manifest.json` holds, parsed once and immutable. The field names here are those of the file.
 */
export interface Manifest {
  readonly apiVersion: "keelson/v1";
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly kind: ModuleKind;
  readonly description?: string;
  /** Path of the code, relative to the manifest and inside its folder; for all kinds but process. */
  readonly entry?: string;
  /** Program and arguments of a process module. */
  readonly command?: readonly string[];
  /** Environment of a process module. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether a process module answers the method "health". */
  readonly health?: boolean;
  /** ABI profile of a wasm module; found out from its exports if absent. */
  readonly abi?: string;
  readonly capabilities: readonly CapabilityRequest[];
  readonly limits: ManifestLimits;
  readonly hooks: readonly HookRequest[];
  readonly routes: readonly RouteRequest[];
  readonly restart?: RestartOptions;
  /** Module id → semver range. */
  readonly depends: Readonly<Record<string, string>>;
  readonly overlap?: boolean;
  /** `sha256-<base64>` of the entry's bytes. */
  readonly integrity?: string;
  readonly signature?: string;
  /** What a kind that is not built in wants to know besides, such as an address. Plain JSON; its loader checks it. */
  readonly settings?: Readonly<Record<string, Value>>;
}

/** A named power that the plugin asks for, with what it is to be limited to. In the file a bare string means no scope. */
export interface CapabilityRequest {
  readonly name: string;
  readonly scope: readonly string[];
}

/** Limits the plugin declares. Sizes may be written "64MiB". */
export interface ManifestLimits {
  /** Bytes of linear memory, or of the process. */
  readonly memory?: number;
  /** Fuel for one call. */
  readonly fuel?: number;
  /** The guest's own running time in one call, ms. */
  readonly cpuMs?: number;
  /** Wall time of one call with the wait for an instance, ms. */
  readonly timeoutMs?: number;
  /** Bytes of storage. */
  readonly storage?: number;
  readonly network?: { readonly maxConnections?: number; readonly bytesPerSecond?: number };
}

/** A filter or action of the host that the plugin wants to handle; its method `method` (default: the hook's name) is called. */
export interface HookRequest {
  readonly type: "filter" | "action";
  readonly name: string;
  readonly method?: string;
  readonly priority?: number;
}

/** An HTTP route that the plugin wants to answer by its method `handler`. Plain data: the host decides what it serves. */
export interface RouteRequest {
  readonly method: string;
  readonly path: string;
  readonly handler: string;
}

/** What changes between two versions' wishes. */
export interface CapabilityDiff {
  readonly kept: readonly CapabilityRequest[];
  readonly added: readonly CapabilityRequest[];
  readonly removed: readonly CapabilityRequest[];
}
