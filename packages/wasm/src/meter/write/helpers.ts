import {
  CALL,
  EMPTY,
  END,
  globalGet,
  globalSet,
  I32,
  I64,
  i32LessThan,
  i32Sub,
  IF,
  localGet,
  localSet,
  localTee,
} from "../bytecode.ts";
import { type Layout, PARKED_BELOW, RefillKind } from "../layout.ts";
import type { Writer } from "./writer.ts";

// The functions that the meter appends. What they have in common: the host is asked through the private table, and a
// negative answer executes `unreachable`, which no exception handler of the guest can catch.

/** Asks the host; the counter is on top of the stack below `kind`: `push` puts it there. Leaves the answer. */
function ask(layout: Layout, writer: Writer, kind: number, push: () => void): void {
  writer.i32(kind);
  push();
  writer.i32(0);
  writer.op(0x11, layout.refillType);
  writer.u32(layout.refillTable);
}

/** Traps when local `local` is below `least`. */
function trapIfBelow(writer: Writer, local: number, least: number): void {
  writer.op(localGet, local);
  writer.i32(least);
  writer.raw([0x48, 0x04, EMPTY, 0x00, END]);
}

/** Asks the host with the counter in its global and stores the answer there; `local` is free to use. */
function refillGlobal(layout: Layout, writer: Writer, kind: number, local: number): void {
  ask(layout, writer, kind, () => writer.op(globalGet, layout.fuel));
  writer.op(localSet, local);
  trapIfBelow(writer, local, kind === RefillKind.host ? PARKED_BELOW : 0);
  writer.op(localGet, local);
  writer.op(globalSet, layout.fuel);
}

/** `() → value` of one of the meter's globals, for the host: what is exported itself is slow to use on JavaScriptCore. */
export function readGlobal(layout: Layout, global: number): number {
  return layout.helper(
    `read ${global}`,
    () => layout.functionType([], [I32]),
    [],
    (writer) => writer.op(globalGet, global),
  );
}

/** `(value) → ()`: sets one of the meter's globals, for the host. */
export function writeGlobal(layout: Layout, global: number): number {
  return layout.helper(
    `write ${global}`,
    () => layout.functionType([I32], []),
    [],
    (writer) => {
      writer.op(localGet, 0);
      writer.op(globalSet, global);
    },
  );
}

/** `() → ()`: a new slice, for code that keeps the counter in its global. */
export function slow(layout: Layout): number {
  return layout.helper(
    "slow",
    () => layout.functionType([], []),
    [I32],
    (writer) => {
      refillGlobal(layout, writer, RefillKind.slice, 0);
    },
  );
}

/** `(cost) → ()`: pays for what engines compile when a function is first called. */
export function payCold(layout: Layout): number {
  const next = slow(layout);
  return layout.helper(
    "payCold",
    () => layout.functionType([I32], []),
    [],
    (writer) => {
      writer.op(globalGet, layout.fuel);
      writer.op(localGet, 0);
      writer.byte(i32Sub);
      writer.op(localTee, 0);
      writer.op(globalSet, layout.fuel);
      writer.op(localGet, 0);
      writer.i32(0);
      writer.raw([i32LessThan, IF, EMPTY]);
      writer.op(CALL, next);
      writer.byte(END);
    },
  );
}

/** `() → ()`: keeps which large functions were called, or with `restores` has it as it was kept. */
export function keepCalled(layout: Layout, restores: boolean): number {
  const [from, to] = restores ? [1, 0] : [0, 1];
  return layout.helper(
    `keepCalled ${restores}`,
    () => layout.functionType([], []),
    [],
    (writer) => {
      for (const global of layout.cold) {
        writer.op(globalGet, global + from);
        writer.op(globalSet, global + to);
      }
    },
  );
}

/**
 * `(counter) → counter`: a new slice, for code that keeps the counter in a local. The global is moved by the same
 * amount, so that what was granted less the global stays what was used when they last agreed, however slices fell.
 */
export function slowLocal(layout: Layout): number {
  return layout.helper(
    "slowLocal",
    () => layout.functionType([I32], [I32]),
    [I32],
    (writer) => {
      ask(layout, writer, RefillKind.slice, () => writer.op(localGet, 0));
      writer.op(localSet, 1);
      trapIfBelow(writer, 1, 0);
      writer.op(globalGet, layout.fuel);
      writer.op(localGet, 1);
      writer.byte(0x6a);
      writer.op(localGet, 0);
      writer.byte(0x6b);
      writer.op(globalSet, layout.fuel);
      writer.op(localGet, 1);
    },
  );
}

/** `() → ()`: tells the host that one of its functions ran, and takes the counter from it. */
export function afterHost(layout: Layout): number {
  return layout.helper(
    "afterHost",
    () => layout.functionType([], []),
    [I32],
    (writer) => {
      refillGlobal(layout, writer, RefillKind.host, 0);
      writer.i32(-(2 ** 31));
      writer.op(globalSet, layout.mark);
    },
  );
}

/** Traps, the host told, when calls nest too deep: when local `depth` is below zero. */
function trapIfTooDeep(layout: Layout, writer: Writer, depth: number, push: () => void): void {
  writer.op(localGet, depth);
  writer.i32(0);
  writer.raw([0x48, 0x04, EMPTY]);
  ask(layout, writer, RefillKind.stack, push);
  writer.raw([0x00, END]);
}

/** `(depth) → ()`: what an entry calls when its slice or its stack is used up. */
export function enter(layout: Layout): number {
  const next = slow(layout);
  return layout.helper(
    "enter",
    () => layout.functionType([I32], []),
    [],
    (writer) => {
      trapIfTooDeep(layout, writer, 0, () => writer.op(globalGet, layout.fuel));
      writer.op(0x10, next);
    },
  );
}

/** `(counter, depth) → counter`: the same, for code that keeps the counter in a local. */
export function enterLocal(layout: Layout): number {
  const next = slowLocal(layout);
  return layout.helper(
    "enterLocal",
    () => layout.functionType([I32, I32], [I32]),
    [],
    (writer) => {
      trapIfTooDeep(layout, writer, 1, () => writer.op(localGet, 0));
      writer.op(localGet, 0);
      writer.op(0x10, next);
    },
  );
}

/** `(granules) → ()`: takes room for an allocation, or traps. */
export function takeRoom(layout: Layout): number {
  return layout.helper(
    "takeRoom",
    () => layout.functionType([I32], []),
    [I32],
    (writer) => {
      writer.raw([0x03, EMPTY]);
      writer.op(localGet, 0);
      writer.op(globalGet, layout.room);
      writer.raw([0x4b, 0x04, EMPTY]); // granules > room, unsigned
      ask(layout, writer, RefillKind.allocation, () => writer.op(localGet, 0));
      writer.op(localTee, 1);
      writer.i32(0);
      writer.raw([0x4c, 0x04, EMPTY, 0x00, END]); // answer <= 0: unreachable
      writer.op(globalGet, layout.room);
      writer.op(localGet, 1);
      writer.byte(0x6a);
      writer.op(globalSet, layout.room);
      writer.op(0x0c, 1);
      writer.raw([END, END]);
      writer.op(globalGet, layout.room);
      writer.op(localGet, 0);
      writer.byte(0x6b);
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
      writer.byte(0x76);
      if (wide) writer.byte(0xad);
      writer.raw([wide ? 0x56 : 0x4b, 0x04, EMPTY]);
      refillGlobal(layout, writer, RefillKind.memoryRefused, scratch);
      minusOne(writer, wide);
      writer.raw([0x0f, END]);
      writer.op(localGet, pages);
      writer.op(0x40, memory);
      writer.op(localTee, answer);
      minusOne(writer, wide);
      writer.raw([wide ? 0x52 : 0x47, 0x04, EMPTY]);
      writer.op(globalGet, layout.room);
      writer.op(localGet, pages);
      if (wide) writer.byte(0xa7);
      writer.i32(12);
      writer.raw([0x74, 0x6b]);
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
    if (limits.wide) writer.byte(0xad);
    writer.raw([limits.wide ? 0x56 : 0x4b, 0x04, EMPTY]);
    refillGlobal(layout, writer, RefillKind.tableRefused, scratch);
    minusOne(writer, limits.wide);
    writer.raw([0x0f, END]);
    writer.op(localGet, 0);
    writer.op(localGet, delta);
    writer.raw([0xfc, 0x0f]);
    writer.u32(table);
    writer.op(localTee, answer);
    minusOne(writer, limits.wide);
    writer.raw([limits.wide ? 0x52 : 0x47, 0x04, EMPTY]);
    writer.op(globalGet, layout.tableRoom);
    writer.op(localGet, delta);
    if (limits.wide) writer.byte(0xa7);
    writer.byte(0x6b);
    writer.op(globalSet, layout.tableRoom);
    writer.byte(END);
    refillGlobal(layout, writer, RefillKind.grown, scratch);
    writer.op(localGet, answer);
  });
}

function minusOne(writer: Writer, wide: boolean): void {
  writer.raw([wide ? 0x42 : 0x41, 0x7f]);
}

/**
 * `(length) → length`: charges a bulk operation whose length has 64 bits as one of 32 is charged. What passes 4 GiB, or the entries that a table can
 * have, is charged as that.
 */
export function chargeWide(layout: Layout, bytes: boolean): number {
  return layout.helper(
    `chargeWide ${bytes}`,
    () => layout.functionType([I64], [I64]),
    [I32, I64],
    (writer) => {
      const counter = 1;
      const units = 2;
      // sixteen bytes are a unit, an entry of a table is eight
      const most = bytes ? 0x0fff_ffff : 0x01ff_ffff;
      const pushMost = (): void => {
        writer.byte(0x42);
        writer.s32(most);
      };
      writer.op(globalGet, layout.fuel);
      writer.op(localGet, 0);
      if (bytes) writer.raw([0x42, 4, 0x88]);
      writer.op(localTee, units);
      pushMost();
      writer.op(localGet, units);
      pushMost();
      writer.raw([0x54, 0x1b, 0xa7]); // the smaller one
      if (!bytes) writer.raw([0x41, 3, 0x74]);
      writer.byte(0x6b);
      writer.op(localTee, counter);
      writer.op(globalSet, layout.fuel);
      writer.op(localGet, counter);
      writer.i32(0);
      writer.raw([0x48, 0x04, EMPTY]);
      writer.op(0x10, slow(layout));
      writer.byte(END);
      writer.op(localGet, 0);
    },
  );
}

const WAIT_NS = 100_000;

/**
 * `(address, expected, timeout) → result`: a wait on shared memory in pieces of a tenth of a millisecond, the host asked
 * between them, so that a wait without time-out ends too. A nanosecond costs a unit of fuel. `memarg` is the encoded memory
 * immediate. A value that changes while no one notifies ends the wait at the next piece.
 */
export function wait(layout: Layout, width: number, memory: number, memarg: Uint8Array): number {
  const address = layout.module.memories[memory]?.limits.wide ? I64 : I32;
  const value = width === 64 ? I64 : I32;
  const key = `wait ${width} ${memarg.join(" ")}`;
  return layout.helper(
    key,
    () => layout.functionType([address, value, I64], [I32]),
    [I64, I32],
    (writer) => {
      const timeout = 2;
      const slice = 3;
      const result = 4;
      writer.raw([0x03, EMPTY]);
      writer.op(localGet, timeout);
      writer.byte(0x42);
      writer.s32(WAIT_NS);
      writer.op(localGet, timeout);
      writer.byte(0x42);
      writer.s32(WAIT_NS);
      writer.raw([0x54, 0x1b]); // the smaller one; a negative time-out, which means none, counts as large
      writer.op(localSet, slice);
      writer.op(localGet, 0);
      writer.op(localGet, 1);
      writer.op(localGet, slice);
      writer.raw([0xfe, width === 64 ? 2 : 1]);
      writer.raw(memarg);
      writer.op(localTee, result);
      writer.i32(2);
      writer.raw([0x47, 0x04, EMPTY]);
      writer.op(localGet, result);
      writer.raw([0x0f, END]);
      writer.op(globalGet, layout.fuel);
      writer.op(localGet, slice);
      writer.raw([0xa7, 0x6b]);
      writer.op(globalSet, layout.fuel);
      refillGlobal(layout, writer, RefillKind.wait, result);
      // timeout > 0: some of it is used up
      writer.op(localGet, timeout);
      writer.raw([0x42, 0x00, 0x59, 0x04, EMPTY]);
      writer.op(localGet, timeout);
      writer.op(localGet, slice);
      writer.byte(0x7d);
      writer.op(localTee, timeout);
      writer.byte(0x50);
      writer.raw([0x04, EMPTY]);
      writer.i32(2);
      writer.raw([0x0f, END, END]);
      writer.op(0x0c, 0);
      writer.byte(END);
      writer.byte(0x00);
    },
  );
}
