import { describe, expect, it } from "vitest";

import { type MeterOptions, RefillKind } from "../../src/meter/index.ts";
import { PIECE_BYTES, PIECE_ENTRIES } from "../../src/meter/write/pieces.ts";
import { FuelHost, type Running, run, usual } from "./harness.ts";
import { moreShapes } from "./more-shapes.ts";
import { assembleShape, shapes } from "./shapes.ts";
import { wat, watGc } from "./wat.ts";

const MODES: readonly MeterOptions[] = [
  { mode: "deadline", ...usual, stackBytes: 512 * 1024 },
  { mode: "exact", ...usual, stackBytes: 512 * 1024 },
];

function importsFor(running: () => Running): WebAssembly.Imports {
  return {
    h: {
      nothing: () => {},
      fail: () => {
        throw new Error("the host failed");
      },
      back: () => running().exports["f"]!(),
    } as never,
  };
}

describe("guests that never end are stopped", () => {
  it("there are at least fourteen shapes", () => expect(shapes.length).toBeGreaterThan(14));

  for (const shape of [...shapes, ...moreShapes]) {
    for (const options of MODES) {
      it(`${shape.name} (${options.mode})`, async () => {
        const bytes = await assembleShape(shape);
        const host = new FuelHost(shape.memory ? 1e9 : 5_000_000, 250_000);
        let running: Running | undefined;
        let thrown: unknown;
        try {
          running = run(
            bytes,
            options,
            importsFor(() => running!),
            host,
          );
          running.exports["f"]!();
        } catch (error) {
          thrown = error;
        }
        expect(thrown).toBeInstanceOf(WebAssembly.RuntimeError);
        expect(host.stopped).toBe(shape.stack ? "stack" : shape.memory ? "memory" : "fuel");
        if (shape.atStart) return;
        // and it does not come to life again
        expect(() => running!.exports["f"]!()).toThrow(WebAssembly.RuntimeError);
      });
    }
  }
});

describe("time that passes in the host", () => {
  // a host function "takes" ten units of a clock that only it moves
  const around: readonly [name: string, text: string, gc?: true][] = [
    ["called", `(module (import "h" "slow" (func $h)) (func (export "f") (loop (call $h) (br 0))))`],
    [
      "tail-called",
      `(module (import "h" "slow" (func $h)) (func $t (return_call $h)) (func (export "f") (loop (call $t) (br 0))))`,
    ],
    [
      "called through the module's table",
      `(module (import "h" "slow" (func $h)) (table 1 funcref) (elem (i32.const 0) $h) (func (export "f") (loop (call_indirect (i32.const 0)) (br 0))))`,
    ],
    [
      "tail-called through the module's table",
      `(module (import "h" "slow" (func $h)) (table 1 funcref) (elem (i32.const 0) $h) (func $t (return_call_indirect (i32.const 0))) (func $u (return_call $t)) (func (export "f") (loop (call $u) (br 0))))`,
    ],
    [
      "called by reference",
      `(module (import "h" "slow" (func $h)) (elem declare func $h) (func (export "f") (loop (call_ref 0 (ref.func $h)) (br 0))))`,
      true,
    ],
    [
      "caught",
      `(module (import "h" "slowFail" (func $h)) (func (export "f") (loop $l (try (do (call $h)) (catch_all)) (br $l))))`,
    ],
    [
      "caught, then another call",
      `(module (import "h" "slowFail" (func $h)) (func (export "f") (loop $l (try (do (call $h)) (catch_all (try (do (call $h)) (catch_all)))) (br $l))))`,
    ],
    [
      "caught, second kind",
      `(module (import "h" "slowFail" (func $h)) (func (export "f") (loop $l (block $c (try_table (catch_all $c) (call $h))) (br $l))))`,
    ],
    [
      "caught by the loop itself",
      `(module (import "h" "slowFail" (func $h)) (func (export "f") (loop $l (try_table (catch_all $l) (call $h)))))`,
    ],
    [
      "caught around a table call",
      `(module (import "h" "slowFail" (func $h)) (table 1 funcref) (elem (i32.const 0) $h) (func $g (call_indirect (i32.const 0)) (call_indirect (i32.const 0))) (func (export "f") (loop $l (try (do (call $g)) (catch_all)) (br $l))))`,
    ],
    [
      "caught around a tail call",
      `(module (import "h" "slowFail" (func $h)) (table 1 funcref) (elem (i32.const 0) $h) (func $g (return_call_indirect (i32.const 0))) (func (export "f") (loop $l (block $c (try_table (catch_all $c) (call $g))) (br $l))))`,
    ],
  ];
  for (const [name, text, gc] of around) {
    for (const options of MODES) {
      it(`is seen after each call: ${name} (${options.mode})`, async () => {
        const bytes = gc ? await watGc(text) : wat(text);
        let clock = 0;
        const host = new FuelHost(1e12, 10_000_000);
        host.wantsStop = () => clock >= 50;
        const slow = (): void => {
          clock += 10;
        };
        const slowFail = (): never => {
          clock += 10;
          throw new Error("late");
        };
        const running = run(bytes, options, { h: { slow, slowFail } as never }, host);
        expect(() => running.exports["f"]!()).toThrow(WebAssembly.RuntimeError);
        expect(host.stopped).toBe("asked");
        expect(clock).toBe(50);
      });
    }
  }

  it("is looked at inside of one large fill or copy", () => {
    const text = `(module (memory 64) (func (export "fill") (memory.fill (i32.const 0) (i32.const 1) (i32.const 4194304)))
      (func (export "copy") (memory.copy (i32.const 1) (i32.const 0) (i32.const 4194303))))`;
    for (const name of ["fill", "copy"]) {
      const host = new FuelHost(1e12, 10_000_000);
      const { exports } = run(wat(text), MODES[0]!, {}, host);
      exports[name]!();
      expect(host.asked[RefillKind.host]).toBe(4_194_304 / PIECE_BYTES - 1);
      host.wantsStop = () => true;
      expect(() => exports[name]!()).toThrow(WebAssembly.RuntimeError);
    }
  });

  it("is looked at inside of one large operation on a table, and of one memory.init", () => {
    const entries = 100_000;
    const text = `(module (table ${entries} funcref) (memory 16) (func $g) (elem declare func $g)
      (elem $e func ${"$g ".repeat(entries)}) (data $d "${"x".repeat(1_048_576)}")
      (func (export "table.fill") (table.fill 0 (i32.const 0) (ref.func $g) (i32.const ${entries})))
      (func (export "table.copy") (table.copy (i32.const 0) (i32.const 1) (i32.const ${entries - 1})))
      (func (export "table.init") (table.init $e (i32.const 0) (i32.const 0) (i32.const ${entries})))
      (func (export "memory.init") (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1048576))))`;
    const bytes = wat(text);
    for (const name of ["table.fill", "table.copy", "table.init", "memory.init"]) {
      const host = new FuelHost(1e12, 10_000_000);
      const { exports } = run(bytes, MODES[0]!, {}, host);
      exports[name]!();
      const pieces = name === "memory.init" ? 1_048_576 / PIECE_BYTES : Math.ceil(entries / PIECE_ENTRIES);
      expect([name, host.asked[RefillKind.host]]).toEqual([name, pieces - 1]);
      host.wantsStop = () => true;
      expect(() => exports[name]!()).toThrow(WebAssembly.RuntimeError);
    }
  });

  it("does not change what large operations on tables, and memory.init, leave behind", () => {
    const entries = 40_000;
    const index = (n: number): string => `(i32.const ${n})`;
    // each function of the segment answers its number, so that entries can be told apart
    const functions = Array.from({ length: 97 }, (_, n) => `(func $f${n} (result i32) (i32.const ${n}))`);
    const segment = Array.from({ length: entries }, (_, n) => `$f${n % 97}`).join(" ");
    const text = `(module (table $t ${entries} funcref) (memory 20) ${functions.join("")} (elem $e func ${segment})
      (data $d "${"abcdefghijklmnopq".repeat(60_000)}")
      (func (export "init") (param i32 i32 i32) (table.init $e (local.get 0) (local.get 1) (local.get 2)))
      (func (export "copy") (param i32 i32 i32) (table.copy (local.get 0) (local.get 1) (local.get 2)))
      (func (export "fill") (param i32 i32 i32) (table.fill $t (local.get 0) (table.get $t (local.get 1)) (local.get 2)))
      (func (export "load") (param i32 i32 i32) (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
      (func (export "at") (param i32) (result i32) (if (ref.is_null (table.get $t (local.get 0))) (then (return ${index(-1)}))) (call_indirect (result i32) (local.get 0)))
      (func (export "byte") (param i32) (result i32) (i32.load8_u (local.get 0))))`;
    const steps: readonly (readonly [string, number, number, number])[] = [
      ["init", 3, 1, 38_000],
      ["copy", 0, 5, 39_000],
      ["copy", 7, 0, 39_990],
      ["fill", 100, 41, 20_000],
      // outside: nothing is written
      ["init", 2_001, 0, 38_000],
      ["init", 0, 2_001, 38_000],
      ["init", 4, -5, 38_000],
      ["init", -5, 4, 38_000],
      ["init", 0, 0, -1],
      ["copy", 1, 0, 40_000],
      ["copy", 0, -1, 38_000],
      ["fill", 1, 0, 40_000],
      ["fill", -1, 0, 40_000],
      ["load", 5, 3, 1_000_000],
      ["load", 400_000, 3, 1_000_000],
      ["load", 5, 30_000, 1_000_000],
      ["load", 5, 3, -3],
    ];
    const play = (exports: Record<string, (...args: number[]) => unknown>): readonly unknown[] =>
      steps.map(([name, ...args]) => {
        let trapped = false;
        try {
          exports[name]!(...args);
        } catch (error) {
          if (!(error instanceof WebAssembly.RuntimeError)) throw error;
          trapped = true;
        }
        const table = [];
        for (let n = 0; n < entries; n += 13) table.push(exports["at"]!(n));
        const bytes = [];
        for (let n = 0; n < 1_300_000; n += 4_001) bytes.push(exports["byte"]!(n));
        return [name, args, trapped, table.join(), bytes.join()];
      });
    const bytes = wat(text);
    const plain = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    const expected = play(plain.exports as never);
    expect(expected.filter((one) => (one as readonly unknown[])[2] === true)).toHaveLength(12);
    for (const options of MODES)
      expect(play(run(bytes, options, {}, new FuelHost(1e12, 10_000_000)).exports as never)).toEqual(
        expected,
      );
  });

  it("is seen when the function came from outside, in an imported table", () => {
    const bytes = wat(
      `(module (import "h" "t" (table 1 funcref)) (func (export "f") (loop (call_indirect (i32.const 0)) (br 0))))`,
    );
    let clock = 0;
    const other = new WebAssembly.Instance(
      new WebAssembly.Module(wat(`(module (import "h" "slow" (func $h)) (func (export "g") (call $h)))`)),
      { h: { slow: (() => void (clock += 10)) as never } },
    );
    const table = new WebAssembly.Table({ element: "anyfunc", initial: 1 });
    table.set(0, other.exports["g"]);
    const host = new FuelHost(1e12, 10_000_000);
    host.wantsStop = () => clock >= 50;
    const running = run(bytes, MODES[1]!, { h: { t: table } }, host);
    expect(() => running.exports["f"]!()).toThrow(WebAssembly.RuntimeError);
    expect(clock).toBe(50);
  });
});

describe("caps", () => {
  const pages = (count: number): MeterOptions => ({ mode: "deadline", memoryBytes: count * 65_536 });

  it("hold for the sum of an instance's memories, declared minimums included", () => {
    const bytes = wat(`(module (memory $a (export "a") 2) (memory $b (export "b") 3 1000)
      (func (export "a+") (param i32) (result i32) (memory.grow $a (local.get 0)))
      (func (export "b+") (param i32) (result i32) (memory.grow $b (local.get 0))))`);
    const { exports, instance, host, attached } = run(bytes, pages(8));
    expect(exports["a+"]!(2)).toBe(2);
    expect(exports["b+"]!(2)).toBe(-1);
    expect(exports["b+"]!(1)).toBe(3);
    expect(exports["a+"]!(1)).toBe(-1);
    expect(exports["a+"]!(0)).toBe(4);
    expect(host.asked[RefillKind.memoryRefused]).toBe(2);
    expect(attached.roomBytes).toBe(0);
    const sizes = ["a", "b"].map(
      (name) => (instance.exports[name] as WebAssembly.Memory).buffer.byteLength / 65_536,
    );
    expect(sizes).toEqual([4, 4]);
    // the host cannot grow one of them past the cap either
    expect(() => (instance.exports["a"] as WebAssembly.Memory).grow(5)).toThrow(RangeError);
  });

  it("refuse a module whose minimums pass them", () => {
    const bytes = wat(`(module (memory 5) (memory 4))`);
    expect(() => run(bytes, pages(8))).toThrow(expect.objectContaining({ code: "OUT_OF_MEMORY" }));
    const table = wat(`(module (table 60 funcref) (table 41 funcref))`);
    expect(() => run(table, { mode: "exact", tableElements: 100 })).toThrow(
      expect.objectContaining({ code: "OUT_OF_MEMORY" }),
    );
  });

  it("hold for the sum of an instance's tables", () => {
    const bytes = wat(`(module (table $a 10 funcref) (table $b 10 funcref)
      (func (export "a+") (param i32) (result i32) (table.grow $a (ref.null func) (local.get 0)))
      (func (export "b+") (param i32) (result i32) (table.grow $b (ref.null func) (local.get 0))))`);
    const { exports, host } = run(bytes, { mode: "exact", tableElements: 100 });
    expect(exports["a+"]!(50)).toBe(10);
    expect(exports["b+"]!(31)).toBe(-1);
    expect(exports["b+"]!(30)).toBe(10);
    expect(exports["a+"]!(1)).toBe(-1);
    expect(host.asked[RefillKind.tableRefused]).toBe(2);
  });

  it("charge objects before they are allocated, whatever they ask for", async () => {
    const bytes = await watGc(`(module (type $a (array (mut i64)))
      (func (export "f") (param i32) (result i32) (array.len (array.new_default $a (local.get 0)))))`);
    for (const mode of ["deadline", "exact"] as const) {
      for (const length of [200_000, 0x1000_0000, -1, 0x8000_0000]) {
        const { exports, host } = run(bytes, { mode, memoryBytes: 2 ** 20 }, {}, new FuelHost(1e12, 2 ** 27));
        expect(exports["f"]!(100_000)).toBe(100_000);
        expect(() => exports["f"]!(length)).toThrow(WebAssembly.RuntimeError);
        expect(host.stopped).toBe("memory");
      }
    }
  });

  it("count what constants allocate, and refuse lengths that are not literals", async () => {
    const constant = (length: string): string =>
      `(module (type $a (array (mut i64))) (import "h" "n" (global $n i32)) (global (ref $a) (array.new_default $a ${length})))`;
    const options: MeterOptions = { mode: "exact", memoryBytes: 2 ** 20 };
    const small = await watGc(constant("(i32.const 1000)"));
    expect(run(small, options, { h: { n: 1 } }).attached.roomBytes).toBeLessThanOrEqual(2 ** 20 - 8000);
    const large = await watGc(constant("(i32.const 1000000000)"));
    expect(() => run(large, options)).toThrow(expect.objectContaining({ code: "OUT_OF_MEMORY" }));
    const computed = await watGc(constant("(global.get $n)"));
    expect(() => run(computed, options)).toThrow(expect.objectContaining({ code: "UNSUPPORTED_WASM" }));
  });
});
