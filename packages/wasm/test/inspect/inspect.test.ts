import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isKeelsonError } from "@keelson/core";
import { inspectWasm, pluginMetering, type WasmInspection } from "../../src/index.ts";
import { failure } from "../support/errors.ts";
import { ECHO, gonextGuest, keelsonGuest, oxideGuest } from "../support/guests.ts";
import { wat } from "../support/wat.ts";

const look = (text: string): WasmInspection => inspectWasm(wat(text));

/** A function that uses relaxed SIMD, which the assembler of these tests does not write: `i8x16.relaxed_swizzle`. */
const RELAXED = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 0x2c, 1, 0x2a, 0],
  ...[0xfd, 12, ...new Uint8Array(16), 0xfd, 12, ...new Uint8Array(16), 0xfd, 0x80, 0x02, 0x1a, 0x0b],
);

describe("inspectWasm()", () => {
  test("tells types of imports and exports, memories, tables and the start function", () => {
    const found = look(`(module
      (import "env" "log" (func $log (param i32 i64)))
      (import "env" "limit" (global f64))
      (import "env" "shared" (memory 1 2 shared))
      (memory (export "own") 2)
      (table (export "callbacks") 3 5 funcref)
      (global (export "count") (mut i32) (i32.const 0))
      (tag (export "oops") (param i32))
      (func (export "pair") (param f32) (result i32 externref) (i32.const 1) (ref.null extern))
      (func $begin (call $log (i32.const 0) (i64.const 0)))
      (start $begin))`);
    expect(found.imports).toEqual([
      { module: "env", name: "log", kind: "function", type: "(i32, i64) → ()", provided: false },
      { module: "env", name: "limit", kind: "global", type: "f64", provided: false },
      { module: "env", name: "shared", kind: "memory", type: "1 to 2 pages, shared", provided: false },
    ]);
    expect(found.exports).toEqual([
      { name: "own", kind: "memory", type: "2 to any number of pages" },
      { name: "callbacks", kind: "table", type: "3 to 5 elements of funcref" },
      { name: "count", kind: "global", type: "mut i32" },
      { name: "oops", kind: "tag", type: "(i32) → ()" },
      { name: "pair", kind: "function", type: "(f32) → (i32, externref)" },
    ]);
    expect(found.memories).toEqual([
      { minBytes: 65_536, maxBytes: 131_072, imported: true, shared: true, wide: false },
      { minBytes: 131_072, imported: false, shared: false, wide: false },
    ]);
    expect(found.tables).toEqual([{ element: "funcref", min: 3, max: 5, imported: false }]);
    expect(found).toMatchObject({
      functions: 2,
      start: 2,
      profiles: [{ name: "raw", chosen: true, missing: [] }],
    });
    expect(found.proposals).toEqual([
      ...["exceptions", "multi-memory", "multi-value", "mutable globals", "reference types", "threads"],
    ]);
    expect(found.metering).toMatchObject({ possible: true, report: { functions: 2, hasStart: true } });
  });

  test("counts what is imported before what it defines, and reads a table's first element", () => {
    const imported = look(`(module
      (import "env" "table" (table 1 funcref))
      (import "env" "oops" (tag (param i64)))
      (tag (export "own") (param i32))
      (export "theirs" (tag 0))
      (table (export "second") 2 3 externref)
      (export "first" (table 0)))`);
    expect(imported.imports.map(({ kind, type }) => `${kind} ${type}`)).toEqual([
      "table 1 to any number of elements of funcref",
      "tag (i64) → ()",
    ]);
    expect(imported.exports.map(({ name, type }) => `${name}: ${type}`)).toEqual([
      "own: (i32) → ()",
      "theirs: (i64) → ()",
      "second: 2 to 3 elements of externref",
      "first: 1 to any number of elements of funcref",
    ]);
    expect(imported.tables).toEqual([
      { element: "funcref", min: 1, imported: true },
      { element: "externref", min: 2, max: 3, imported: false },
    ]);
    // Two tables: one whose elements begin as (ref.null func), and a plain one.
    const initialized = inspectWasm(
      Uint8Array.of(
        ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
        ...[4, 13, 2, 0x40, 0, 0x70, 1, 1, 4, 0xd0, 0x70, 0x0b, 0x70, 0, 2],
      ),
    );
    expect(initialized.tables).toEqual([
      { element: "funcref", min: 1, max: 4, imported: false },
      { element: "funcref", min: 2, imported: false },
    ]);
  });

  test.each([
    ["keelson", keelsonGuest(ECHO)],
    ["gonext", gonextGuest("(i64.const 0)")],
    ["oxide", oxideGuest("(i64.const 0)")],
    ["raw", `(module (func (export "run")))`],
  ])("finds the profile %s", (name, text) => {
    expect(look(text).profiles[0]).toEqual({ name, chosen: true, missing: [] });
  });

  test("says what a module lacks of the profile it bears the mark of, and of one that it nearly fits", () => {
    const marked = look(`(module (memory (export "memory") 1)
      (func (export "keelson_call") (result i32) (i32.const 0))
      (func (export "keelson_alloc") (param i32) (result i32) (i32.const 0)))`);
    expect(marked.profiles[0]).toEqual({
      name: "keelson",
      chosen: true,
      missing: [
        "keelson_free(i32, i32) → ()",
        "keelson_call(i32, i32, i32, i32, i32) → i32, but its type is () → i32",
      ],
    });
    const near = look(`(module (memory (export "memory") 1)
      (func (export "alloc") (param i32) (result i32) (i32.const 0))
      (func (export "free") (param i32 i32)))`);
    expect(near.profiles).toEqual([
      { name: "raw", chosen: true, missing: [] },
      { name: "oxide", chosen: false, missing: ["oxide_invoke(i32, i32, i32, i32) → i64"] },
    ]);
    expect(look("(module (memory 1))").profiles).toEqual([]);
  });

  test("tells which imports the profile provides", () => {
    const { imports } = look(`(module
      (import "env" "abort" (func (param i32 i32 i32 i32)))
      (import "env" "toString" (func))
      (import "__proto__" "constructor" (func))
      (func (export "run")))`);
    expect(imports.map(({ provided }) => provided)).toEqual([true, false, false]);
  });

  test("takes a declared profile, and refuses one that there is not", async () => {
    const bytes = wat(`(module (func (export "run")))`);
    expect(inspectWasm(bytes, { abi: "oxide" }).profiles[0]).toMatchObject({ name: "oxide", chosen: true });
    await failure("UNKNOWN_ABI", () => inspectWasm(bytes, { abi: "oxid" }));
  });

  test.each([
    ["sign extension", "(drop (i32.extend8_s (i32.const 1)))"],
    ["saturating floats", "(drop (i32.trunc_sat_f32_s (f32.const 1)))"],
    ["bulk memory", "(memory.fill (i32.const 0) (i32.const 0) (i32.const 0))"],
    ["exceptions, first form", "(try (do) (catch_all))"],
    ["SIMD", "(drop (v128.const i32x4 1 2 3 4))"],
    ["threads", "(atomic.fence)"],
  ])("names the proposal %s by its instructions", (proposal, body) => {
    expect(look(`(module (memory 1) (func ${body}))`).proposals).toEqual([proposal]);
  });

  test.each([
    [
      [],
      '(memory (export "m") 1) (table 1 funcref) (global (mut i32) (i32.const 0)) (global (export "g") i32 (i32.const 0))',
    ],
    [["mutable globals"], '(global (export "g") (mut i32) (i32.const 0))'],
    [["mutable globals"], '(import "a" "g" (global (mut f64))) (import "a" "h" (global i32))'],
    [["multi-value"], "(type (func)) (type (func (result i32 i32))) (type (func (result i32)))"],
    [["multi-memory"], '(import "a" "m" (memory 1)) (memory 1)'],
    [["memory64"], "(memory i64 1)"],
    [["memory64", "multi-memory"], "(memory 1) (memory i64 1)"],
    [["multi-memory", "threads"], "(memory 1) (memory 1 2 shared)"],
    [["reference types"], "(table 1 funcref) (table 1 funcref)"],
    [["reference types"], '(import "a" "t" (table 1 externref))'],
    [["exceptions"], '(import "a" "e" (tag))'],
    [["exceptions"], "(tag)"],
    [["exceptions"], "(tag $e) (func (throw $e))"],
    [["exceptions, first form"], "(tag $e) (func (try (do (throw $e)) (catch_all)))"],
    [["SIMD"], '(import "a" "f" (func (param i32 v128)))'],
    [["bulk memory"], '(memory 1) (data "passive") (func (data.drop 0))'],
    [["tail calls"], "(func $f (return_call $f))"],
  ])("names the proposals %j by what is declared", (proposals, text) => {
    expect(look(`(module ${text})`).proposals).toEqual(proposals);
  });

  test("says why a module cannot be metered: what it uses, or what it declares", () => {
    const relaxed = inspectWasm(RELAXED, { metering: { ...pluginMetering, relaxedSimd: "refuse" } });
    expect(relaxed.proposals).toEqual(["SIMD", "relaxed SIMD"]);
    expect(relaxed.metering).toMatchObject({ possible: false, error: { code: "UNSUPPORTED_WASM" } });
    expect(JSON.stringify(relaxed.metering)).toContain("relaxed");
    const large = inspectWasm(wat("(module (memory 2000))"));
    expect(large.metering).toMatchObject({ possible: false, error: { code: "OUT_OF_MEMORY" } });
  });

  test("describes a module whose bodies the engine refuses, and says so", () => {
    const bytes = wat(`(module (func (export "f") (result i32) (i32.const 1)))`);
    bytes[bytes.length - 3] = 0x43;
    const found = inspectWasm(bytes);
    expect(found.refused).toBeTypeOf("string");
    expect(found.exports.map(({ name }) => name)).toEqual(["f"]);
    expect(found.metering).toMatchObject({ possible: false, error: { code: "INVALID_WASM" } });
  });

  test("refuses what is cut short, with the place, whatever byte it ends at", async () => {
    const bytes = wat(keelsonGuest(ECHO));
    const error = await failure("INVALID_WASM", () => inspectWasm(bytes.slice(0, 100), { origin: "a.wasm" }));
    expect(error.message).toContain("a.wasm");
    expect(error.details?.["offset"]).toBeTypeOf("number");
    for (let end = 0; end < bytes.length; end++) {
      try {
        // Where a section ends a whole module may end too, which then lacks bodies.
        expect(inspectWasm(bytes.slice(0, end)).bytes).toBe(end);
      } catch (thrown) {
        expect(isKeelsonError(thrown, "INVALID_WASM"), String(thrown)).toBe(true);
      }
    }
  });

  test("answers or refuses any damaged module, and never runs on", () => {
    const bytes = wat(keelsonGuest(ECHO));
    const damage = fc.array(fc.tuple(fc.nat(bytes.length - 9), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(damage, (places) => {
        const broken = bytes.slice();
        for (const [at, byte] of places) broken[at + 8] = byte;
        try {
          inspectWasm(broken);
        } catch (thrown) {
          if (!isKeelsonError(thrown, "INVALID_WASM")) throw thrown;
        }
      }),
      { numRuns: 2000 },
    );
  });
});
