import type { Reader } from "../binary/reader.ts";
import { MalformedBinary } from "../binary/reader.ts";

const PLAIN: Readonly<Record<number, string>> = {
  0x7f: "i32",
  0x7e: "i64",
  0x7d: "f32",
  0x7c: "f64",
  0x7b: "v128",
  0x78: "i8",
  0x77: "i16",
};

/** Abstract heap types by their byte; what only null belongs to comes first. */
const HEAP: Readonly<Record<number, string>> = {
  0x74: "noexn",
  0x73: "nofunc",
  0x72: "noextern",
  0x71: "none",
  0x70: "func",
  0x6f: "extern",
  0x6e: "any",
  0x6d: "eq",
  0x6c: "i31",
  0x6b: "struct",
  0x6a: "array",
  0x69: "exn",
};

/** A nullable reference to each, where its name is not that of the heap type with `ref`. */
const NULL_REFERENCES: Readonly<Record<number, string>> = {
  0x74: "nullexnref",
  0x73: "nullfuncref",
  0x72: "nullexternref",
  0x71: "nullref",
};

/** One entry of the type section in words. */
export interface TypeText {
  readonly kind: "func" | "struct" | "array";
  /** `(i32, i64) → i32` for a function. */
  readonly text: string;
  /** Results of a function. */
  readonly results: number;
}

/** A value type in the text format's words: `i32`, `funcref`, `(ref null 3)`. */
export function readValueText(reader: Reader): string {
  const at = reader.offset;
  const byte = reader.byte();
  const plain = PLAIN[byte];
  if (plain !== undefined) return plain;
  if (byte === 0x63 || byte === 0x64) return `(ref ${byte === 0x63 ? "null " : ""}${readHeapText(reader)})`;
  const heap = HEAP[byte];
  if (heap !== undefined) return NULL_REFERENCES[byte] ?? `${heap}ref`;
  throw new MalformedBinary(`an unknown value type 0x${byte.toString(16)}`, at);
}

function readHeapText(reader: Reader): string {
  const at = reader.offset;
  const byte = reader.byte();
  const heap = HEAP[byte];
  if (heap !== undefined) return heap;
  reader.offset = at;
  // A type's index, written as a signed number that is never below zero.
  return String(reader.unsigned());
}

/** All entries of the type section in words; `reader` stands at its count. */
export function readTypeTexts(reader: Reader): readonly TypeText[] {
  const types: TypeText[] = [];
  for (let groups = reader.unsigned(); groups > 0; groups--) {
    if (reader.bytes[reader.offset] !== 0x4e) types.push(readSubType(reader));
    else {
      reader.byte();
      for (let members = reader.unsigned(); members > 0; members--) types.push(readSubType(reader));
    }
  }
  return types;
}

function readSubType(reader: Reader): TypeText {
  const first = reader.bytes[reader.offset];
  if (first === 0x50 || first === 0x4f) {
    reader.byte();
    for (let supertypes = reader.unsigned(); supertypes > 0; supertypes--) reader.unsigned();
  }
  const at = reader.offset;
  const form = reader.byte();
  if (form === 0x60) {
    const params = readList(reader, readValueText);
    const results = readList(reader, readValueText);
    const after = results.length === 1 ? (results[0] ?? "") : `(${results.join(", ")})`;
    return { kind: "func", text: `(${params.join(", ")}) → ${after}`, results: results.length };
  }
  if (form === 0x5f) {
    return { kind: "struct", text: `struct {${readList(reader, readField).join(", ")}}`, results: 0 };
  }
  if (form === 0x5e) return { kind: "array", text: `array of ${readField(reader)}`, results: 0 };
  throw new MalformedBinary(`an unknown form of type 0x${form.toString(16)}`, at);
}

function readField(reader: Reader): string {
  const type = readValueText(reader);
  return reader.byte() === 1 ? `mut ${type}` : type;
}

function readList(reader: Reader, read: (reader: Reader) => string): string[] {
  const items: string[] = [];
  for (let left = reader.unsigned(); left > 0; left--) items.push(read(reader));
  return items;
}
