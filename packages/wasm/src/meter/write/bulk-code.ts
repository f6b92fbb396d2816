import { Bulk } from "../scan/actions.ts";
import {
  CALL,
  ELSE,
  END,
  I32,
  i32Add,
  i32And,
  i32GtU,
  i32Shl,
  i32ShrU,
  i32Sub,
  IF,
  localGet,
  localTee,
} from "../bytecode.ts";
import type { FunctionCode } from "./function-code.ts";
import * as growth from "./growth.ts";
import * as helpers from "./helpers.ts";
import { wait } from "./wait.ts";
import type { Layout } from "../layout.ts";
import { copyInPieces, fillInPieces, initInPieces, storeOf, type Store } from "./pieces.ts";
import { Reader } from "../read/reader.ts";

const MEMORY_INIT = 8;
const TABLE_INIT = 12;

/** Charges the length that is on top of the stack, in units of {@link Bulk}, and leaves it there. */
export function chargeBulk(code: FunctionCode, unit: number, wide: boolean): void {
  const { out, layout, length } = code;
  if (wide) {
    code.call(helpers.chargeWide(layout, unit === Bulk.bytes));
    return;
  }
  out.op(localTee, length);
  code.pushCounter();
  out.op(localGet, length);
  // at most 2^28 each way: no array has more elements, no table more than 2^25 entries
  if (unit === Bulk.bytes) {
    out.i32(4);
    out.byte(i32ShrU);
  } else {
    out.i32(unit === Bulk.elements ? 0x0fff_ffff : 0x01ff_ffff);
    out.byte(i32And);
  }
  if (unit === Bulk.entries) {
    out.i32(3);
    out.byte(i32Shl);
  }
  out.byte(i32Sub);
  code.storeAndTest();
}

/** Writes a bulk instruction on a memory or a table so that a large one is interrupted; returns where the instruction ended. */
export function writeInPieces(code: FunctionCode, at: number, unit: number, wide: boolean): number {
  const { out, layout } = code;
  const reader = new Reader(code.module.bytes, at + 1);
  const pieces = inPieces(layout, reader, unit === Bulk.entries);
  if (pieces === undefined) return at;
  if (wide) {
    code.callFor(at, pieces.helper);
    return reader.at;
  }
  const { piece, value } = pieces.store;
  out.op(localGet, code.length);
  out.i32(piece);
  out.byte(i32GtU);
  code.rarely(IF);
  out.s32(layout.functionType([I32, ...Array.from(pieces.fills ? value : [I32]), I32], [], [3, 0]));
  code.callFor(at, pieces.helper);
  out.byte(ELSE);
  code.copy(at, reader.at);
  out.byte(END);
  return reader.at;
}

/** What does the instruction that stands at the reader in pieces; undefined for those whose addresses are of different widths. */
function inPieces(
  layout: Layout,
  reader: Reader,
  table: boolean,
): { readonly store: Store; readonly fills: boolean; readonly helper: number } | undefined {
  const operation = reader.u32();
  const first = reader.u32();
  if (operation === (table ? TABLE_INIT : MEMORY_INIT)) {
    const store = storeOf(layout, table, reader.u32());
    return store.wide ? undefined : { store, fills: false, helper: initInPieces(layout, store, first) };
  }
  const store = storeOf(layout, table, first);
  if (operation === store.fill) return { store, fills: true, helper: fillInPieces(layout, store) };
  const source = storeOf(layout, table, reader.u32());
  if (source.wide !== store.wide) return undefined;
  return { store, fills: false, helper: copyInPieces(layout, store, source) };
}

/** Takes room for `granules`. */
export function takeRoom({ out, layout }: FunctionCode, granules: number): void {
  out.i32(granules);
  out.op(CALL, growth.takeRoom(layout));
}

/** Takes room for an array of as many elements, of `elementBytes` each, as the last length was. */
export function takeArrayRoom({ out, layout, length }: FunctionCode, elementBytes: number): void {
  out.op(localGet, length);
  out.i32(4 - Math.log2(Math.max(1, elementBytes)));
  out.byte(i32ShrU);
  // what the division leaves over, and the array's own words
  out.i32(2);
  out.byte(i32Add);
  out.op(CALL, growth.takeRoom(layout));
}

/** A wait on shared memory, which ends now and then to ask the host. */
export function writeWait(code: FunctionCode, width: number, at: number, end: number): void {
  const { bytes } = code.module;
  const reader = new Reader(bytes, at + 1, end);
  reader.u32();
  const from = reader.at;
  const memory = reader.u32() & 0x40 ? reader.u32() : 0;
  code.call(wait(code.layout, width, memory, bytes.slice(from, end)));
}
