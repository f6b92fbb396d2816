import type { Bytes, Platform } from "@keelson/core";
import { chooseProfile } from "../abi/profiles.ts";
import { shapeOf } from "../abi/profile.ts";
import type { BinaryStep, CompileCache, CompiledModule } from "../cache/compile-cache.ts";
import type { Blueprint } from "../instance/create-guest.ts";
import type { MeterMeta } from "../meter/index.ts";
import { type Exposed, exposedIn } from "../state/expose.ts";
import { meterNote, stepsFor, type MeterNote } from "./preparation.ts";
import type { WasmSettings } from "./settings.ts";

/** A compiled module, with what its meter says. */
export interface Prepared extends CompiledModule {
  /** Its memories were capped. */
  readonly capped: boolean;
  /** Undefined for a module that was not metered. */
  readonly note: MeterNote | undefined;
}

/** Keeps the bytes that are compiled: a child process compiles them itself. */
export const KEEP: BinaryStep = { key: "bytes", apply: (bytes) => ({ bytes, note: bytes }) };

/** From bytes to compiled module: cap, meter, compile. */
export async function compileBytes(
  bytes: Bytes,
  origin: string,
  settings: WasmSettings,
  cache: CompileCache,
  platform: Pick<Platform, "clock" | "files">,
): Promise<Prepared> {
  const kept = settings.isolation.level === "process" ? [KEEP] : [];
  const made = await cache.compile(bytes, origin, [...stepsFor(settings, platform.clock), ...kept], platform);
  return { ...made, capped: true, note: meterNote(made) };
}

/** All that instances of it have in common; `UNKNOWN_ABI` or `MISSING_EXPORT` when no profile fits. */
export function makeBlueprint(settings: WasmSettings, id: string, prepared: Prepared): Blueprint {
  const { abi, imports, maxMemoryBytes, fuel, cpuMs, scheduling } = settings;
  const { module, outline, capped, note, notes } = prepared;
  const exposed = exposedIn(notes);
  const shape = shapeOf(module, outline, privateNames(note?.meta, exposed));
  const profile = chooseProfile(shape, id, abi);
  const metered = note && { meta: note.meta, offsets: note.offsets, fuel, cpuMs };
  const sliced = scheduling === "sliced";
  return { module, shape, profile, imports, maxMemoryBytes, capped, sliced, exposed, metered };
}

/** The exports that were added: they are the host's, and no method of the guest. */
function privateNames(meta: MeterMeta | undefined, exposed: Exposed | undefined): ReadonlySet<string> {
  return new Set([...Object.values(meta?.exports ?? {}), ...Object.values(exposed ?? {}).flat()]);
}
