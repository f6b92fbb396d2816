import {
  BR,
  EMPTY,
  END,
  globalGet,
  globalSet,
  I32,
  i32Add,
  i32Const,
  i32GtU,
  i32LeS,
  i32Ne,
  i32Shl,
  i32ShrU,
  i32Sub,
  i32WrapI64,
  I64,
  i64Const,
  i64ExtendI32U,
  i64GtU,
  i64Ne,
  IF,
  localGet,
  localTee,
  LOOP,
  memoryGrow,
  MISC,
  RETURN,
  tableGrow,
  UNREACHABLE,
} from "../bytecode.ts";
import { type Layout, RefillKind } from "../layout.ts";
import { ask, refillGlobal } from "./ask.ts";
import type { Writer } from "./writer.ts";

// What stands in the guest's code for whatever takes memory: each takes it out of the room that is left, or asks the host.

/** `(granules) → ()`: takes room for an allocation, or traps. */
export function takeRoom(layout: Layout): number {
  return layout.helper(
    "takeRoom",
    () => layout.functionType([I32], []),
    [I32],
    (writer) => {
      writer.raw([LOOP, EMPTY]);
      writer.op(localGet, 0);
      writer.op(globalGet, layout.room);
      writer.raw([i32GtU, IF, EMPTY]);
      ask(layout, writer, RefillKind.allocation, () => writer.op(localGet, 0));
      writer.op(localTee, 1);
      writer.i32(0);
      writer.raw([i32LeS, IF, EMPTY, UNREACHABLE, END]);
      writer.op(globalGet, layout.room);
      writer.op(localGet, 1);
      writer.byte(i32Add);
      writer.op(globalSet, layout.room);
      writer.op(BR, 1);
      writer.raw([END, END]);
      writer.op(globalGet, layout.room);
      writer.op(localGet, 0);
      writer.byte(i32Sub);
      writer.op(globalSet, layout.room);
    },
  );
}

/** `(pages) → previous size or -1`: `memory.grow`, within the room that is left. */
export function growMemory(layout: Layout, memory: number): number {
  const wide = layout.module.memories[memory]!.limits.wide;
  const type = wide ? I64 : I32;
  return layout.helper(
    `growMemory ${memory}`,
    () => layout.functionType([type], [type]),
    [I32, type],
    (writer) => {
      const pages = 0;
      const scratch = 1;
      const answer = 2;
      writer.op(localGet, pages);
      writer.op(globalGet, layout.room);
      writer.i32(12); // 4,096 granules a page
      writer.byte(i32ShrU);
      if (wide) writer.byte(i64ExtendI32U);
      writer.raw([wide ? i64GtU : i32GtU, IF, EMPTY]);
      refillGlobal(layout, writer, RefillKind.memoryRefused, scratch);
      minusOne(writer, wide);
      writer.raw([RETURN, END]);
      writer.op(localGet, pages);
      writer.op(memoryGrow, memory);
      writer.op(localTee, answer);
      minusOne(writer, wide);
      writer.raw([wide ? i64Ne : i32Ne, IF, EMPTY]);
      writer.op(globalGet, layout.room);
      writer.op(localGet, pages);
      if (wide) writer.byte(i32WrapI64);
      writer.i32(12);
      writer.raw([i32Shl, i32Sub]);
      writer.op(globalSet, layout.room);
      writer.byte(END);
      refillGlobal(layout, writer, RefillKind.grown, scratch);
      writer.op(localGet, answer);
    },
  );
}

/** `(value, count) → previous size or -1`: `table.grow`, within the elements that are left. */
export function growTable(layout: Layout, table: number): number {
  const { type: reference, limits } = layout.module.tables[table]!;
  const count = limits.wide ? I64 : I32;
  const type = (): number => layout.functionType([...reference, count], [count], [2, 1]);
  return layout.helper(`growTable ${table}`, type, [I32, count], (writer) => {
    const delta = 1;
    const scratch = 2;
    const answer = 3;
    writer.op(localGet, delta);
    writer.op(globalGet, layout.tableRoom);
    if (limits.wide) writer.byte(i64ExtendI32U);
    writer.raw([limits.wide ? i64GtU : i32GtU, IF, EMPTY]);
    refillGlobal(layout, writer, RefillKind.tableRefused, scratch);
    minusOne(writer, limits.wide);
    writer.raw([RETURN, END]);
    writer.op(localGet, 0);
    writer.op(localGet, delta);
    writer.raw([MISC, tableGrow]);
    writer.u32(table);
    writer.op(localTee, answer);
    minusOne(writer, limits.wide);
    writer.raw([limits.wide ? i64Ne : i32Ne, IF, EMPTY]);
    writer.op(globalGet, layout.tableRoom);
    writer.op(localGet, delta);
    if (limits.wide) writer.byte(i32WrapI64);
    writer.byte(i32Sub);
    writer.op(globalSet, layout.tableRoom);
    writer.byte(END);
    refillGlobal(layout, writer, RefillKind.grown, scratch);
    writer.op(localGet, answer);
  });
}

function minusOne(writer: Writer, wide: boolean): void {
  writer.raw([wide ? i64Const : i32Const, 0x7f]);
}
