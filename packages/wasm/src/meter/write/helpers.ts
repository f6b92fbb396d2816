import {
  CALL,
  EMPTY,
  END,
  globalGet,
  globalSet,
  I32,
  i32Add,
  i32Const,
  i32LtS,
  i32Shl,
  i32Sub,
  i32WrapI64,
  I64,
  i64Const,
  i64LtU,
  i64ShrU,
  IF,
  localGet,
  localSet,
  localTee,
  SELECT,
} from "../bytecode.ts";
import { type Layout, RefillKind } from "../layout.ts";
import { ask, refillGlobal, trapIfBelow, trapIfTooDeep } from "./ask.ts";

// The functions that the meter appends, which what it writes into the guest's own code calls. Those that grow a memory or a table are in growth.ts, that
// which waits in wait.ts, those that work in pieces in pieces.ts.

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
      writer.raw([i32LtS, IF, EMPTY]);
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
      writer.byte(i32Add);
      writer.op(localGet, 0);
      writer.byte(i32Sub);
      writer.op(globalSet, layout.fuel);
      writer.op(localGet, 1);
    },
  );
}

/** `() → ()`: tells the host that one of its functions ran, and takes the counter from it. */
export function afterHost(layout: Layout): number {
  return tellHost(layout, "afterHost", RefillKind.host);
}

/** `() → ()`: the same where an exception was caught. */
export function afterCatch(layout: Layout): number {
  return tellHost(layout, "afterCatch", RefillKind.caught);
}

function tellHost(layout: Layout, name: string, kind: number): number {
  return layout.helper(
    name,
    () => layout.functionType([], []),
    [I32],
    (writer) => {
      refillGlobal(layout, writer, kind, 0);
      writer.i32(-(2 ** 31));
      writer.op(globalSet, layout.mark);
    },
  );
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
      writer.op(CALL, next);
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
      writer.op(CALL, next);
    },
  );
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
        writer.byte(i64Const);
        writer.s32(most);
      };
      writer.op(globalGet, layout.fuel);
      writer.op(localGet, 0);
      if (bytes) writer.raw([i64Const, 4, i64ShrU]);
      writer.op(localTee, units);
      pushMost();
      writer.op(localGet, units);
      pushMost();
      writer.raw([i64LtU, SELECT, i32WrapI64]); // the smaller one
      if (!bytes) writer.raw([i32Const, 3, i32Shl]);
      writer.byte(i32Sub);
      writer.op(localTee, counter);
      writer.op(globalSet, layout.fuel);
      writer.op(localGet, counter);
      writer.i32(0);
      writer.raw([i32LtS, IF, EMPTY]);
      writer.op(CALL, slow(layout));
      writer.byte(END);
      writer.op(localGet, 0);
    },
  );
}
