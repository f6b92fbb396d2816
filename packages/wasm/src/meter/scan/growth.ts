import { granulesOf } from "../read/constants.ts";
import { deltaOf, Immediate, immediateOf, Role } from "../read/opcodes.ts";
import { Action, Bulk } from "./actions.ts";
import { noteBulk } from "./bulk.ts";
import type { Scan } from "./scan.ts";

// What takes memory: growth of memories and tables, new structs and arrays. Under a cap the room for it is asked for first.

/** `memory.grow`. */
export function growMemory(scan: Scan): void {
  const { body } = scan;
  const memory = body.u32();
  scan.late.commitNow();
  if (!scan.options.capped) return;
  scan.actions.add(body.start, Action.memoryGrow, memory, body.at);
  scan.noteCall();
}

/** `table.grow`. */
export function growTable(scan: Scan): void {
  const { body } = scan;
  const table = body.u32();
  scan.late.commitNow();
  body.height--;
  if (!scan.options.tableCapped) return;
  scan.actions.add(body.start, Action.tableGrow, table, body.at);
  scan.noteCall();
}

/** `struct.new` and `struct.new_default`. */
export function newStruct(scan: Scan, role: number): void {
  const { body } = scan;
  const type = scan.module.types[body.u32()]!;
  allocate(scan, type.size);
  // the fields of one that is made from operands were paid for as these
  if (role === Role.structNewDefault) body.total += type.params;
  body.push(1 - (role === Role.structNew ? type.params : 0));
}

/** An array whose length is on the stack. */
export function newArray(scan: Scan): void {
  const { body } = scan;
  const type = scan.module.types[body.u32()]!;
  if (immediateOf[body.slot] === Immediate.leb2) body.skipLeb();
  noteBulk(scan, Bulk.elements, false);
  if (scan.options.capped) scan.actions.add(body.start, Action.allocateArray, type.size, 0);
  body.height += deltaOf[body.slot]!;
}

/** An array whose length is told by the instruction. */
export function newFixedArray(scan: Scan): void {
  const { body } = scan;
  const type = scan.module.types[body.u32()]!;
  const count = body.u32();
  body.total += count;
  allocate(scan, type.size * count);
  body.push(1 - count);
}

function allocate(scan: Scan, bytes: number): void {
  if (!scan.options.capped) return;
  scan.actions.add(scan.body.start, Action.allocate, granulesOf(bytes), 0);
  scan.noteCall();
}
