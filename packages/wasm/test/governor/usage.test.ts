import { describe, expect, it } from "vitest";
import { TALLY_CPU_MS, TALLY_FUEL } from "../../src/governor/tally.ts";
import { failure, guest } from "./harness.ts";

const WORKS = `(module (import "h" "work" (func $work)) (memory 1)
  (func (export "work") (call $work))
  (func (export "count") (param i32) (result i32)
    (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 0))
  (func (export "grow") (result i32) (memory.grow (i32.const 100)))
  (func (export "trap") unreachable))`;

describe("what a run used", () => {
  it("is its own: neither time nor fuel nor refusals of the run before, also when that failed", () => {
    const { governor, exports, clock } = guest(WORKS, { work: () => (clock.time += 30) });
    governor.run({ measure: true }, () => {
      governor.excuse(10);
      return [exports["work"]!(), exports["count"]!(5_000), exports["grow"]!()];
    });
    expect(governor.usage.cpuMs).toBe(20);
    expect(governor.refused).toEqual({ memory: 1, table: 0 });
    governor.run({ measure: true }, () => exports["count"]!(10));
    const { fuel, cpuMs } = governor.usage;
    expect(fuel).toBeLessThan(200);
    expect(cpuMs).toBe(0);
    expect(governor.refused).toEqual({ memory: 0, table: 0 });
  });

  it("is told while it runs: the time and the fuel until then, and what fuel is left", () => {
    const { governor, exports, clock } = guest(WORKS, {
      work: () => {
        clock.time += 30;
        seen.push({ cpuMs: governor.usage.cpuMs, left: governor.fuelLeft });
      },
    });
    const seen: { cpuMs: number; left: number }[] = [];
    governor.run({ fuel: 1_000_000 }, () => [exports["count"]!(1_000), exports["work"]!()]);
    expect(seen[0]?.cpuMs).toBe(30);
    expect(seen[0]?.left).toBeLessThan(1_000_000 - 1_000);
    expect(seen[0]?.left).toBeGreaterThan(1_000_000 - 20_000);
    governor.run({}, () => exports["work"]!());
    expect(seen[1]?.left).toBe(Infinity);
  });

  it("that was refused before it began is nothing", () => {
    const { governor, exports, clock } = guest(WORKS, { work: () => {} });
    governor.run({}, () => exports["count"]!(100_000));
    const error = failure(() => governor.run({ deadline: clock.time }, () => exports["count"]!(1)));
    expect(error).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      details: { usage: { fuel: 0, cpuMs: 0, memoryPeakBytes: 0 } },
    });
    expect(governor.usage.fuel).toBe(0);
    expect(governor.run({ deadline: clock.time + 0.001 }, () => exports["count"]!(1))).toBe(0);
  });

  it("is added to the tally once, by whoever counts: fuel and time, of runs that end and of one that is stopped", () => {
    const tally = new Float64Array(2);
    const { governor, exports, clock } = guest(WORKS, { work: () => (clock.time += 30) }, { tally });
    governor.run({ measure: true }, () => exports["count"]!(1_000));
    const once = governor.usage.fuel;
    expect(once).toBeGreaterThan(0);
    expect([...tally]).toEqual([once, 0]);
    governor.run({ measure: true }, () => [exports["count"]!(1_000), exports["work"]!()]);
    expect(tally[TALLY_CPU_MS]).toBe(30);
    expect(tally[TALLY_FUEL]).toBe(once + governor.usage.fuel);
    const before = tally[TALLY_FUEL]!;
    failure(() => governor.run({ fuel: 5_000 }, () => exports["count"]!(1_000_000)));
    expect(tally[TALLY_FUEL]).toBe(before + governor.usage.fuel);
    expect(governor.usage.fuel).toBeGreaterThanOrEqual(5_000);
  });

  it("has nothing of what a host function took that called the guest back and then failed", () => {
    const long = 1_000_000;
    const fresh = guest(WORKS, { work: () => {} });
    fresh.governor.run({}, () => fresh.exports["count"]!(long));
    const { governor, exports } = guest(WORKS, {
      work: () => {
        governor.hostBegins();
        governor.run({}, () => exports["count"]!(long));
        governor.hostEnds();
        throw new Error("mine");
      },
    });
    expect(() => governor.run({}, () => exports["work"]!())).toThrow("mine");
    governor.run({}, () => exports["count"]!(long));
    expect(governor.usage.fuel).toBe(fresh.governor.usage.fuel);
  });

  it("of a guest that trapped is known, with its time", () => {
    const { governor, exports, clock } = guest(WORKS, { work: () => (clock.time += 30) });
    expect(() => governor.run({}, () => [exports["work"]!(), exports["trap"]!()])).toThrow(
      WebAssembly.RuntimeError,
    );
    expect(governor.dead).toBe(true);
    expect(governor.usage.cpuMs).toBe(30);
  });
});
