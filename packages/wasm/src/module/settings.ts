import { KeelsonError, suggest } from "@keelson/core";
import type { AbiProfile } from "../abi/profile.ts";
import { DEFAULT_MAX_INSTANCES } from "../instance/live-instances.ts";
import type { HostImports } from "../instance/link.ts";
import { settleIsolation, type IsolationSettings } from "../isolation/isolation.ts";
import { defaultMeterLimits, type MeterLimits } from "../meter/options.ts";
import { isObject, shown } from "./shown.ts";
import type {
  BinarySource,
  GuestState,
  Metering,
  Scheduling,
  WasmLimits,
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
    throw invalid(`wasmModule: the options are ${shown(options)}`, "give an object with `source` and `id`");
  requireKnownOptions(options);
  const { manifest, limits = {} } = options;
  if (manifest !== undefined && !(isObject(manifest) && isObject(manifest.limits)))
    throw invalid(`wasmModule: the manifest is ${shown(manifest)}`, "give what parseManifest() answers");
  const source = sourceOf(options);
  const id = options.id ?? manifest?.id ?? idOf(source);
  if (typeof id !== "string") throw invalid(`wasmModule: the id is ${shown(id)}`, "give a text");
  for (const [name, value] of Object.entries({ limits, pool: options.pool, imports: options.imports })) {
    if (value !== undefined && !isObject(value) && !(name === "imports" && typeof value === "function"))
      throw invalid(`${id}: ${name} is ${shown(value)}`, "give an object, or leave it out");
  }
  requireKnownLimits(limits, id);
  const maxMemoryBytes = limits.memory ?? manifest?.limits.memory ?? DEFAULT_MEMORY_BYTES;
  const maxInstances = limits.instances ?? DEFAULT_MAX_INSTANCES;
  requireNumber(maxMemoryBytes, 0, "limits.memory", id);
  requireNumber(maxInstances, 1, "limits.instances", id);
  const metering = meteringOf(options, source, id);
  const fuel = limits.fuel ?? manifest?.limits.fuel;
  const asked = limits.cpuMs ?? manifest?.limits.cpuMs;
  const stackBytes = limits.stack ?? DEFAULT_STACK_BYTES;
  if (fuel !== undefined) requireNumber(fuel, 1, "limits.fuel", id);
  if (asked !== undefined && !(typeof asked === "number" && asked > 0)) {
    throw new KeelsonError(
      "INVALID_OPTIONS",
      `${id}: limits.cpuMs must be more than 0, not ${shown(asked)}`,
      {
        hint: "give milliseconds, or leave it out for its default",
      },
    );
  }
  requireNumber(stackBytes, 1024, "limits.stack", id);
  const maxTableElements = limits.tableElements ?? DEFAULT_TABLE_ELEMENTS;
  requireNumber(maxTableElements, 0, "limits.tableElements", id);
  const codeLimits = codeLimitsOf(limits.code, id);
  const unenforced: string[] = [];
  if (fuel !== undefined && metering !== "exact") unenforced.push("fuel");
  if (asked !== undefined && metering === "off") unenforced.push("cpuMs");
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

function schedulingOf({ scheduling }: WasmModuleOptions, metering: Metering, id: string): Scheduling {
  if (scheduling !== undefined && scheduling !== "exclusive" && scheduling !== "sliced") {
    throw new KeelsonError("INVALID_OPTIONS", `${id}: scheduling is ${shown(scheduling)}`, {
      hint: 'use "exclusive" or "sliced"',
    });
  }
  if (scheduling !== "sliced" || metering !== "off") return scheduling ?? "exclusive";
  throw new KeelsonError("INVALID_OPTIONS", `${id}: a guest that is not metered cannot be sliced`, {
    hint: 'give its bytes and metering "exact" or "deadline", or scheduling "exclusive"',
  });
}

function stateOf({ state = "keep" }: WasmModuleOptions, id: string): GuestState {
  if (state === "keep" || state === "fresh") return state;
  throw new KeelsonError("INVALID_OPTIONS", `${id}: state is ${shown(state)}`, {
    hint: 'use "keep" or "fresh"',
  });
}

const OPTIONS: readonly string[] = [
  "source",
  "manifest",
  "base",
  "id",
  "name",
  "version",
  "description",
  "abi",
  "pool",
  "limits",
  "metering",
  "scheduling",
  "state",
  "isolation",
  "imports",
  "integrity",
  "depends",
  "restart",
  "overlap",
  "deadlines",
  "interrupt",
  "quarantine",
  "offsets",
  "cache",
] satisfies readonly (keyof WasmModuleOptions)[];

/** A typing error must not mean "inline", or "kept between calls". */
function requireKnownOptions(options: WasmModuleOptions): void {
  for (const name of Object.keys(options)) {
    if (OPTIONS.includes(name)) continue;
    const near = LIMITS.includes(name) ? `limits.${name}` : suggest(name, OPTIONS);
    throw invalid(
      `wasmModule: there is no option ${shown(name)}`,
      near === undefined ? `the options are ${OPTIONS.join(", ")}` : `did you mean \`${near}\`?`,
    );
  }
}

const LIMITS: readonly string[] = [
  "memory",
  "instances",
  "fuel",
  "cpuMs",
  "stack",
  "process",
  "tableElements",
  "code",
] satisfies readonly (keyof WasmLimits)[];

/** A typing error must not mean "no limit". */
function requireKnownLimits(limits: WasmLimits, id: string): void {
  for (const name of Object.keys(limits)) {
    if (LIMITS.includes(name)) continue;
    throw new KeelsonError("INVALID_OPTIONS", `${id}: limits.${name} is not known`, {
      hint:
        name === "timeoutMs"
          ? "give it with each call, or in a manifest"
          : `the limits are ${LIMITS.join(", ")}`,
    });
  }
}

function codeLimitsOf(code: Partial<MeterLimits> = {}, id: string): Partial<MeterLimits> {
  for (const [name, value] of Object.entries(code)) {
    if (!(name in defaultMeterLimits)) {
      throw new KeelsonError("INVALID_OPTIONS", `${id}: limits.code.${name} is not known`, {
        hint: `the limits are ${Object.keys(defaultMeterLimits).join(", ")}`,
      });
    }
    requireNumber(value, 1, `limits.code.${name}`, id);
  }
  return code;
}

function meteringOf({ metering }: WasmModuleOptions, source: WasmSource, id: string): Metering {
  if (metering !== undefined && !["exact", "deadline", "off"].includes(metering)) {
    throw new KeelsonError("INVALID_OPTIONS", `${id}: metering is ${shown(metering)}`, {
      hint: 'use "exact", "deadline" or "off"',
    });
  }
  if (!isCompiled(source)) return metering ?? "exact";
  if (metering === undefined || metering === "off") return "off";
  throw new KeelsonError("INVALID_OPTIONS", `${id}: a module that was given compiled cannot be metered`, {
    hint: 'give its bytes, or metering: "off"',
  });
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
    `${id}: ${name} must be a whole number of at least ${min}, not ${shown(value)}`,
    {
      hint:
        typeof value === "string"
          ? "sizes are bytes here, such as 64 * 2 ** 20; texts such as 64MiB are for manifests"
          : "correct it, or leave it out for its default",
    },
  );
}

function invalid(message: string, hint: string): KeelsonError {
  return new KeelsonError("INVALID_OPTIONS", message, { hint });
}
