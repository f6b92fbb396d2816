import { describe, expect, it } from "vitest";

import { meter } from "../../src/meter/index.ts";
import { FuelHost, modes, outcome, run, usual } from "./harness.ts";
import { wat } from "./wat.ts";

// Small functions without loops do without a test where what they call is tested, or is bounded like themselves.

const STACK = 64 * 1024;

/** How much the metered module grows by each of `functions` copies of `text`. */
function growth(text: (number: number) => string): number {
  const bytes = (functions: number): number => {
    const copies = Array.from({ length: functions }, (_, number) => text(number)).join("");
    const original = wat(`(module (memory 1) (func $far (export "far") (param i32)) ${copies})`);
    return meter(original, { mode: "exact", ...usual }).bytes.length - original.length;
  };
  return (bytes(60) - bytes(10)) / 50;
}

/** Runs `f` of a module with little stack, and within `limit` units of fuel. */
function callWith(text: string, limit = 1e12, slice = 1000, mode = modes[3]): FuelHost {
  const host = new FuelHost(limit, slice);
  const { exports } = run(wat(`(module (memory 1) ${text})`), { ...mode!, stackBytes: STACK }, {}, host);
  outcome(() => exports["f"]!(0));
  return host;
}

describe("a small function without a test", () => {
  it("grows by less than a test takes", () => {
    const hands = growth(
      (number) => `(func $hands${number} (param i32) (call $far (i32.add (local.get 0) (i32.const 1))))`,
    );
    const large = growth(
      (number) =>
        `(func $large${number} (param i32) (call $far (i32.add (local.get 0) (i32.const 1)))${"(nop)".repeat(100)})`,
    );
    expect(large - hands).toBeGreaterThan(8);
  });

  it.each(modes.filter((options) => options.stackBytes))(
    "never closes a circle: what calls itself through others ends by its stack (%o)",
    (mode) => {
      const circles = [
        '(func $f (export "f") (param i32) (call $a)) (func $a (call $a))',
        '(func $f (export "f") (param i32) (call $a)) (func $a (call $b)) (func $b (call $a))',
        '(func $f (export "f") (param i32) (call $c)) (func $a (call $b)) (func $b (call $c)) (func $c (call $a) (call $b))',
        `(table funcref (elem $t)) (func $f (export "f") (param i32) (call $a)) (func $a (call_indirect (i32.const 0))) (func $t (call $a))`,
      ];
      for (const circle of circles) expect(callWith(circle, 1e12, 1000, mode).stopped).toBe("stack");
    },
  );

  it.each([
    ["i32", 0],
    ["i64", 16],
    ["v128", 15],
  ])(
    "three of them between two that test, with parameters %s × %i, end by the stack and not by the engine's",
    (type, count) => {
      const params = `(param ${`${type} `.repeat(count)})`;
      const handed = Array.from({ length: count }, (_, at) => `(local.get ${at})`).join(" ");
      const text = `(func $tested ${params} (global.set $g (i32.add (global.get $g) (i32.const 1))) (call $c ${handed}))
      (func $a ${params} (call $tested ${handed})) (func $b ${params} (call $a ${handed})) (func $c ${params} (call $b ${handed}))
      (func (export "f") ${params.replace("param", "local")} (call $tested ${handed}))`;
      for (const mode of ["exact", "deadline"] as const) {
        const host = new FuelHost(1e12, 100_000);
        const bytes = wat(`(module (global $g (export "g") (mut i32) (i32.const 0)) ${text})`);
        const { exports, instance } = run(bytes, { mode, stackBytes: 512 * 1024 }, {}, host);
        expect(outcome(() => exports["f"]!())).toMatch(/unreachable/i);
        expect(host.stopped).toBe("stack");
        const deep = (instance.exports["g"] as WebAssembly.Global).value as number;
        // each frame was taken, also of those that do not test
        expect(deep).toBeGreaterThan(100);
        expect(deep * 4 * (96 + 8 * count)).toBeLessThan(1.2 * 512 * 1024);
      }
    },
  );

  it("takes its frame from what those that it calls are handed", () => {
    const depthOf = (through: string): number => {
      const host = new FuelHost(1e12, 1_000_000);
      const text = `(func $r (export "f") (param i32) (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) ${through})
        (func $hands (call $r (i32.const 0))) (memory (export "memory") 1)`;
      const { exports, instance } = run(
        wat(`(module ${text})`),
        { mode: "exact", ...usual, stackBytes: STACK },
        {},
        host,
      );
      outcome(() => exports["f"]!(0));
      expect(host.stopped).toBe("stack");
      return new Uint32Array((instance.exports["memory"] as WebAssembly.Memory).buffer)[0]!;
    };
    expect(depthOf("(call $hands)")).toBeLessThan(0.7 * depthOf("(call $r (i32.const 0))"));
  });

  it("is counted all the same, and fuel runs out at the same place whatever the slices", () => {
    const text = `(func $far (param i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
      (func $hands (param i32) (if (i32.and (local.get 0) (i32.const 1)) (then (call $far (i32.const 3)))) (call $far (i32.const 2)))
      (func (export "f") (param i32) (loop (call $hands (local.tee 0 (i32.add (local.get 0) (i32.const 1)))) (br 0)))`;
    const stops = [1, 3, 1000, 100_000].map((slice) => callWith(text, 50_000, slice).usedWhenStopped);
    expect(stops[0]).toBeGreaterThan(50_000);
    expect(new Set(stops).size).toBe(1);
  });

  it("costs little before something tests, however many call one another twice", () => {
    const levels = 40;
    const tree = Array.from({ length: levels }, (_, at) =>
      at + 1 < levels
        ? `(func $l${at} (call $l${at + 1}) (call $l${at + 1}))`
        : `(func $l${at} (drop (memory.size)))`,
    );
    const host = new FuelHost(1e12, 1000);
    host.wantsStop = () => host.granted > 100_000;
    const { exports } = run(
      wat(`(module (memory 1) ${tree.join(" ")} (func (export "f") (call $l0)))`),
      { mode: "exact", ...usual, stackBytes: STACK },
      {},
      host,
    );
    outcome(() => exports["f"]!());
    expect(host.stopped).toBe("asked");
    expect(host.lowest).toBeGreaterThan(-2000);
  });
});

describe("thousands of calls of functions without a test, one after the other", () => {
  const far = `(func $work ${"(drop (i32.load (i32.const 0)))".repeat(8)}) (func $far ${"(call $work)".repeat(3)})`;
  const calls = (count: number): string => "(call $far)".repeat(count);
  const shapes: Readonly<Record<string, string>> = {
    "in straight code": calls(12_000),
    "around blocks that are skipped, in which a test stands":
      `${calls(900)} (if (local.get 0) (then ${calls(80)}))`.repeat(8),
  };
  it.each(Object.entries(shapes))("cost little before something tests: %s", (shape, code) => {
    for (const mode of modes.slice(0, 4)) {
      const bytes = wat(`(module (memory 1) ${far} (func (export "f") (param i32) ${code}))`);
      const runs = [1, 1000].map((slice) => {
        const host = new FuelHost(1e12, slice);
        const own = run(bytes, mode, {}, host);
        own.exports["f"]!(0);
        const most = mode.mode === "exact" && shape.startsWith("in straight") ? 6_000 : 101_000;
        expect(host.lowest).toBeGreaterThan(-most);
        // the calls themselves do not ask
        expect(host.asked[0]).toBeLessThan(1_000);
        return own.used();
      });
      expect(runs[0]).toBeGreaterThan(400_000);
      expect(runs[1]).toBe(runs[0]);
    }
  });
});

describe("the local whose place the depth takes is 0 where it is read before it is set", () => {
  const shapes: Readonly<Record<string, string>> = {
    "read first": "(local.get 1) (local.set 1 (i32.const 5))",
    "set first": "(local.set 1 (i32.const 5)) (local.get 1)",
    "set in one arm": "(if (local.get 0) (then (local.set 1 (i32.const 5)))) (local.get 1)",
    "set in a block that may be left before": `(block (br_if 0 (local.get 0)) (local.set 1 (i32.const 5))) (local.get 1)`,
    "set in a block": "(block (local.set 1 (i32.const 5))) (local.get 1)",
    "set by itself": "(local.tee 1 (i32.add (local.get 1) (i32.const 1)))",
    "set in a loop's second turn":
      "(loop (if (local.get 0) (then (local.set 0 (i32.const 0)) (br 1)))) (local.get 1)",
  };
  it.each(Object.entries(shapes))("%s", (_, shape) => {
    for (const long of ["", "(nop)".repeat(120)]) {
      const bytes =
        wat(`(module (memory 1) (global $g (mut i32) (i32.const 0)) (func $far (global.set $g (i32.const 1)) (call $further))
        (func $further (memory.fill (i32.const 0) (i32.const 0) (memory.size)))
        (func $inner (param i32) (result i32) (local i32) ${shape} ${long} (call $far))
        (func (export "f") (param i32) (result i32) (i32.mul (call $inner (local.get 0)) (i32.const 1))))`);
      const plain = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports["f"] as (
        given: number,
      ) => number;
      for (const mode of modes) {
        const { exports } = run(bytes, mode);
        for (const given of [0, 1]) expect(exports["f"]!(given)).toBe(plain(given));
      }
    }
  });
});
