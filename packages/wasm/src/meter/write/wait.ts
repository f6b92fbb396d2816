import {
  ATOMIC,
  BR,
  EMPTY,
  END,
  globalGet,
  globalSet,
  I32,
  i32Ne,
  i32Sub,
  i32WrapI64,
  I64,
  i64Const,
  i64Eqz,
  i64GeS,
  i64LtU,
  i64Sub,
  IF,
  localGet,
  localSet,
  localTee,
  LOOP,
  memoryWait32,
  memoryWait64,
  RETURN,
  SELECT,
  UNREACHABLE,
} from "../bytecode.ts";
import { type Layout, RefillKind } from "../layout.ts";
import { refillGlobal } from "./ask.ts";

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
      writer.raw([LOOP, EMPTY]);
      writer.op(localGet, timeout);
      writer.byte(i64Const);
      writer.s32(WAIT_NS);
      writer.op(localGet, timeout);
      writer.byte(i64Const);
      writer.s32(WAIT_NS);
      writer.raw([i64LtU, SELECT]); // the smaller one; a negative time-out, which means none, counts as large
      writer.op(localSet, slice);
      writer.op(localGet, 0);
      writer.op(localGet, 1);
      writer.op(localGet, slice);
      writer.raw([ATOMIC, width === 64 ? memoryWait64 : memoryWait32]);
      writer.raw(memarg);
      writer.op(localTee, result);
      writer.i32(2);
      writer.raw([i32Ne, IF, EMPTY]);
      writer.op(localGet, result);
      writer.raw([RETURN, END]);
      writer.op(globalGet, layout.fuel);
      writer.op(localGet, slice);
      writer.raw([i32WrapI64, i32Sub]);
      writer.op(globalSet, layout.fuel);
      refillGlobal(layout, writer, RefillKind.wait, result);
      // timeout > 0: some of it is used up
      writer.op(localGet, timeout);
      writer.raw([i64Const, 0, i64GeS, IF, EMPTY]);
      writer.op(localGet, timeout);
      writer.op(localGet, slice);
      writer.byte(i64Sub);
      writer.op(localTee, timeout);
      writer.byte(i64Eqz);
      writer.raw([IF, EMPTY]);
      writer.i32(2);
      writer.raw([RETURN, END, END]);
      writer.op(BR, 0);
      writer.byte(END);
      writer.byte(UNREACHABLE);
    },
  );
}
