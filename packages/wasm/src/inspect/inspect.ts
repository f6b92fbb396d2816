import { asKeelsonError, describeThrown, KeelsonError, type Bytes } from "@keelson/core";
import { requireOptions, shown } from "@keelson/core/plain";
import { missingExports, type AbiProfile, type ModuleShape } from "../abi/profile.ts";
import { abiProfiles } from "../abi/profiles.ts";
import { readOutline } from "../binary/outline.ts";
import { readSections } from "../binary/reader.ts";
import type { GuestHost } from "../instance/guest-host.ts";
import { meter } from "../meter/meter.ts";
import type { MeterOptions, MeterReport } from "../meter/options.ts";
import { pluginMetering } from "./plugin-metering.ts";
import { addCodeProposals, proposalsOf } from "./proposals.ts";
import { requireWholeModule } from "./require-whole.ts";
import type { ExportFacts, ImportFacts, MemoryFacts, Surface, TableFacts } from "./surface.ts";

/** Options of {@link inspectWasm}. */
export interface InspectOptions {
  /** How messages name the bytes. Default "the given binary". */
  readonly origin?: string;
  /** The ABI profile that was declared. Default: the one whose mark the exports bear, as a kernel finds it. */
  readonly abi?: string;
  /** How it would be metered. Default: as a plugin of which nothing else is said. */
  readonly metering?: MeterOptions;
}

/** How well a module fits an ABI profile. */
export interface ProfileFit {
  readonly name: string;
  /** Whether a kernel would choose it, or it was declared. */
  readonly chosen: boolean;
  /** The exports that it lacks, in words; empty when it fits. */
  readonly missing: readonly string[];
}

/** Whether a module can be metered, and what comes of it. */
export type MeteringFacts =
  | { readonly possible: true; readonly report: MeterReport }
  | { readonly possible: false; readonly error: KeelsonError };

/** What can be said of a module without running any of it. */
export interface WasmInspection {
  readonly bytes: number;
  /** Why the engine at hand refuses the module; absent when it accepts it. */
  readonly refused?: string;
  readonly imports: readonly (ImportFacts & {
    /** Whether the chosen profile provides it; what is false must come from the host's own `imports`. */
    readonly provided: boolean;
  })[];
  readonly exports: readonly ExportFacts[];
  readonly memories: readonly MemoryFacts[];
  readonly tables: readonly TableFacts[];
  /** Functions with a body. */
  readonly functions: number;
  /** Number of the function that runs when the module is instantiated, imports counted. */
  readonly start?: number;
  /** The chosen profile, then those that it nearly fits: half of what they need is there. */
  readonly profiles: readonly ProfileFit[];
  /** Proposals beyond the first version of the format. */
  readonly proposals: readonly string[];
  readonly metering: MeteringFacts;
}

/**
 * Reads what a WebAssembly module declares, which ABI profile it fits, and whether it can be metered. Runs nothing of it, and compiles nothing that the engine accepts.
 *
 * @throws KeelsonError `INVALID_WASM` for what does not decode, `UNSUPPORTED_WASM` for a component, `UNKNOWN_ABI`. A module that
 * decodes and that this engine refuses all the same is described, with `refused`.
 */
export function inspectWasm(bytes: Bytes, options?: InspectOptions): WasmInspection {
  requireOptions("inspectWasm", options, { origin: "string", abi: true, metering: "object" });
  const { origin = "the given binary", metering = pluginMetering, abi } = options ?? {};
  const surface = requireWholeModule(bytes, origin);
  const shape: ModuleShape = {
    exports: new Map(surface.exports.map(({ name, kind }) => [name, kind])),
    imports: surface.imports,
    outline: readOutline(bytes),
  };
  const profiles = fits(shape, abi);
  const chosen = abiProfiles.find(({ name }) => name === profiles.find((fit) => fit.chosen)?.name);
  const refused = refusal(bytes);
  const { start } = surface;
  return {
    bytes: bytes.length,
    ...(refused === undefined ? {} : { refused }),
    imports: surface.imports.map((one) => ({ ...one, provided: provides(chosen, one) })),
    exports: surface.exports,
    memories: surface.memories,
    tables: surface.tables,
    functions: surface.functions,
    ...(start === undefined ? {} : { start }),
    profiles,
    proposals: proposalsIn(bytes, surface),
    metering: tryMetering(bytes, metering),
  };
}

/** The engine's own words, or undefined when it accepts the module. */
function refusal(bytes: Bytes): string | undefined {
  if (WebAssembly.validate(bytes)) return undefined;
  try {
    // Only compiled, since validate() does not say why; it throws.
    new WebAssembly.Module(bytes);
    return undefined;
  } catch (error) {
    return describeThrown(error);
  }
}

function fits(shape: ModuleShape, abi: string | undefined): ProfileFit[] {
  const declared = abiProfiles.find(({ name }) => name === abi);
  if (abi !== undefined && declared === undefined) {
    throw new KeelsonError("UNKNOWN_ABI", `there is no ABI profile ${shown(abi)}`, {
      hint: `the profiles are ${abiProfiles.map(({ name }) => name).join(", ")}`,
      details: { abi },
    });
  }
  const chosen = declared ?? abiProfiles.find((profile) => profile.matches(shape));
  const fit = (profile: AbiProfile): ProfileFit => ({
    name: profile.name,
    chosen: profile === chosen,
    missing: missingExports(profile, shape),
  });
  const required = new Map(abiProfiles.map(({ name, requires }) => [name, requires.length]));
  const near = abiProfiles
    .filter((profile) => profile !== chosen && profile.requires.length > 0)
    .map(fit)
    .filter((one) => one.missing.length * 2 <= (required.get(one.name) ?? 0));
  return chosen === undefined ? near : [fit(chosen), ...near];
}

function provides(profile: AbiProfile | undefined, { module, name }: ImportFacts): boolean {
  const provided = profile?.imports(NOBODY) ?? {};
  return Object.hasOwn(provided, module) && Object.hasOwn(provided[module] ?? {}, name);
}

/** Profiles name what they provide only to a host; none of it is called. */
const NOBODY: GuestHost = {
  id: "",
  log: { write: () => {} },
  wall: () => 0,
  memory: undefined,
  call: undefined,
  entered: false,
  broken: false,
  panic: undefined,
};

function proposalsIn(bytes: Bytes, surface: Surface): readonly string[] {
  const found = proposalsOf(surface);
  const code = readSections(bytes).find(({ id }) => id === 10);
  try {
    if (code !== undefined && !addCodeProposals(bytes, code.body, code.end, found))
      found.add("one that is unknown here");
  } catch {
    // The bodies do not decode: the engine's refusal says so.
  }
  return [...found].sort();
}

function tryMetering(bytes: Bytes, options: MeterOptions): MeteringFacts {
  try {
    return { possible: true, report: meter(bytes, options).report };
  } catch (error) {
    return { possible: false, error: asKeelsonError(error, "INTERNAL", "metering failed") };
  }
}
