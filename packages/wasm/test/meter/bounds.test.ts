import { describe, expect, it } from "vitest";

import { Governor } from "../../src/governor/index.ts";
import { meter, type MeterOptions } from "../../src/meter/index.ts";
import { type Callable, FuelHost, run } from "./harness.ts";
import { wat } from "./wat.ts";

const MODES: readonly MeterOptions["mode"][] = ["exact", "deadline"];
/** Straight code is tested at least this often, and an instruction's worth later. */
const TEST_EVERY = 100_000;

/** How far below zero the counter was at most when the host was asked, in one call of `f`, and the fuel it used. */
function deepest(
  text: string,
  mode: MeterOptions["mode"],
  ...args: number[]
): { below: number; used: number } {
  const { exports, attached, host, used } = run(wat(text), { mode }, {}, new FuelHost(1e12, 1000));
  exports["f"]!(...args);
  return { below: -Math.min(host.lowest, attached.fuel), used: used() };
}

const work = (units: number): string =>
  "(local.set 0 (i32.add (local.get 0) (local.get 0)))".repeat(units / 4);

describe("little is charged between two tests", () => {
  for (const mode of MODES) {
    it(`by functions that call nothing and whose blocks cost much: their callers test too rarely (${mode})`, () => {
      const text = `(module (func $f (param i32) (if (local.get 0) (then ${work(20_000)})))
        (func (export "f") ${"(call $f (i32.const 1))".repeat(1000)}))`;
      const { below, used } = deepest(text, mode);
      expect(used).toBeGreaterThan(1000 * 20_000);
      expect(below).toBeLessThan(2 * TEST_EVERY);
    });

    it(`by the code between loops, however many they are (${mode})`, () => {
      const text = `(module (func (export "f") (param i32)
        ${`(loop (br_if 0 (i32.const 0))) ${work(60_000)}`.repeat(20)}))`;
      const { below, used } = deepest(text, mode, 1);
      expect(used).toBeGreaterThan(20 * 60_000);
      expect(below).toBeLessThan(2 * TEST_EVERY);
    });
  }

  it("by calls in one long block, each of which may be compiled only then", () => {
    const text = `(module ${"(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))".repeat(3000)}
      (func (export "f") ${Array.from({ length: 3000 }, (_, at) => `(drop (call ${at} (i32.const 1)))`).join("")}))`;
    const { below, used } = deepest(text, "exact");
    expect(used).toBeGreaterThan(20_000);
    expect(below).toBeLessThan(6_000);
  });

  it("and a segment's price has no need of a ceiling", () => {
    const fill = "(table.fill 0 (i32.const 0) (ref.null func) (i32.const 1024))";
    const text = `(module (table 1024 funcref) (func (export "f") ${`(loop) ${fill.repeat(9)}`.repeat(1200)}))`;
    expect(deepest(text, "exact").used).toBeGreaterThan(1200 * 9 * 1024 * 8);
  });
});

describe("a tiny function that its callers pay for", () => {
  it("costs them the same by a tail call, whose price alone would be less", () => {
    const fuelBy = (call: string): number => {
      const calls = (count: number): string =>
        `(func (export "${count}") ${"(drop (call $g (f64.const 2)))".repeat(count)})`;
      const { exports, used } = run(
        wat(`(module (func $tiny (param f64) (result f64) (local.get 0) ${"f64.sqrt ".repeat(40)})
          (func $g (param f64) (result f64) (${call} $tiny (local.get 0))) ${calls(1)} ${calls(11)})`),
      );
      exports["1"]!();
      const one = used();
      exports["11"]!();
      return (used() - 2 * one) / 10;
    };
    expect(fuelBy("return_call")).toBe(fuelBy("call"));
  });
});

describe("callbacks that are not tested, because they are tiny", () => {
  it("cannot take the counter once around while one host function calls them", () => {
    const bytes = wat(`(module (import "h" "many" (func $many)) (global (mut i32) (i32.const 0))
      (func (export "tiny") ${"(global.set 0 (i32.add (global.get 0) (i32.const 1)))".repeat(12)})
      (func (export "f") (call $many) (loop (br_if 0 (i32.const 0)))))`);
    const fuelOf = (limit: number): Governor => {
      const { bytes: metered, meta } = meter(bytes, { mode: "exact" });
      const instance = new WebAssembly.Instance(new WebAssembly.Module(metered), {
        h: {
          // as after some twenty million of them
          many: () => {
            (exports[meta.exports.setFuel] as Callable)(-(2 ** 31) + 10);
            (exports["tiny"] as Callable)();
          },
        },
      });
      const exports = instance.exports as unknown as Record<string, Callable>;
      const governor = new Governor({ clock: performance });
      governor.adopt(instance, meta);
      try {
        governor.run({ fuel: limit }, exports["f"] as () => unknown);
      } catch {
        // looked at below
      }
      return governor;
    };
    const enough = fuelOf(4e9);
    expect(enough.stopped).toBeUndefined();
    expect(enough.dead).toBe(false);
    expect(enough.usage.fuel).toBeGreaterThan(2 ** 30 - 1e6);
    expect(enough.usage.fuel).toBeLessThan(2 ** 30 + 1e6);
    expect(fuelOf(1e6).stopped?.limit).toBe("fuel");
  });
});
