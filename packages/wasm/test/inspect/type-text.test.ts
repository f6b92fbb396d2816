import { expect, test } from "vitest";
import { Reader } from "../../src/binary/reader.ts";
import { readTypeTexts, readValueText, type TypeText } from "../../src/inspect/type-text.ts";

const reader = (...bytes: readonly number[]): Reader => new Reader(Uint8Array.from(bytes), 0, bytes.length);

test("types are told in words: functions, structures, arrays, their groups and their supertypes", () => {
  const read = reader(
    ...[5, 0x60, 2, 0x7f, 0x7e, 1, 0x7d], // a function alone
    ...[0x4e, 2, 0x5f, 2, 0x78, 1, 0x63, 0x82, 1, 0, 0x5e, 0x77, 0], // a group of two
    ...[0x50, 2, 0x80, 1, 1, 0x5e, 0x7c, 1], // open, with two supertypes
    ...[0x4f, 0, 0x60, 0, 0], // final, without one
    ...[0x60, 0, 2, 0x64, 0x6e, 0x7b],
  );
  expect(readTypeTexts(read)).toEqual([
    { kind: "func", text: "(i32, i64) → f32", results: 1 },
    { kind: "struct", text: "struct {mut i8, (ref null 130)}", results: 0 },
    { kind: "array", text: "array of i16", results: 0 },
    { kind: "array", text: "array of mut f64", results: 0 },
    { kind: "func", text: "() → ()", results: 0 },
    { kind: "func", text: "() → ((ref any), v128)", results: 2 },
  ] satisfies readonly TypeText[]);
  expect(read.done).toBe(true);
  expect(() => readTypeTexts(reader(1, 0x5d, 0))).toThrow(expect.objectContaining({ offset: 1 }));
});

test("each abstract reference has its name", () => {
  const names = Array.from({ length: 12 }, (_, index) => readValueText(reader(0x69 + index)));
  expect(names).toEqual([
    ...["exnref", "arrayref", "structref", "i31ref", "eqref", "anyref", "externref", "funcref"],
    ...["nullref", "nullexternref", "nullfuncref", "nullexnref"],
  ]);
  expect(readValueText(reader(0x64, 0x71))).toBe("(ref none)");
  expect(() => readValueText(reader(0x68))).toThrow(expect.objectContaining({ offset: 0 }));
});
