import {
  CALL_INDIRECT,
  EMPTY,
  END,
  globalGet,
  globalSet,
  i32LtS,
  IF,
  localGet,
  localSet,
  UNREACHABLE,
} from "../bytecode.ts";
import { type Layout, PARKED_BELOW, RefillKind } from "../layout.ts";
import type { Writer } from "./writer.ts";

// How what the meter appends asks the host: through the private table. A negative answer executes `unreachable`, which no exception handler of the
// guest can catch.

/** Asks the host, for the reason `kind`. `push` puts onto the stack what it is asked about, as a rule the counter. Leaves the answer there. */
export function ask(layout: Layout, writer: Writer, kind: number, push: () => void): void {
  writer.i32(kind);
  push();
  writer.i32(0);
  writer.op(CALL_INDIRECT, layout.refillType);
  writer.u32(layout.refillTable);
}

/** Traps when local `local` is below `least`. */
export function trapIfBelow(writer: Writer, local: number, least: number): void {
  writer.op(localGet, local);
  writer.i32(least);
  writer.raw([i32LtS, IF, EMPTY, UNREACHABLE, END]);
}

/** Asks the host with the counter in its global and stores the answer there; `local` is free to use. */
export function refillGlobal(layout: Layout, writer: Writer, kind: number, local: number): void {
  ask(layout, writer, kind, () => writer.op(globalGet, layout.fuel));
  writer.op(localSet, local);
  const mayGoOnBelow0 = kind === RefillKind.host || kind === RefillKind.caught;
  trapIfBelow(writer, local, mayGoOnBelow0 ? PARKED_BELOW : 0);
  writer.op(localGet, local);
  writer.op(globalSet, layout.fuel);
}

/** Traps, the host told, when calls nest too deep: when local `depth` is below zero. */
export function trapIfTooDeep(layout: Layout, writer: Writer, depth: number, push: () => void): void {
  writer.op(localGet, depth);
  writer.i32(0);
  writer.raw([i32LtS, IF, EMPTY]);
  ask(layout, writer, RefillKind.stack, push);
  writer.raw([UNREACHABLE, END]);
}
