import { expect, test } from "vitest";
import { printType, readOutline } from "../../src/binary/outline.ts";
import { wat } from "../support/wat.ts";

const section = (id: number, ...body: readonly number[]): number[] => [id, body.length, ...body];
const module = (...sections: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat()]);
const name = (text: string): number[] => [text.length, ...new TextEncoder().encode(text)];

test("types of functions are told by number, whatever else is imported before and between them", () => {
  const outline = readOutline(
    wat(`(module
      (import "a" "t" (table 1 funcref))
      (import "a" "m" (memory 1 2))
      (import "a" "g" (global (mut i64)))
      (import "a" "e" (tag (param i32)))
      (import "a" "f" (func (param i32 f64) (result i64)))
      (import "a" "h" (global f32))
      (import "b" "f" (func))
      (memory (export "own") 1)
      (func (export "one") (param externref) (result f32 f64) (f32.const 0) (f64.const 0))
      (export "again" (func 0)))`),
  );
  const told = (types: ReadonlyMap<string, Parameters<typeof printType>[0]> | undefined): unknown =>
    Object.fromEntries([...(types ?? [])].map(([key, type]) => [key, printType(type)]));
  expect(told(outline?.imports)).toEqual({ "a.f": "(i32, f64) → i64", "b.f": "() → ()" });
  expect(told(outline?.exports)).toEqual({ one: "(other) → (f32, f64)", again: "(i32, f64) → i64" });
});

test("a reference to a type is one value, however long the type's number is", () => {
  // (func (param (ref null 300) (ref 1) i32)), exported as "f"
  const params = [3, 0x63, 0xac, 0x02, 0x64, 1, 0x7f];
  const outline = readOutline(
    module(section(1, 1, 0x60, ...params, 0), section(3, 1, 0), section(7, 1, ...name("f"), 0, 0)),
  );
  expect(outline?.exports.get("f")).toEqual({ params: ["other", "other", "i32"], results: [] });
});

test("what is written in a way unknown here leaves all types unknown", () => {
  expect(readOutline(module(section(1, 1, 0x5e, 0x7f, 0)))).toBeUndefined();
  expect(readOutline(module(section(2, 1, ...name("a"), ...name("b"), 5, 0)))).toBeUndefined();
  expect(readOutline(module())).toEqual({ imports: new Map(), exports: new Map() });
});
