import { describe, expect, test } from "vitest";
import { encodeUnsigned } from "../../src/binary/reader.ts";
import { EXPOSE, exposedIn, type Exposed } from "../../src/state/expose.ts";
import { wat } from "../support/wat.ts";

const section = (id: number, ...body: readonly number[]): number[] => [id, body.length, ...body];
const binary = (...sections: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat()]);

interface Result {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly exposed: Exposed | undefined;
}

async function expose(original: Uint8Array<ArrayBuffer>): Promise<Result> {
  const step = await EXPOSE.apply(original, "test");
  const { bytes, note } = step instanceof Uint8Array ? { bytes: step, note: undefined } : step;
  return { bytes, exposed: exposedIn(new Map([[EXPOSE.key, note]])) };
}

/** The exports of a module by kind, with the state's names. */
async function exportsOf({ bytes, exposed }: Result): Promise<Record<string, string>> {
  const compiled = await WebAssembly.compile(bytes);
  const exports = WebAssembly.Module.exports(compiled);
  expect(exposed).toBeDefined();
  for (const text of [...(exposed?.memories ?? []), ...(exposed?.tables ?? []), ...(exposed?.globals ?? [])])
    expect(exports.map((one) => one.name)).toContain(text);
  return Object.fromEntries(exports.map((one) => [one.name, one.kind]));
}

describe("the state of a module is brought within reach", () => {
  test.each([
    ["nothing", "", {}],
    ["what it shows under another name", `(memory (export "m") 1)`, { "keelson:state:memory0": "memory" }],
    ["tables", "(table 1 funcref) (table 2 3 funcref)", { ":table0": "table", ":table1": "table" }],
    [
      "the globals that change, by number",
      `(import "a" "g" (global i32)) (global i64 (i64.const 1)) (global (mut f64) (f64.const 1)) (global (mut i32) (i32.const 1))`,
      { ":global2": "global", ":global3": "global" },
    ],
    [
      "elements of both forms",
      `(table 3 funcref) (table 3 funcref) (elem (i32.const 0) func $f) (elem (table 1) (i32.const 0) func $f)
        (elem (i32.const 1) funcref (ref.func $f) (ref.null func)) (elem (table 1) (i32.const 1) funcref (ref.null func))
        (elem declare func $f) (elem declare funcref (ref.null func))`,
      { ":table0": "table", ":table1": "table" },
    ],
    [
      "data",
      `(memory (export "m") 1) (memory (export "n") 1) (data (i32.const 0) "a") (data (i32.const 1) "b")`,
      { ":memory0": "memory", ":memory1": "memory" },
    ],
    [
      "imported tags and functions",
      `(import "a" "e" (tag (param i32))) (import "a" "f" (func)) (import "a" "g" (global i64))
        (tag (param i64)) (global (mut i32) (i32.const 0))`,
      { ":global1": "global" },
    ],
  ] as const)("%s", async (_, text, added) => {
    const original = wat(`(module ${text} (func $f (export "f")))`);
    const found = await exportsOf(await expose(original));
    const before = await exportsOf({ bytes: original, exposed: { memories: [], tables: [], globals: [] } });
    const expected = Object.entries(added).map(([key, kind]) => [key.replace(/^:/, "keelson:state:"), kind]);
    expect(found).toEqual({ ...before, ...Object.fromEntries(expected) });
  });

  test("without a list of exports there is one, at its place", async () => {
    const text = `(module (table 1 funcref) (global (mut i32) (i32.const 0))
      (func $s (global.set 0 (i32.const 1))) (start $s) (elem (i32.const 0) $s))`;
    expect(Object.keys(await exportsOf(await expose(wat(text))))).toEqual([
      "keelson:state:table0",
      "keelson:state:global0",
    ]);
    expect(Object.keys(await exportsOf(await expose(wat("(module (table 1 funcref))"))))).toEqual([
      "keelson:state:table0",
    ]);
    // tags come before exports, though their number is higher
    const tags = "(module (table 1 funcref) (tag (param i32)) (func (throw 0 (i32.const 1))))";
    expect(Object.keys(await exportsOf(await expose(wat(tags))))).toEqual(["keelson:state:table0"]);
  });

  test("under names that the module does not have", async () => {
    const text = `(module (table 1 funcref) (func (export "keelson:state:table0") (export "keelson:state'")))`;
    expect(Object.keys(await exportsOf(await expose(wat(text))))).toEqual([
      "keelson:state:table0",
      "keelson:state'",
      "keelson:state'':table0",
    ]);
  });

  test("beside 1 MiB of exports, and not beside more", async () => {
    const exporting = (bytes: number): Uint8Array<ArrayBuffer> => {
      const name = Array.from({ length: bytes - 6 }, () => 0x61);
      const body = [1, ...encodeUnsigned(name.length), ...name, 0, 0];
      expect(body.length).toBe(bytes);
      return binary([7, ...encodeUnsigned(bytes), ...body]);
    };
    expect((await expose(exporting(2 ** 20))).exposed).toBeDefined();
    expect((await expose(exporting(2 ** 20 + 1))).exposed).toBeUndefined();
  });

  test("of 1000 globals, and not of more", async () => {
    const globals = (count: number): string => `(module ${"(global i32 (i32.const 0))".repeat(count)})`;
    expect((await expose(wat(globals(1000)))).exposed).toBeDefined();
    expect((await expose(wat(globals(1001)))).exposed).toBeUndefined();
  });

  test("with a segment that names its memory", async () => {
    const segment = section(11, 1, 2, 0, 0x41, 0, 0x0b, 1, 0x61);
    const { exposed } = await expose(binary(section(5, 1, 0, 1), section(7, 1, 1, 0x6d, 2, 0), segment));
    expect(exposed?.memories).toEqual(["keelson:state:memory0"]);
  });

  test("with typed references among its functions' types, an imported vector and a constant of one", async () => {
    // (func (param (ref null 300) (ref 1) i32)): read as to its end, or the next type is none
    const types = section(1, 2, 0x60, 3, 0x63, 0xac, 0x02, 0x64, 1, 0x7f, 0, 0x60, 0, 0);
    const imports = section(2, 1, 1, 0x61, 1, 0x62, 3, 0x7b, 0);
    const globals = section(6, 1, 0x7b, 0, 0xfd, 12, ...Array.from({ length: 16 }, () => 0), 0x0b);
    expect((await expose(binary(types, imports, globals))).exposed).toEqual({
      memories: [],
      tables: [],
      globals: [],
    });
  });
});

describe("a module is left as it is, byte by byte, when it has", () => {
  test.each([
    ["an imported memory", `(import "a" "m" (memory 1))`],
    ["an imported table", `(import "a" "t" (table 1 funcref))`],
    ["an imported global that changes", `(import "a" "g" (global (mut i32)))`],
    ["a memory that it keeps to itself", "(memory 1)"],
    ["one of two memories to itself", `(memory (export "a") (export "b") 1) (memory 1)`],
    ["a shared memory", `(memory (export "m") 1 2 shared)`],
    ["a memory of 64 bits", `(memory (export "m") i64 1)`],
    ["a table of the host's values", "(table 1 externref)"],
    ["a global that holds a function", "(global (mut funcref) (ref.null func))"],
    ["a global that holds a host's value", "(global (mut externref) (ref.null extern))"],
    ["a passive segment of data", `(memory (export "m") 1) (data "a")`],
    // read as an active one it would end where it does
    ["a passive segment that looks like another", `(memory (export "m") 1) (data "\\0a0123456789")`],
    ["a passive segment of elements", "(table 1 funcref) (elem func $f)"],
    ["a passive segment of expressions", "(table 1 funcref) (elem funcref (ref.func $f) (ref.null func))"],
  ])("%s", async (_, text) => {
    const original = wat(`(module ${text} (func $f (export "f")))`);
    const { bytes, exposed } = await expose(original);
    expect(exposed).toBeUndefined();
    expect(bytes).toBe(original);
  });

  test.each([
    ["an array among its types", binary(section(1, 1, 0x5e, 0x7f, 0))],
    ["a section that is not known", binary(section(14, 0))],
    ["a global of a reference to a structure", binary(section(6, 1, 0x6b, 0, 0xd0, 0x6b, 0x0b))],
    [
      "a vector that changes",
      binary(section(6, 1, 0x7b, 1, 0xfd, 12, ...Array.from({ length: 16 }, () => 0), 0x0b)),
    ],
    ["a global that is shared", binary(section(6, 1, 0x7f, 2, 0x41, 0, 0x0b))],
    ["elements that are no functions", binary(section(9, 1, 6, 0, 0x41, 0, 0x0b, 0x6f, 0))],
    ["elements of an unknown kind", binary(section(9, 1, 2, 0, 0x41, 0, 0x0b, 1, 0))],
    ["elements of an unknown form", binary(section(9, 1, 8, 0x41, 0, 0x0b, 0))],
    ["an end too early", binary([7, 5, 1])],
  ])("%s", async (_, original) => {
    expect(await expose(original)).toEqual({ bytes: original, exposed: undefined });
  });
});
