import { describe, expect, it } from "vitest";

import { FuelHost, modes, outcome, run } from "./harness.ts";
import { wat } from "./wat.ts";

const stackBytes = 64 * 1024;
/** Locals of eight bytes each: so many of them and a frame is a large one. */
const locals = (count: number): string => `(local ${"i64 ".repeat(count)})`;

// A function that may end early is tested where it is about to call or loop. Ways past that place must not come to a call.
describe("a call behind a place that some way has passed by is counted all the same", () => {
  const shapes: Readonly<Record<string, string>> = {
    "a branch out of a block that then calls": `
      (func $f (export "f") (param i32)
        (block $past
          (br_if $past (local.get 0))
          (br_if $past (i32.eqz (i32.const 1)))
          (call $leaf))
        (call $f (local.get 0)))`,
    "a branch before the first place, which others follow": `
      (func $f (export "f") (param i32)
        (block $end
          (block $past
            (br_if $past (local.get 0))
            (br_if $end (i32.const 0))
            (call $leaf))
          (call $f (local.get 0))))`,
    "an arm of an if that calls, beside one that does not": `
      (func $f (export "f") (param i32)
        (if (i32.eqz (local.get 0)) (then (br_if 0 (i32.const 0)) (call $leaf)) (else))
        (call $f (local.get 0)))`,
    "a br_table that leads past the first call": `
      (func $f (export "f") (param i32)
        (block $past
          (block $near (br_table $near $past (local.get 0)))
          (br_if $past (i32.const 0))
          (call $leaf))
        (call $f (local.get 0)))`,
    "a loop that is reached past a call": `
      (func $f (export "f") (param i32)
        (block $past
          (br_if $past (local.get 0))
          (br_if $past (i32.const 0))
          (call $leaf))
        (loop (br_if 0 (i32.const 0)))
        (call $f (local.get 0)))`,
  };
  for (const [name, shape] of Object.entries(shapes)) {
    const bytes = wat(`(module (memory 1) (func $leaf (memory.fill (i32.const 0) (i32.const 0) (memory.size)))
      ${shape})`);
    // each way by itself: it is enough that one is forgotten
    for (const way of [0, 1]) {
      it(`${name}: recursion on way ${way} ends at the guest's stack, not at the engine's`, () => {
        for (const mode of ["exact", "deadline"] as const) {
          const { exports, host } = run(bytes, { mode, stackBytes });
          expect(outcome(() => exports["f"]!(way))).not.toContain("RangeError");
          expect(host.stopped).toBe("stack");
        }
      });

      it(`${name}: recursion on way ${way} is asked for its fuel`, () => {
        const { exports, host } = run(bytes, { mode: "exact", stackBytes }, {}, new FuelHost(300, 100));
        expect(() => exports["f"]!(way)).toThrow(WebAssembly.RuntimeError);
        expect(host.stopped).toBe("fuel");
      });
    }
  }
});

describe("a large frame is charged, whatever its function does", () => {
  /** Leaves 4 KiB less one frame for `big`. */
  const fits = (source: string, bytes: number): string | undefined => {
    const { exports, host } = run(wat(source), { mode: "exact", stackBytes: bytes });
    outcome(() => exports["f"]!(0));
    return host.stopped;
  };
  const leaf = (count: number): string =>
    `(module (func $big (param i32) (result i32) ${locals(count)} (local.get 0))
      (func (export "f") (param i32) (result i32) (call $big (local.get 0))))`;
  const early = (count: number): string =>
    `(module (func $big (param i32) (result i32) ${locals(count)}
        (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
        (call $big (i32.const 0)))
      (func (export "f") (param i32) (result i32) (call $big (local.get 0))))`;

  it("of a function that calls nothing: 80 locals are free, 1,000 are not", () => {
    expect(fits(leaf(80), 4096)).toBeUndefined();
    expect(fits(leaf(1000), 4096)).toBe("stack");
    expect(fits(leaf(1000), 16_384)).toBeUndefined();
  });

  it("of a function that ends before it calls: 80 locals are free, 1,000 are not", () => {
    expect(fits(early(80), 4096)).toBeUndefined();
    expect(fits(early(1000), 4096)).toBe("stack");
    expect(fits(early(1000), 16_384)).toBeUndefined();
  });

  it("and given back: a thousand calls one after the other need no more than one", () => {
    for (const options of modes.filter((option) => option.stackBytes)) {
      const { exports, attached, host } = run(wat(early(1000)), options);
      for (let call = 0; call < 1000; call++) expect(exports["f"]!(call % 2)).toBe(7);
      expect(host.stopped).toBeUndefined();
      expect(attached.depth).toBe(options.stackBytes);
    }
  });
});
