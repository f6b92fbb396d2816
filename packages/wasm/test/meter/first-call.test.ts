import { describe, expect, it } from "vitest";

import { Governor } from "../../src/governor/index.ts";
import { meter, type MeterOptions } from "../../src/meter/index.ts";
import { FuelHost, run } from "./harness.ts";
import { wat, watGc } from "./wat.ts";

const MODES: readonly MeterOptions["mode"][] = ["exact", "deadline"];
const BYTES = 16_000;

/** `f` calls so many functions of {@link BYTES}, all of which end at once: what lies behind that has to be compiled all the same. */
function large(count: number): Uint8Array<ArrayBuffer> {
  const code = "(nop)".repeat(BYTES - 20);
  return wat(`(module
    ${`(func (param i32) (br_if 0 (local.get 0)) ${code} (call $last))`.repeat(count)}
    (func $last (loop))
    (func (export "f") ${Array.from({ length: count }, (_, index) => `(call ${index} (i32.const 1))`).join("")}))`);
}

describe("the first call of a large function, which engines compile then", () => {
  for (const mode of MODES) {
    it(`is paid for by its size, so that many of them ask the host (${mode})`, () => {
      const { exports, host, used } = run(large(100), { mode }, {}, new FuelHost(1e9, 5000));
      exports["f"]!();
      expect(used()).toBeGreaterThan((100 * BYTES) / 16);
      expect(-host.lowest).toBeLessThan(5000);
      expect(host.asked[0]).toBeGreaterThan(10);
    });
  }

  it("is paid for once", () => {
    const { exports, used } = run(large(10));
    exports["f"]!();
    const first = used();
    exports["f"]!();
    expect(used() - first).toBeLessThan(1000);
  });

  it("runs out of fuel at the same function, whatever the slices", () => {
    const ends = [1000, 7777, 1e6].map((slice) => {
      const { exports, host, used } = run(large(10), { mode: "exact" }, {}, new FuelHost(5500, slice));
      expect(() => exports["f"]!()).toThrow();
      return [host.stopped, used()];
    });
    for (const end of ends) expect(end).toEqual(ends[0]);
    expect(ends[0]![0]).toBe("fuel");
  });

  it("is paid for again where a guest is put back to what it was", () => {
    const governor = new Governor({ clock: { now: () => 0 } });
    const metered = meter(large(10), { mode: "exact" });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(metered.bytes));
    governor.adopt({ exports } as WebAssembly.Instance, metered.meta);
    const fuel = (): number => {
      governor.run({}, exports["f"] as unknown as () => void);
      return governor.usage.fuel;
    };
    governor.keepCalled();
    const first = fuel();
    expect(fuel()).toBeLessThan(first / 2);
    governor.restoreCalled();
    expect(fuel()).toBe(first);
    governor.keepCalled();
    governor.restoreCalled();
    expect(fuel()).toBeLessThan(first / 2);
  });
});

it("a structure of many fields is paid for by its fields, also where none is given", async () => {
  const text = (fields: number): string => `(module
    (type $s (struct ${"(field i64)".repeat(fields)}))
    (func (export "f") (drop (struct.new_default $s))))`;
  const fuel = async (fields: number): Promise<number> => {
    const { exports, used } = run(await watGc(text(fields)));
    exports["f"]!();
    return used();
  };
  expect((await fuel(9000)) - (await fuel(1000))).toBe(8000);
});
