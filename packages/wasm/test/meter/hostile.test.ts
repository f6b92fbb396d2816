import { describe, expect, it } from "vitest";

import { type MeterOptions, RefillKind } from "../../src/meter/index.ts";
import { PIECE_BYTES } from "../../src/meter/pieces.ts";
import { FuelHost, type Running, run, usual } from "./harness.ts";
import { wat, watGc } from "./wat.ts";

interface Shape {
  readonly name: string;
  readonly text: string;
  readonly gc?: true;
  /** The guest runs for ever in its start function. */
  readonly atStart?: true;
  /** It runs out of stack instead of time. */
  readonly stack?: true;
  /** It runs out of memory instead of time. */
  readonly memory?: true;
}

// Guests that never return. Each exports "f", or is already running when it starts.
const shapes: readonly Shape[] = [
  { name: "an empty loop", text: `(module (func (export "f") (loop (br 0))))` },
  {
    name: "a loop that counts",
    text: `(module (func (export "f") (local i64) (loop (local.set 0 (i64.add (local.get 0) (i64.const 1))) (br_if 0 (i32.const 1)))))`,
  },
  {
    name: "nested loops",
    text: `(module (func (export "f") (local i32) (loop $o (local.set 0 (i32.const 9)) (loop $i (br_if $i (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (br $o))))`,
  },
  {
    name: "a loop with parameters",
    text: `(module (func (export "f") (i32.const 1) (loop (param i32) (br 0)) unreachable))`,
  },
  {
    name: "br_table",
    text: `(module (func (export "f") (loop $a (loop $b (br_table $a $b $a (i32.const 1))))))`,
  },
  { name: "recursion", stack: true, text: `(module (func $f (export "f") (call $f) (call $f)))` },
  {
    name: "indirect recursion",
    stack: true,
    text: `(module (table 1 funcref) (elem (i32.const 0) $f) (func $f (export "f") (call_indirect (i32.const 0)) (call_indirect (i32.const 0))))`,
  },
  {
    name: "recursion that returns, without end",
    text: `(module (func $f (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1)))))) (func (export "f") (call $f (i32.const 60))))`,
  },
  { name: "a tail call of itself", text: `(module (func $f (export "f") (return_call $f)))` },
  {
    name: "mutual tail calls",
    text: `(module (func $f (export "f") (return_call $g)) (func $g (return_call $f)))`,
  },
  {
    name: "indirect tail calls",
    text: `(module (table 1 funcref) (elem (i32.const 0) $f) (func $f (export "f") (return_call_indirect (i32.const 0))))`,
  },
  {
    name: "catch_all around a trap-free throw",
    text: `(module (tag $e) (func (export "f") (loop $l (try (do (throw $e)) (catch_all (br $l))))))`,
  },
  {
    name: "catch_all around the stop itself",
    text: `(module (func $spin (loop (br 0))) (func (export "f") (loop $l (try (do (call $spin)) (catch_all (br $l))))))`,
  },
  {
    name: "try_table around the stop itself",
    text: `(module (func $spin (loop (br 0))) (func (export "f") (loop $l (try_table (catch_all $l) (call $spin)))))`,
  },
  {
    name: "a loop around a host call",
    text: `(module (import "h" "nothing" (func $h)) (func (export "f") (loop (call $h) (br 0))))`,
  },
  {
    name: "a loop around a host call that fails",
    text: `(module (import "h" "fail" (func $h)) (func (export "f") (loop $l (try (do (call $h)) (catch_all (br $l))))))`,
  },
  {
    name: "a loop around a host call that fails, second kind",
    text: `(module (import "h" "fail" (func $h)) (func (export "f") (loop $l (try_table (catch_all $l) (call $h))))) `,
  },
  {
    name: "the host calling back",
    stack: true,
    text: `(module (import "h" "back" (func $h)) (func (export "f") (call $h)))`,
  },
  {
    name: "the host calling back, each call caught and repeated",
    text: `(module (import "h" "back" (func $h)) (func (export "f") (loop $l (try (do (call $h)) (catch_all (br $l))))))`,
    stack: true,
  },
  {
    name: "memory.fill",
    text: `(module (memory 100) (func (export "f") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 6000000)) (br 0))))`,
  },
  {
    name: "memory.copy",
    text: `(module (memory 100) (func (export "f") (loop (memory.copy (i32.const 0) (i32.const 100) (i32.const 6000000)) (br 0))))`,
  },
  {
    name: "memory.init",
    text: `(module (memory 1) (data $d "abcdefgh") (func (export "f") (loop (memory.init $d (i32.const 0) (i32.const 0) (i32.const 8)) (br 0))))`,
  },
  {
    name: "table.fill",
    text: `(module (table 50000 funcref) (func (export "f") (loop (table.fill (i32.const 0) (ref.null func) (i32.const 50000)) (br 0))))`,
  },
  {
    name: "table.copy",
    text: `(module (table 50000 funcref) (func (export "f") (loop (table.copy (i32.const 0) (i32.const 1) (i32.const 49999)) (br 0))))`,
  },
  {
    name: "memory.grow by nothing",
    text: `(module (memory 1) (func (export "f") (loop (drop (memory.grow (i32.const 0))) (br 0))))`,
  },
  {
    name: "memory.grow for ever",
    text: `(module (memory 1) (func (export "f") (loop (drop (memory.grow (i32.const 1))) (br 0))))`,
  },
  {
    name: "table.grow for ever",
    text: `(module (table 1 funcref) (func (export "f") (loop (drop (table.grow (ref.null func) (i32.const 100))) (br 0))))`,
  },
  {
    name: "array.fill",
    gc: true,
    text: `(module (type $a (array (mut i32))) (func (export "f") (local (ref $a)) (local.set 0 (array.new_default $a (i32.const 100000))) (loop (array.fill $a (local.get 0) (i32.const 0) (i32.const 1) (i32.const 100000)) (br 0))))`,
  },
  {
    name: "array.copy",
    gc: true,
    text: `(module (type $a (array (mut i32))) (func (export "f") (local (ref $a)) (local.set 0 (array.new_default $a (i32.const 100000))) (loop (array.copy $a $a (local.get 0) (i32.const 0) (local.get 0) (i32.const 1) (i32.const 99999)) (br 0))))`,
  },
  {
    name: "objects for ever",
    gc: true,
    memory: true,
    text: `(module (type $s (struct (field (ref null $s)))) (func (export "f") (local (ref null $s)) (loop (local.set 0 (struct.new $s (local.get 0))) (br 0))))`,
  },
  {
    name: "arrays for ever",
    gc: true,
    memory: true,
    text: `(module (type $s (array (mut i64))) (func (export "f") (loop (drop (array.new_default $s (i32.const 1000))) (br 0))))`,
  },
  {
    name: "exceptions that hold one another",
    gc: true,
    memory: true,
    text: `(module (tag $t (param exnref)) (func (export "f") (local exnref) (loop $l (block $h (result exnref exnref) (try_table (catch_ref $t $h) (throw $t (local.get 0))) (unreachable)) (local.set 0) (drop) (br $l))))`,
  },
  {
    name: "typed references calling each other",
    gc: true,
    text: `(module (type $t (func)) (elem declare func $f) (func $f (export "f") (type $t) (return_call_ref $t (ref.func $f))))`,
  },
  {
    name: "atomics wait",
    text: `(module (memory 1 1 shared) (func (export "f") (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))`,
  },
  {
    name: "atomics wait in a loop",
    text: `(module (memory 1 1 shared) (func (export "f") (loop (drop (memory.atomic.wait64 (i32.const 0) (i64.const 0) (i64.const 1000))) (br 0))))`,
  },
  { name: "the start function", atStart: true, text: `(module (func $s (loop (br 0))) (start $s))` },
  {
    name: "recursion in the start function",
    atStart: true,
    stack: true,
    text: `(module (func $s (call $s) (call $s)) (start $s))`,
  },
  {
    name: "a frame of 400 locals",
    stack: true,
    text: `(module (func $f (export "f") (local ${"i64 ".repeat(400)}) (call $f) (local.set 0 (local.get 399))))`,
  },
  {
    name: "a frame of 100 parameters",
    stack: true,
    text: `(module (func $f (export "g") (param ${"i64 ".repeat(100)}) (call $f ${Array.from({ length: 100 }, (_, i) => `(local.get ${i})`).join(" ")}) (drop (local.get 99))) (func (export "f") (call $f ${"(i64.const 1)".repeat(100)})))`,
  },
  {
    name: "a frame of 1,000 vectors",
    stack: true,
    text: `(module (func $v (result v128) (v128.const i64x2 1 2)) (func $f (result v128) ${"(call $v)".repeat(1000)} (call $f) ${"i32x4.add ".repeat(1000)}) (func (export "f") (drop (call $f))))`,
  },
  {
    name: "a frame of 300 vector locals",
    stack: true,
    text: `(module (func $f (export "f") (local ${"v128 ".repeat(300)}) (call $f) (local.set 0 (local.get 299))))`,
  },
  {
    name: "a frame of 1,000 operands",
    stack: true,
    text: `(module (func $f (export "f") (result i32) ${"(i32.const 1)".repeat(1000)} (call $f) ${"i32.add ".repeat(1000)}))`,
  },
];

const MODES: readonly MeterOptions[] = [
  { mode: "deadline", ...usual, stackBytes: 512 * 1024 },
  { mode: "exact", ...usual, stackBytes: 512 * 1024 },
];

async function bytesOf({ text, gc }: Shape): Promise<Uint8Array<ArrayBuffer>> {
  return gc ? await watGc(text) : wat(text);
}

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

  for (const shape of shapes) {
    for (const options of MODES) {
      it(`${shape.name} (${options.mode})`, async () => {
        const bytes = await bytesOf(shape);
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
