import { isKeelsonError, withDetails, type Clock } from "@keelson/core";
import { capMemory } from "../binary/cap-memory.ts";
import type { BinaryStep, CompiledModule } from "../cache/compile-cache.ts";
import { readSections } from "../binary/reader.ts";
import { meter, METER_VERSION, type MeterMeta, type OffsetMap } from "../meter/index.ts";
import { EXPOSE } from "../state/expose.ts";
import type { WasmSettings } from "./settings.ts";

/** What metering leaves beside a compiled module. */
export interface MeterNote {
  readonly meta: MeterMeta;
  /** Set when the module is to keep its positions. */
  readonly offsets?: OffsetMap;
}

/**
 * What is done to a module's bytes before they are compiled. Metering caps memories and tables by itself, as a sum; what is
 * not metered gets its memories' maximums lowered.
 */
export function stepsFor(settings: WasmSettings, clock: Clock): readonly BinaryStep[] {
  const { maxMemoryBytes, maxTableElements, metering, stackBytes, codeLimits, offsets } = settings;
  const exposing = putsBack(settings) ? [EXPOSE] : [];
  if (metering === "off") {
    const apply: BinaryStep["apply"] = (original, origin) => capMemory(original, maxMemoryBytes, origin);
    return [{ key: `memory=${maxMemoryBytes}`, apply }, ...exposing];
  }
  const options = {
    mode: metering,
    stackBytes,
    memoryBytes: maxMemoryBytes,
    tableElements: maxTableElements,
    offsetMap: offsets,
    limits: codeLimits,
  };
  return [
    ...exposing,
    {
      key: `${METER_KEY}${METER_VERSION} ${JSON.stringify(options)}`,
      apply(original, origin) {
        // says where a damaged file breaks off, which an engine's validation does not
        readSections(original);
        const made = naming(origin, () => meter(original, { ...options, now: () => clock.now() }));
        const note: MeterNote = {
          meta: made.meta,
          ...(made.offsets === undefined ? {} : { offsets: made.offsets }),
        };
        return { bytes: made.bytes, note };
      },
    },
  ];
}

/** The meter knows bytes alone: its errors get the module's name here. */
function naming<T>(origin: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw isKeelsonError(error) ? withDetails(error, {}, origin) : error;
  }
}

/** Whether guests are to be put back in this thread. Positions in the module must stay what they are where they are kept. */
function putsBack({ state, isolation, offsets }: WasmSettings): boolean {
  return state === "fresh" && isolation.level === "inline" && !offsets;
}

const METER_KEY = "meter=";

/** What metering left beside `compiled`, if it was metered. */
export function meterNote({ notes }: CompiledModule): MeterNote | undefined {
  for (const [key, note] of notes) if (key.startsWith(METER_KEY)) return note as MeterNote;
  return undefined;
}
