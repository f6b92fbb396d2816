import { Bulk } from "./actions.ts";
import {
  CALL,
  ELSE,
  END,
  I32,
  i32Add,
  i32And,
  i32Greater,
  i32ShiftLeft,
  i32ShiftRight,
  i32Sub,
  IF,
  localGet,
  localTee,
} from "./bytecode.ts";
import type { FunctionCode } from "./function-code.ts";
import * as helpers from "./helpers.ts";
import { copyInPieces, fillInPieces, PIECE_BYTES } from "./pieces.ts";
import { Reader } from "./reader.ts";

const MEMORY_COPY = 10;
const MEMORY_FILL = 11;

/** Charges the length that is on top of the stack, in units of {@link Bulk}, and leaves it there. */
export function chargeBulk(code: FunctionCode, unit: number, wide: boolean): void {
  const { out, layout, length } = code;
  if (wide) {
    code.call(helpers.chargeWide(layout, unit === Bulk.bytes ? 4 : 0));
    return;
  }
  out.op(localTee, length);
  code.pushCounter();
  out.op(localGet, length);
  // at most 2^28 each way: no array has more elements, no table more than 2^25 entries
  if (unit === Bulk.bytes) {
    out.i32(4);
    out.byte(i32ShiftRight);
  } else {
    out.i32(unit === Bulk.elements ? 0x0fff_ffff : 0x01ff_ffff);
    out.byte(i32And);
  }
  if (unit === Bulk.entries) {
    out.i32(3);
    out.byte(i32ShiftLeft);
  }
  out.byte(i32Sub);
  code.storeAndTest();
}

/** Writes memory.fill and memory.copy so that large ones are interrupted; returns where the instruction ended. */
export function writeInPieces(code: FunctionCode, at: number, wide: boolean): number {
  const { out, layout } = code;
  const reader = new Reader(code.module.bytes, at + 1);
  const operation = reader.u32();
  if (operation !== MEMORY_COPY && operation !== MEMORY_FILL) return at;
  const copies = operation === MEMORY_COPY;
  const memory = reader.u32();
  const source = copies ? reader.u32() : memory;
  const { memories } = code.module;
  if (memories[memory]!.limits.wide !== memories[source]!.limits.wide) return at;
  const helper = copies ? copyInPieces(layout, memory, source) : fillInPieces(layout, memory);
  if (wide) {
    code.call(helper);
    return reader.at;
  }
  out.op(localGet, code.length);
  out.i32(PIECE_BYTES);
  out.byte(i32Greater);
  code.rarely(IF);
  out.s32(layout.functionType([I32, I32, I32], []));
  code.call(helper);
  out.byte(ELSE);
  code.copy(at, reader.at);
  out.byte(END);
  return reader.at;
}

/** Takes room for `granules`. */
export function takeRoom({ out, layout }: FunctionCode, granules: number): void {
  out.i32(granules);
  out.op(CALL, helpers.takeRoom(layout));
}

/** Takes room for an array of as many elements, of `elementBytes` each, as the last length was. */
export function takeArrayRoom({ out, layout, length }: FunctionCode, elementBytes: number): void {
  out.op(localGet, length);
  out.i32(4 - Math.log2(Math.max(1, elementBytes)));
  out.byte(i32ShiftRight);
  // what the division leaves over, and the array's own words
  out.i32(2);
  out.byte(i32Add);
  out.op(CALL, helpers.takeRoom(layout));
}

/** A wait on shared memory, which ends now and then to ask the host. */
export function writeWait(code: FunctionCode, width: number, at: number, end: number): void {
  const { bytes } = code.module;
  const reader = new Reader(bytes, at + 1, end);
  reader.u32();
  const from = reader.at;
  const memory = reader.u32() & 0x40 ? reader.u32() : 0;
  code.call(helpers.wait(code.layout, width, memory, bytes.slice(from, end)));
}
