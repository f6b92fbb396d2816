import { I32 } from "../bytecode.ts";
import { Reader } from "../read/reader.ts";
import { readValueType } from "../read/types.ts";
import type { Writer } from "./writer.ts";

/** The locals that a function declares, in groups of one type. */
export interface Locals {
  readonly count: number;
  /** Stack bytes that they take. */
  readonly bytes: number;
  readonly groups: number;
  /** How many a first group has that is not to be copied: all but its type, which stands before `from`. */
  readonly head: number;
  /** Where the groups begin, and where the last one does. */
  readonly from: number;
  readonly lastFrom: number;
  readonly lastCount: number;
  readonly lastIsI32: boolean;
  readonly to: number;
}

/** Reads the declarations at a body's beginning. */
export function readLocals(reader: Reader): Locals {
  const groups = reader.u32();
  const from = reader.at;
  let count = 0;
  let bytes = 0;
  let lastFrom = from;
  let lastCount = 0;
  let lastIsI32 = false;
  for (let group = 0; group < groups; group++) {
    lastFrom = reader.at;
    lastCount = reader.u32();
    lastIsI32 = reader.bytes[reader.at] === I32;
    count += lastCount;
    bytes += lastCount * Math.max(8, readValueType(reader).bytes);
  }
  return { count, bytes, groups, head: 0, from, lastFrom, lastCount, lastIsI32, to: reader.at };
}

/** The same without the first one, which is a number. */
export function withoutFirst(source: Uint8Array, locals: Locals): Locals {
  if (locals.groups === 1 && locals.lastIsI32) return { ...locals, lastCount: locals.lastCount - 1 };
  const reader = new Reader(source, locals.from);
  const head = reader.u32() - 1;
  return { ...locals, groups: head > 0 ? locals.groups : locals.groups - 1, head, from: reader.at + 1 };
}

/** Writes them with `own` more i32s behind: in the last group if that is one of i32s, since engines inline by size. */
export function writeLocals(out: Writer, source: Uint8Array, locals: Locals, own: number): void {
  const { groups, head, from, lastFrom, lastCount, lastIsI32, to } = locals;
  out.u32(lastIsI32 ? groups : groups + 1);
  if (head > 0) {
    out.u32(head);
    out.byte(source[from - 1]!);
  }
  out.copy(source, from, lastIsI32 ? lastFrom : to);
  out.u32(lastIsI32 ? lastCount + own : own);
  out.byte(I32);
}
