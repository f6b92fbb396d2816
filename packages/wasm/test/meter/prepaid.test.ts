import { describe, expect, it } from "vitest";

import { RefillKind } from "../../src/meter/index.ts";
import { PREPAID } from "../../src/meter/layout.ts";
import { run } from "./harness.ts";
import { wat } from "./wat.ts";

/** `f` returns at once for 0; else it spends some more, and for 2 it calls itself. */
const early = (before: string): string => `
  (func $f (param i32) (result i32)
    ${before}
    (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
    (if (i32.eq (local.get 0) (i32.const 2)) (then (drop (call $f (i32.const 0)))))
    (i32.rem_s (i32.div_s (i32.const 100) (local.get 0)) (i32.const 9)))`;
const CHEAP = "";
/** Dearer than what a call pays for. */
const DEAR = "(drop (i32.div_s (i32.div_s (i32.const 8) (i32.const 3)) (i32.const 3)))".repeat(2);

/** Fuel of one call of `f` with each argument, by a function that calls it so many times. */
function fuelOf(before: string, argument: number): number {
  const calls = (count: number): string =>
    `(func (export "${count}") ${`(drop (call $f (i32.const ${argument})))`.repeat(count)})`;
  const { exports, used } = run(wat(`(module ${early(before)} ${calls(1)} ${calls(11)})`));
  const spent = (name: string): number => {
    const was = used();
    exports[name]!();
    return used() - was;
  };
  const one = spent("1");
  return (spent("11") - one) / 10;
}

describe("a call pays for the first of what it calls", () => {
  it("a function that ends early within that costs its caller's call and no more", () => {
    // the call's own four units, its argument's one, and what is prepaid; a drop is free
    expect(fuelOf(CHEAP, 0)).toBe(4 + 1 + PREPAID);
  });

  it("a function that goes on, or begins dear, pays for what goes beyond", () => {
    expect(fuelOf(CHEAP, 1)).toBeGreaterThan(fuelOf(CHEAP, 0));
    expect(fuelOf(CHEAP, 2)).toBeGreaterThan(fuelOf(CHEAP, 1) + PREPAID);
    expect(fuelOf(DEAR, 0)).toBeGreaterThan(fuelOf(CHEAP, 0));
  });

  it("a function in a table shows that it ran, however early it ends: the host is not asked", () => {
    const { exports, host } = run(
      wat(`(module (table funcref (elem $f)) (type $t (func (param i32) (result i32))) ${early(CHEAP)}
        (func (export "f") (param i32) (result i32) (call_indirect (type $t) (local.get 0) (i32.const 0))))`),
    );
    for (const argument of [0, 1, 2]) exports["f"]!(argument);
    expect(host.asked[RefillKind.host]).toBe(0);
  });

  it("calls that end early are paid for all the same: a loop around them runs out of fuel", () => {
    const { exports, host } = run(
      wat(`(module ${early(CHEAP)} (func (export "f") (loop (drop (call $f (i32.const 0))) (br 0))))`),
    );
    host.limit = 100_000;
    expect(() => exports["f"]!()).toThrow(WebAssembly.RuntimeError);
    expect(host.stopped).toBe("fuel");
  });
});
