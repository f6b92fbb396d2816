import { deltaOf, Immediate, immediateOf } from "../read/opcodes.ts";
import { Action, Bulk } from "./actions.ts";
import type { Scan } from "./scan.ts";

// Bulk operations: what they cost depends on a length, which may be known only when they are executed.

/** A literal length up to which a bulk operation is charged with its block. */
const LITERAL_BULK = 1024;

interface Limited {
  readonly limits: { readonly wide: boolean };
}

/** Fills, copies or initialises a memory. */
export function bulkMemory(scan: Scan): void {
  bulk(scan, Bulk.bytes, scan.module.memories);
}

/** Fills, copies or initialises a table. */
export function bulkTable(scan: Scan): void {
  bulk(scan, Bulk.entries, scan.module.tables);
}

function bulk(scan: Scan, unit: number, all: readonly Limited[]): void {
  const { body } = scan;
  const literal = body.literal();
  const wide = readWide(scan, all);
  if (literal >= 0 && literal <= LITERAL_BULK && !wide)
    body.total += unit === Bulk.bytes ? literal >>> 4 : literal * 8;
  else noteBulk(scan, unit, wide);
  body.height -= 3;
}

/** Fills, copies or initialises an array. */
export function bulkArray(scan: Scan): void {
  const { body } = scan;
  body.skipImmediate(immediateOf[body.slot]!);
  noteBulk(scan, Bulk.elements, false);
  body.height += deltaOf[body.slot]!;
}

/** A length that is not known before: it is charged where the operation stands. */
export function noteBulk(scan: Scan, unit: number, wide: boolean): void {
  scan.hasDynamicLength = true;
  scan.actions.add(scan.body.start, Action.bulk, unit, wide ? 1 : 0);
  scan.noteCall();
}

/** Reads the instruction's indices into `all` memories or tables, and tells whether its length has 64 bits. */
function readWide(scan: Scan, all: readonly Limited[]): boolean {
  const { body } = scan;
  const first = body.u32();
  if (immediateOf[body.slot] === Immediate.leb) return all[first]?.limits.wide === true;
  const second = body.u32();
  if (isInit(body.slot)) return false;
  return all[first]?.limits.wide === true && all[second]?.limits.wide === true;
}

/** `memory.init` or `table.init`, of which one index is a segment's. */
function isInit(slot: number): boolean {
  return slot === 0x148 || slot === 0x14c;
}
