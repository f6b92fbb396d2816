import { describe, expect, test } from "vitest";
import { failure } from "../support/errors.ts";
import { open } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

const V8 = "Deno" in globalThis || !("Bun" in globalThis);

// numbers of functions count the import; helper functions of the meter come behind
const SOURCE = wat(`(module (import "h" "f" (func $h))
  (func $inner (param i32) (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.store8 offset=77 (i32.const -1) (i32.const 1)))
  (func (export "trap") (call $h) (call $inner (i32.const 10)))
  (func (export "spin") (loop br 0))
  (memory 1))`);
/** Where the store stands: 0x3a, align 0, offset 77. */
const STORE = SOURCE.findIndex((byte, at) => byte === 0x3a && SOURCE[at + 1] === 0 && SOURCE[at + 2] === 77);
const imports = { h: { f: () => {} } } as never;

describe("the position of a trap", () => {
  test("names the function as numbered in the original", async () => {
    const { call } = await open({ source: SOURCE, imports });
    const { details } = await failure("WASM_TRAP", () => call("trap"));
    expect(details?.["at"]).toEqual({ function: 1 });
  });

  test("names it too in a program whose stacks are written by its runtime, as none is within these tests", async (context) => {
    if (!V8) context.skip("Bun's own stacks do not name the functions of guests");
    const written = Error as { prepareStackTrace?: unknown };
    const kept = written.prepareStackTrace;
    written.prepareStackTrace = undefined;
    try {
      const { call } = await open({ source: SOURCE, imports, offsets: true });
      const { details, cause } = await failure("WASM_TRAP", () => call("trap"));
      expect(details?.["at"]).toEqual({ function: 1, offset: STORE });
      expect(written.prepareStackTrace).toBeUndefined();
      expect((cause as Error).stack).toContain("wasm-function[1]");
      expect((cause as Error).stack).toContain("trap-position.test");
    } finally {
      written.prepareStackTrace = kept;
    }
  });

  test("leaves no trace in Error where nobody has set how stacks are written", async () => {
    const written = Error as { prepareStackTrace?: unknown };
    const kept = Object.getOwnPropertyDescriptor(written, "prepareStackTrace");
    delete written.prepareStackTrace;
    try {
      const { call } = await open({ source: SOURCE, imports });
      await failure("WASM_TRAP", () => call("trap"));
      expect(Object.hasOwn(written, "prepareStackTrace")).toBe(false);
    } finally {
      if (kept !== undefined) Object.defineProperty(written, "prepareStackTrace", kept);
    }
  });

  test("names the instruction in the original, on V8 and when the module keeps its offsets", async () => {
    const { call } = await open({ source: SOURCE, imports, offsets: true });
    const { details } = await failure("WASM_TRAP", () => call("trap"));
    expect(details?.["at"]).toEqual(V8 ? { function: 1, offset: STORE } : { function: 1 });
  });

  test("names an instruction on a range, however long that is and whoever does it in pieces", async () => {
    const ranges = {
      "memory.fill": [11, "(memory.fill (local.get 0) (i32.const 1) (local.get 1))"],
      "memory.copy": [10, "(memory.copy (local.get 0) (i32.const 1) (local.get 1))"],
      "memory.init": [8, "(memory.init $d (local.get 0) (i32.const 0) (local.get 1))"],
      "table.fill": [17, "(table.fill $t (local.get 0) (ref.null func) (local.get 1))"],
      "table.copy": [14, "(table.copy (local.get 0) (i32.const 1) (local.get 1))"],
      "table.init": [12, "(table.init $e (local.get 0) (i32.const 0) (local.get 1))"],
    } as const;
    for (const [name, [code, text]] of Object.entries(ranges)) {
      const source = wat(`(module (memory 1) (table $t 10 funcref) (data $d "abc") (func $g) (elem $e func $g)
        (func (export "far") (param i32 i32) ${text} (drop (i32.add (local.get 0) (local.get 1)))))`);
      const at = source.findIndex((byte, n) => byte === 0xfc && source[n + 1] === code);
      for (const length of [100_000, 1_000_000]) {
        const { call } = await open({ source, offsets: true });
        const { details } = await failure("WASM_TRAP", () => call("far", [3, length]));
        expect([name, length, details?.["at"]]).toEqual([
          name,
          length,
          V8 ? { function: 1, offset: at } : { function: 1 },
        ]);
      }
    }
  });

  test("is told for a stop too, and is never one of the meter's own functions", async () => {
    const { call } = await open({ source: SOURCE, imports, limits: { fuel: 10_000 } });
    const { details } = await failure("FUEL_EXHAUSTED", () => call("spin"));
    expect(details?.["at"]).toEqual({ function: 3 });
  });

  test("of a stop is an instruction of the original: the one that the meter's code stands in front of", async () => {
    // constants of their own, to find the instructions by in the bytes
    const source = wat(`(module (import "h" "f" (func $f)) (memory 1 100)
      (func $long (param i32) (result i32)
        (i32.const 1001) drop (call $long (i32.const 1)) drop (call $long (i32.const 2)) drop
        (call $long (i32.const 3)))
      (func (export "recursion") (drop (call $long (i32.const 0))))
      (func (export "loop") (local i32)
        (local.set 0 (i32.const 1003))
        (loop (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br 0)))
      (func (export "calls") (local i32)
        (local.set 0 (i32.const 1004))
        (loop (call $f) (call $f) (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br 0)))
      (func (export "grows") (local i32)
        (local.set 0 (i32.const 1005))
        (loop (drop (memory.grow (i32.const 0))) (br 0))))`);
    const number = (value: number): number =>
      source.findIndex(
        (byte, at) =>
          byte === 0x41 && source[at + 1] === ((value & 0x7f) | 0x80) && source[at + 2] === value >> 7,
      );
    const after = (value: number): number => number(value) + 3;
    // behind the constant and its local.set: `loop`, its type, and the instructions of its body
    const loopAt = (value: number): number => after(value) + 2;
    const places: Record<string, readonly number[]> = {
      recursion: [number(1001)],
      loop: [loopAt(1003), loopAt(1003) + 11], // its head, or its end, behind which a hot loop is refilled
      calls: [loopAt(1004), loopAt(1004) + 2, loopAt(1004) + 4],
      grows: [loopAt(1005), loopAt(1005) + 4],
    };
    for (const [method, expected] of Object.entries(places)) {
      for (const fuel of [5_000, 5_001, 5_003, 5_007]) {
        const { call } = await open({ source, imports, offsets: true, limits: { fuel } });
        const { details } = await failure("FUEL_EXHAUSTED", () => call(method));
        const at = details?.["at"] as { readonly offset?: number };
        if (V8) expect(expected, `${method} with ${fuel}`).toContain(at.offset);
        else expect(at.offset).toBeUndefined();
      }
    }
  });
});
