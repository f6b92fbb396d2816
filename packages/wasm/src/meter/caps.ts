import { KeelsonError } from "@keelson/core/plain";
import { GRANULE } from "./read/constants.ts";
import type { ModuleInfo } from "./read/module.ts";
import type { MeterOptions } from "./options.ts";

const PAGE_GRANULES = 65_536 / GRANULE;
/** Pages that engines let a memory declare: what 32 bits address, and 16 GiB of 64-bit ones. */
const MAX_PAGES = 65_536;
const MAX_WIDE_PAGES = 262_144;
/** The room counter is an i32: 32 GiB. */
const MAX_GRANULES = 2 ** 31 - 1;

/** What may be taken beyond what a module declares. */
export interface Caps {
  readonly memoryMax: (number | undefined)[];
  readonly tableMax: (number | undefined)[];
  /** What is left beyond the declared minimums, in granules and in elements. */
  readonly room: number;
  readonly tableRoom: number;
}

/**
 * What each memory and table may grow to, so that all of them together stay within the caps.
 *
 * @throws KeelsonError `OUT_OF_MEMORY` when the declared minimums pass a cap
 */
export function planCaps(module: ModuleInfo, options: MeterOptions): Caps {
  let room = 0;
  let tableRoom = 0;
  let memoryMax: (number | undefined)[] = [];
  let tableMax: (number | undefined)[] = [];
  if (options.memoryBytes !== undefined) {
    const pages = declaredMinimum(module.memories);
    const constants = module.constants.granules;
    const cap = Math.min(Math.floor(options.memoryBytes / GRANULE), MAX_GRANULES);
    room = cap - pages * PAGE_GRANULES - constants;
    if (room < 0) {
      const declared = (pages * PAGE_GRANULES + constants) * GRANULE;
      throw overCap("bytes of memory", "Bytes", declared, options.memoryBytes);
    }
    const spare = Math.floor(room / PAGE_GRANULES);
    memoryMax = module.memories.map(({ limits }) =>
      Math.min(limits.min + spare, limits.wide ? MAX_WIDE_PAGES : MAX_PAGES),
    );
  }
  if (options.tableElements !== undefined) {
    const elements = declaredMinimum(module.tables);
    tableRoom = Math.min(options.tableElements, MAX_GRANULES) - elements;
    if (tableRoom < 0) throw overCap("elements in tables", "Elements", elements, options.tableElements);
    const spare = tableRoom;
    tableMax = module.tables.map(({ limits }) => limits.min + spare);
  }
  return { memoryMax, tableMax, room, tableRoom };
}

interface Growable {
  readonly imported: boolean;
  readonly limits: { readonly min: number; readonly max: number | undefined };
}

/** Imported ones are made, and capped, by somebody else. */
function declaredMinimum(items: readonly Growable[]): number {
  return items.reduce((sum, { imported, limits }) => sum + (imported ? 0 : limits.min), 0);
}

/** How many of them a cap lowered, or gave a maximum. */
export function countLowered(items: readonly Growable[], max: readonly (number | undefined)[]): number {
  return items.filter(({ imported, limits }, index) => {
    const cap = max[index];
    return !imported && cap !== undefined && (limits.max === undefined || limits.max > cap);
  }).length;
}

function overCap(what: string, unit: "Bytes" | "Elements", declared: number, cap: number): KeelsonError {
  return new KeelsonError("OUT_OF_MEMORY", `the module declares ${declared} ${what}, its cap is ${cap}`, {
    hint: `raise the cap to at least ${declared}, or build the module with less`,
    details: { [`min${unit}`]: declared, [`limit${unit}`]: cap },
  });
}
