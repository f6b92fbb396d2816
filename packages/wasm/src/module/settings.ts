import { invalidOptions, isObject, shown } from "@keelson/core/plain";
import type { AbiProfile } from "../abi/profile.ts";
import { DEFAULT_MAX_INSTANCES } from "../instance/live-instances.ts";
import type { HostImports } from "../instance/link.ts";
import { settleIsolation, type IsolationSettings } from "../isolation/isolation.ts";
import type { MeterLimits } from "../meter/options.ts";
import {
  codeLimitsOf,
  requireKnownLimits,
  requireKnownOptions,
  requireWholeNumber,
} from "./given-options.ts";
import type {
  BinarySource,
  GuestState,
  Metering,
  Scheduling,
  WasmModuleOptions,
  WasmSource,
} from "./options.ts";

/** Memory that a guest may have when nothing else is said: 64 MiB. */
export const DEFAULT_MEMORY_BYTES = 67_108_864;

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
  readonly metering: Metering;
  readonly scheduling: Scheduling;
  readonly state: GuestState;
  readonly fuel: number | undefined;
  readonly cpuMs: number | undefined;
  readonly stackBytes: number;
  readonly isolation: IsolationSettings;
  readonly interrupt: Int32Array | undefined;
  readonly maxTableElements: number;
  readonly codeLimits: Partial<MeterLimits>;
  readonly offsets: boolean;
  /** Limits that are asked for and that nothing here enforces. */
  readonly unenforced: readonly string[];
}

/** The guest's own running time in one call of a plugin, ms. */
const DEFAULT_CPU_MS = 50;
/** Stack that nested calls may take when nothing else is said, bytes. */
export const DEFAULT_STACK_BYTES: number = 512 * 1024;

/** Elements that the tables of one guest may hold together when nothing else is said. */
export const DEFAULT_TABLE_ELEMENTS = 1_000_000;

/** Checks options and fills in defaults; throws `INVALID_OPTIONS`. */
export function settle(options: WasmModuleOptions): WasmSettings {
  if (!isObject(options))
    throw invalidOptions(
      `wasmModule: the options are ${shown(options)}`,
      "give an object with `source` and `id`",
    );
  requireKnownOptions(options);
  const { manifest, limits = {} } = options;
  if (manifest !== undefined && !(isObject(manifest) && isObject(manifest.limits)))
    throw invalidOptions(
      `wasmModule: the manifest is ${shown(manifest)}`,
      "give what parseManifest() answers",
    );
  const source = sourceOf(options);
  const id = options.id ?? manifest?.id ?? idOf(source);
  if (typeof id !== "string") throw invalidOptions(`wasmModule: the id is ${shown(id)}`, "give a text");
  for (const [name, value] of Object.entries({ limits, pool: options.pool, imports: options.imports })) {
    if (value !== undefined && !isObject(value) && !(name === "imports" && typeof value === "function"))
      throw invalidOptions(`${id}: ${name} is ${shown(value)}`, "give an object, or leave it out");
  }
  for (const [name, values] of Object.entries(options.imports ?? {}))
    if (!isObject(values))
      throw invalidOptions(
        `${id}: imports.${name} is ${shown(values)}`,
        "give an object of what may be imported from it",
      );
  const { abi } = options;
  if (abi !== undefined && typeof abi !== "string" && !isProfile(abi))
    throw invalidOptions(`${id}: abi is ${shown(abi)}`, "give the name of an ABI profile, or a profile");
  requireKnownLimits(limits, id);
  if (limits.code !== undefined && !isObject(limits.code))
    throw invalidOptions(`${id}: limits.code is ${shown(limits.code)}`, "give an object, or leave it out");
  if (options.interrupt !== undefined && !(options.interrupt instanceof Int32Array))
    throw invalidOptions(
      `${id}: interrupt is ${shown(options.interrupt)}`,
      "give an Int32Array over shared memory",
    );
  if (options.base !== undefined && !(options.base instanceof URL))
    throw invalidOptions(`${id}: base is ${shown(options.base)}`, "give a URL");
  const maxMemoryBytes = limits.memory ?? manifest?.limits.memory ?? DEFAULT_MEMORY_BYTES;
  const maxInstances = limits.instances ?? DEFAULT_MAX_INSTANCES;
  requireWholeNumber(maxMemoryBytes, 0, "limits.memory", id);
  requireWholeNumber(maxInstances, 1, "limits.instances", id);
  const metering = meteringOf(options, source, id);
  const fuel = limits.fuel ?? manifest?.limits.fuel;
  const asked = limits.cpuMs ?? manifest?.limits.cpuMs;
  const stackBytes = limits.stack ?? DEFAULT_STACK_BYTES;
  if (fuel !== undefined) requireWholeNumber(fuel, 1, "limits.fuel", id);
  if (asked !== undefined && !(typeof asked === "number" && asked > 0)) {
    throw invalidOptions(
      `${id}: limits.cpuMs must be more than 0, not ${shown(asked)}`,
      "give milliseconds, or leave it out for its default",
    );
  }
  requireWholeNumber(stackBytes, 1024, "limits.stack", id);
  const maxTableElements = limits.tableElements ?? DEFAULT_TABLE_ELEMENTS;
  requireWholeNumber(maxTableElements, 0, "limits.tableElements", id);
  const codeLimits = codeLimitsOf(limits.code, id);
  const unenforced: string[] = [];
  if (fuel !== undefined && metering !== "exact") unenforced.push("fuel");
  if (asked !== undefined && metering === "off") unenforced.push("cpuMs");
  return {
    id,
    source: isCompiled(source) ? undefined : (source as BinarySource),
    compiled: isCompiled(source) ? source : undefined,
    within: folderOf(options),
    abi: abi ?? manifest?.abi,
    maxMemoryBytes,
    maxInstances,
    imports: options.imports,
    integrity: options.integrity ?? manifest?.integrity,
    metering,
    scheduling: schedulingOf(options, metering, id),
    state: stateOf(options, id),
    fuel: metering === "exact" ? fuel : undefined,
    cpuMs: asked ?? (manifest === undefined ? undefined : DEFAULT_CPU_MS),
    stackBytes,
    interrupt: options.interrupt,
    isolation: settleIsolation(options, id, metering, maxMemoryBytes),
    maxTableElements,
    codeLimits,
    offsets: options.offsets === true,
    unenforced,
  };
}

function isProfile(abi: unknown): boolean {
  const { name, requires, matches, imports, bind } = (isObject(abi) ? abi : {}) as Partial<AbiProfile>;
  return (
    typeof name === "string" &&
    Array.isArray(requires) &&
    [matches, imports, bind].every((part) => typeof part === "function")
  );
}

function schedulingOf({ scheduling }: WasmModuleOptions, metering: Metering, id: string): Scheduling {
  if (scheduling !== undefined && scheduling !== "exclusive" && scheduling !== "sliced") {
    throw invalidOptions(`${id}: scheduling is ${shown(scheduling)}`, 'use "exclusive" or "sliced"');
  }
  if (scheduling !== "sliced" || metering !== "off") return scheduling ?? "exclusive";
  throw invalidOptions(
    `${id}: a guest that is not metered cannot be sliced`,
    'give its bytes and metering "exact" or "deadline", or scheduling "exclusive"',
  );
}

function stateOf({ state = "keep" }: WasmModuleOptions, id: string): GuestState {
  if (state === "keep" || state === "fresh") return state;
  throw invalidOptions(`${id}: state is ${shown(state)}`, 'use "keep" or "fresh"');
}

function meteringOf({ metering }: WasmModuleOptions, source: WasmSource, id: string): Metering {
  if (metering !== undefined && !["exact", "deadline", "off"].includes(metering)) {
    throw invalidOptions(`${id}: metering is ${shown(metering)}`, 'use "exact", "deadline" or "off"');
  }
  if (!isCompiled(source)) return metering ?? "exact";
  if (metering === undefined || metering === "off") return "off";
  throw invalidOptions(
    `${id}: a module that was given compiled cannot be metered`,
    'give its bytes, or metering: "off"',
  );
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
    throw invalidOptions(
      "wasmModule: source is neither path, URL, Uint8Array nor WebAssembly.Module",
      "an ArrayBuffer becomes bytes by new Uint8Array(buffer)",
    );
  }
  if (manifest?.entry === undefined || base === undefined) {
    const what =
      manifest === undefined
        ? "neither source nor manifest is"
        : `${manifest.id}: the manifest's entry or \`base\` is not`;
    throw invalidOptions(
      `wasmModule: ${what} given`,
      "give `source` (path, URL, bytes or compiled module), or `manifest` with an entry and `base`",
    );
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
  throw invalidOptions("wasmModule: a module given as bytes or compiled needs an id", "add `id`");
}
