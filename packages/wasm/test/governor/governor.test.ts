import { describe, expect, it } from "vitest";

import type { KeelsonError } from "@keelson/core";

import { Governor, type GuestThread, type RunLimits } from "../../src/governor/index.ts";
import { meter } from "../../src/meter/index.ts";
import { wat, watGc } from "../meter/wat.ts";
import { failure, guest, ManualClock, usual, type Guest } from "./harness.ts";

const spin = `(module (func (export "f") (loop (br 0))))`;
const count = `(module (func (export "f") (param i32) (result i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 0)))`;

describe("a governor stops its guest", () => {
  it("when its fuel is used up: FUEL_EXHAUSTED, with the usage", () => {
    const { governor, exports } = guest(spin);
    const error = failure(() => governor.run({ fuel: 1_000_000 }, () => exports["f"]!()));
    expect(error.code).toBe("FUEL_EXHAUSTED");
    expect(error.details).toMatchObject({ limit: "fuel", value: 1_000_000 });
    expect(governor.usage.fuel).toBeGreaterThan(1_000_000);
    expect(governor.usage.fuel).toBeLessThan(1_000_100);
    expect(governor.dead).toBe(true);
    expect(failure(() => governor.run({}, () => 1)).code).toBe("WASM_TRAP");
  });

  it("and not before: the fuel that a run takes is enough for it", () => {
    const { governor, exports } = guest(count);
    governor.run({}, () => exports["f"]!(100_000));
    const { fuel } = governor.usage;
    expect(governor.run({ fuel }, () => exports["f"]!(100_000))).toBe(0);
    expect(governor.usage.fuel).toBe(fuel);
    expect(failure(() => governor.run({ fuel: fuel - 1 }, () => exports["f"]!(100_000))).code).toBe(
      "FUEL_EXHAUSTED",
    );
  });

  it("when its time has passed in host functions: DEADLINE_EXCEEDED, at the first one that passes it", () => {
    for (const limits of [{ cpuMs: 50 }, { deadline: 1050 }] satisfies RunLimits[]) {
      const { governor, exports, clock } = guest(
        `(module (import "h" "slow" (func $slow)) (func (export "f") (loop (call $slow) (br 0))))`,
        { slow: () => void (clock.time += 20) },
      );
      const error = failure(() => governor.run(limits, () => exports["f"]!()));
      expect(error.code).toBe("DEADLINE_EXCEEDED");
      expect(error.details).toMatchObject({ limit: Object.keys(limits)[0], usage: { cpuMs: 60 } });
    }
  });

  it("within 5 ms of its cpuMs although its code turns a thousand times slower at any moment, as what is compiled when it is called does", () => {
    const calls = `(module (func $g (param i32) (if (local.get 0) (then (call $g (i32.const 0))))) (func (export "f") (loop (call $g (i32.const 1)) (br 0))))`;
    const fuel = 1e12;
    for (const quickMs of [1, 20, 29, 35, 40, 44, 47, 49, 49.7, 49.9, 49.99]) {
      let time = 0;
      let seen = 0;
      const clock = {
        now() {
          const used = fuel - governor.fuelLeft;
          const quick = time < quickMs;
          time += (used - seen) * (quick ? 3e-7 : 2.5e-4);
          seen = used;
          return time;
        },
        ran: () => time,
      };
      const { governor, exports } = guest(calls, {}, { clock });
      expect(failure(() => governor.run({ cpuMs: 50, fuel }, () => exports["f"]!())).code).toBe(
        "DEADLINE_EXCEEDED",
      );
      expect(time).toBeGreaterThanOrEqual(50);
      expect(time).toBeLessThan(55.1);
    }
  });

  it("within milliseconds of its cpuMs on the real clock", () => {
    const clock = { now: () => performance.now() };
    const { governor, exports } = guest(spin, {}, { clock });
    const start = performance.now();
    const error = failure(() => governor.run({ cpuMs: 20 }, () => exports["f"]!()));
    expect(error.code).toBe("DEADLINE_EXCEEDED");
    expect(performance.now() - start).toBeGreaterThanOrEqual(20);
    // a busy machine may take the processor away; a guest that is not stopped runs until the test's own end
    expect(performance.now() - start).toBeLessThan(2000);
  });

  it("when the caller's signal fires: on entry without touching it, else after the host function", () => {
    const controller = new AbortController();
    const { governor, exports } = guest(
      `(module (import "h" "abort" (func $abort)) (func (export "f") (call $abort) (loop (br 0))) (func (export "g") (result i32) (i32.const 3)))`,
      { abort: () => controller.abort() },
    );
    const aborted = AbortSignal.abort();
    expect(failure(() => governor.run({ signal: aborted }, () => exports["g"]!())).code).toBe("ABORTED");
    expect(governor.dead).toBe(false);
    expect(governor.run({}, () => exports["g"]!())).toBe(3);
    const error = failure(() => governor.run({ signal: controller.signal }, () => exports["f"]!()));
    expect(error.code).toBe("ABORTED");
    expect(governor.dead).toBe(true);
  });

  it("when another thread raises the interrupt", () => {
    const interrupt = new Int32Array(new SharedArrayBuffer(4));
    const { governor, exports } = guest(
      `(module (import "h" "raise" (func $raise)) (func (export "f") (call $raise) (loop (br 0))))`,
      { raise: () => Atomics.store(interrupt, 0, 1) },
      { interrupt },
    );
    expect(failure(() => governor.run({}, () => exports["f"]!())).code).toBe("ABORTED");
  });

  it("when it allocates more than its cap: OUT_OF_MEMORY; a refused growth is told", async () => {
    const objects = await watGc(`(module (type $s (struct (field (ref null $s))))
      (func (export "f") (local (ref null $s)) (loop (local.set 0 (struct.new $s (local.get 0))) (br 0))))`);
    const { governor, exports } = guest(objects);
    expect(failure(() => governor.run({}, () => exports["f"]!())).code).toBe("OUT_OF_MEMORY");

    const grows = guest(
      `(module (memory 1) (func (export "f") (loop (br_if 0 (i32.ne (i32.const -1) (memory.grow (i32.const 1))))) unreachable))`,
    );
    expect(() => grows.governor.run({ measure: true }, () => grows.exports["f"]!())).toThrow(
      WebAssembly.RuntimeError,
    );
    expect(grows.governor.refused).toEqual({ memory: 1, table: 0 });
    expect(grows.governor.usage.memoryPeakBytes).toBe(2 ** 20);
    expect(grows.governor.dead).toBe(true);
  });

  it("in its start function", () => {
    const { governor } = guest(`(module (func $s (loop (br 0))) (start $s))`);
    expect(failure(() => governor.start({ fuel: 1000 })).code).toBe("FUEL_EXHAUSTED");
    let runs = 0;
    const fine = guest(`(module (import "h" "ran" (func $ran)) (start $ran))`, { ran: () => runs++ });
    fine.governor.start({});
    fine.governor.start({});
    expect(runs).toBe(1);
  });

  it("although it catches everything", () => {
    const { governor, exports } = guest(
      `(module (import "h" "fail" (func $fail)) (func (export "f") (loop $l (try (do (call $fail)) (catch_all)) (br $l))))`,
      {
        fail: () => {
          throw new Error("no");
        },
      },
    );
    expect(failure(() => governor.run({ fuel: 100_000 }, () => exports["f"]!())).code).toBe("FUEL_EXHAUSTED");
  });
});

describe("after a trap", () => {
  // counts down, then traps
  const trap = `(module (func $step (param i32) (result i32) (loop (nop)) (i32.sub (local.get 0) (i32.const 1)))
    (func (export "f") (param i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) unreachable)
    (func (export "calls") (param i32) (loop (br_if 0 (local.tee 0 (call $step (local.get 0))))) unreachable))`;
  const perRound = 5;
  const trapped = (name: string, rounds: number): Guest["governor"] => {
    const { governor, exports } = guest(trap);
    expect(() => governor.run({ measure: true }, () => exports[name]!(rounds))).toThrow(
      WebAssembly.RuntimeError,
    );
    return governor;
  };

  it("what a loop without calls used since the last one lies between two bounds, one slice apart", () => {
    for (const rounds of [10, 100_000, 3_000_000]) {
      const { fuel, fuelAtMost } = trapped("f", rounds).usage;
      const used = rounds * perRound;
      expect(fuel).toBeLessThanOrEqual(used);
      expect(fuelAtMost).toBeGreaterThanOrEqual(used);
      expect(fuelAtMost).toBeLessThanOrEqual(used + 100_100);
    }
    const { fuel, fuelAtMost = 0 } = trapped("calls", 100_000).usage;
    expect(fuel).toBeGreaterThan(100_000 * perRound);
    expect(fuelAtMost - fuel).toBeLessThan(100_100);
  });

  it("they are right however long that loop was", () => {
    const rounds = Math.floor(2 ** 31 / perRound) + 10_000_000;
    const { fuel, fuelAtMost } = trapped("f", rounds).usage;
    expect(fuel).toBe(trapped("f", 10).usage.fuel);
    expect(fuelAtMost).toBeGreaterThanOrEqual(rounds * perRound);
    expect(fuelAtMost).toBeLessThanOrEqual(rounds * perRound + 100_100);
  }, 60_000);

  it("and after a stop or an answer there is one figure, for it is exact", () => {
    const stopped = guest(spin);
    failure(() => stopped.governor.run({ fuel: 1_000_000 }, () => stopped.exports["f"]!()));
    const answered = guest(count);
    answered.governor.run({}, () => answered.exports["f"]!(1_000));
    for (const { governor } of [stopped, answered]) expect(governor.usage).not.toHaveProperty("fuelAtMost");
  });
});

describe("recursion", () => {
  it("in the guest is STACK_EXHAUSTED", () => {
    const { governor, exports } = guest(`(module (func $f (export "f") (call $f) (call $f)))`);
    const error = failure(() => governor.run({}, () => exports["f"]!()));
    expect(error.code).toBe("STACK_EXHAUSTED");
    expect(error.details).toMatchObject({ limit: "stackBytes", value: 512 * 1024 });
  });

  it("in functions that end early when they do not call is STACK_EXHAUSTED too, and leaves none of the depth taken", () => {
    const { governor, exports } = guest(`(module
      (func $f (export "f") (param i32) (result i32)
        (block $out
          (br_if $out (i32.eqz (local.get 0)))
          (local.set 0 (call $f (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 0))
      (func (export "often") (param i32)
        (loop $l
          (drop (call $f (i32.const 5)))
          (drop (call $f (i32.const 0)))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))`);
    governor.run({}, () => exports["often"]!(100_000));
    expect(governor.run({}, () => exports["f"]!(2000))).toBe(0);
    const error = failure(() => governor.run({}, () => exports["f"]!(-1)));
    expect(error.code).toBe("STACK_EXHAUSTED");
  });

  it("through the host is STACK_EXHAUSTED, with runs inside runs, and never the engine's RangeError", () => {
    let levels = 0;
    const { governor, exports } = guest(
      `(module (import "h" "back" (func $back)) (func (export "f") (call $back)))`,
      {
        back: () => {
          levels++;
          governor.run({}, () => exports["f"]!());
        },
      },
    );
    const error = failure(() => governor.run({}, () => exports["f"]!()));
    expect(error.code).toBe("STACK_EXHAUSTED");
    expect(error.details).toMatchObject({ value: 512 * 1024 });
    expect(levels).toBeGreaterThan(20);
  });

  it("of two guests that call each other is STACK_EXHAUSTED too", () => {
    const thread: GuestThread = { current: undefined };
    const text = `(module (import "h" "other" (func $other)) (func $deep (export "f") (param i32)
      (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1)))) (else (call $other)))))`;
    const guests: Guest[] = [];
    for (const other of [1, 0]) {
      const imports = {
        other: () => {
          const { governor, exports } = guests[other]!;
          governor.run({}, () => exports["f"]!(50));
        },
      };
      guests.push(guest(text, imports, { thread }));
    }
    const error = failure(() => guests[0]!.governor.run({}, () => guests[0]!.exports["f"]!(50)));
    expect(error.code).toBe("STACK_EXHAUSTED");
    expect(error.details).toMatchObject({ limit: "stackBytes", value: 512 * 1024 });
    expect(thread.current).toBeUndefined();
  });
});

describe("runs inside runs", () => {
  it("spend from the outer run's fuel, and leave its depth and limits as they were", () => {
    const { governor, exports, clock } = guest(
      `(module (import "h" "back" (func $back (param i32) (result i32)))
        (func (export "f") (param i32) (result i32) (i32.add (call $back (local.get 0)) (call $back (local.get 0))))
        (func (export "g") (param i32) (result i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.const 1)))`,
      {
        back: (rounds: number) => {
          clock.time += 10;
          return governor.run({ cpuMs: 5 }, () => exports["g"]!(rounds));
        },
      },
    );
    expect(governor.run({ cpuMs: 30, fuel: 1_000_000 }, () => exports["f"]!(1000))).toBe(2);
    expect(governor.usage.fuel).toBeGreaterThan(2 * 1000 * 3);
    expect(failure(() => governor.run({ fuel: 5000 }, () => exports["f"]!(1000))).code).toBe(
      "FUEL_EXHAUSTED",
    );
  });

  it("a host function's own failure is passed on, and the guest lives", () => {
    const { governor, exports } = guest(
      `(module (import "h" "fail" (func $fail)) (func $g (call $fail)) (func (export "f") (call $g)) (func (export "ok") (result i32) (i32.const 1)))`,
      {
        fail: () => {
          throw new TypeError("mine");
        },
      },
    );
    expect(() => governor.run({}, () => exports["f"]!())).toThrow(TypeError);
    expect(governor.run({}, () => exports["ok"]!())).toBe(1);
    // and a deep call finds all of its stack
    expect(() => governor.run({}, () => exports["f"]!())).toThrow("mine");
  });
});

describe("a guest of several instances", () => {
  it("has one budget, however its instances call one another", () => {
    const totals = [30_000, 31_000, 1_000_000].map((fuel) => {
      const clock = new ManualClock();
      const governor = new Governor({ clock });
      const make = (text: string, imports: WebAssembly.Imports): WebAssembly.Instance => {
        const metered = meter(wat(text), usual);
        const instance = new WebAssembly.Instance(new WebAssembly.Module(metered.bytes), imports);
        governor.adopt(instance, metered.meta);
        return instance;
      };
      const inner = make(count, {});
      const outer = make(
        `(module (import "h" "f" (func $f (param i32) (result i32))) (func (export "g") (param i32)
          (loop (drop (call $f (i32.const 100))) (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))`,
        { h: inner.exports as never },
      );
      try {
        governor.run({ fuel }, () => (outer.exports["g"] as unknown as (n: number) => void)(50));
        return "done";
      } catch (error) {
        return (error as KeelsonError).code;
      }
    });
    expect(totals).toEqual(["FUEL_EXHAUSTED", "done", "done"]);
  });
});

describe("time that the system gave to somebody else", () => {
  /** A clock that moves by 0.1 ms at each look, and once by much more. */
  function jumping(at: number, ms: number): { now(): number } {
    let looks = 0;
    let time = 0;
    return { now: () => (time += ++looks === at ? ms : 0.1) };
  }

  it("is not taken from the guest's cpuMs", () => {
    const { governor, exports } = guest(count, {}, { clock: jumping(10, 500) });
    expect(governor.run({ cpuMs: 20, measure: true }, () => exports["f"]!(1_000_000))).toBe(0);
    expect(governor.usage.cpuMs).toBeLessThan(20);
  });

  it("lets an endless guest live no longer than its own time", () => {
    const { governor, exports } = guest(spin, {}, { clock: jumping(10, 500) });
    const error = failure(() => governor.run({ cpuMs: 20 }, () => exports["f"]!()));
    expect(error.details).toMatchObject({ limit: "cpuMs" });
    expect((error.details as { usage: { cpuMs: number } }).usage.cpuMs).toBeCloseTo(20, 0);
  });

  it("is not what one long operation took: a guest must not live on its fills", () => {
    let time = 0;
    const clock = { now: () => (time += 20) };
    const fills = `(module (table 100000 funcref) (func (export "f") (loop (table.fill (i32.const 0) (ref.null func) (i32.const 100000)) (br 0))))`;
    const { governor, exports } = guest(fills, {}, { clock }, { ...usual, tableElements: 100_000 });
    // an error's usage would be one more look at this clock
    governor.rehearsal = () => {};
    const error = failure(() => governor.run({ cpuMs: 50 }, () => exports["f"]!()));
    expect(error.details).toMatchObject({ limit: "cpuMs" });
    expect(time).toBeLessThanOrEqual(120);
  });

  describe("where the clock tells what the thread ran", () => {
    /** Looks 0.1 ms apart; at some of them much time has passed, in part of which the thread had its core. */
    function watched(...jumps: readonly { at: number; ms: number; ran: number }[]): Clocks {
      let looks = 0;
      let time = 0;
      let ran = 7;
      let readings = 0;
      return {
        now() {
          const jump = jumps.find(({ at }) => at === looks) ?? { ms: 0.1, ran: 0.1 };
          looks++;
          ran += jump.ran;
          return (time += jump.ms);
        },
        ran() {
          readings++;
          return ran;
        },
        readings: () => readings,
      };
    }
    interface Clocks {
      now(): number;
      ran(): number;
      readings(): number;
    }

    /** What an endless guest took of 50 ms by the clock, less what a slice takes. */
    function lasted(clock: Clocks, first = true): number {
      const { governor, exports } = guest(spin, {}, { clock });
      if (!first) governor.run({}, () => undefined);
      const start = clock.now();
      const error = failure(() => governor.run({ cpuMs: 50 }, () => exports["f"]!()));
      expect(error.details).toMatchObject({ limit: "cpuMs" });
      return Math.round(clock.now() - start);
    }

    it("is given back", () => expect(lasted(watched({ at: 100, ms: 30, ran: 0.1 }))).toBe(75));

    it("is not what a collection of garbage took: the thread ran", () =>
      expect(lasted(watched({ at: 100, ms: 14, ran: 14 }))).toBe(50));

    it("is no more than what the thread did not run, however often", () => {
      expect(lasted(watched({ at: 100, ms: 20, ran: 12 }, { at: 200, ms: 14, ran: 14 }))).toBe(58);
      expect(lasted(watched({ at: 100, ms: 20, ran: 0 }, { at: 200, ms: 20, ran: 0 }))).toBe(80);
    });

    it("is what it must have been by the clock alone when it comes before the first reading", () =>
      expect(lasted(watched({ at: 5, ms: 30, ran: 30 }), false)).toBe(75));

    it("is not what the engine takes to compile what is called first", () =>
      expect(lasted(watched({ at: 4, ms: 30, ran: 30 }))).toBe(50));

    it("is not asked for in runs that are short but the first, and once in others", () => {
      const short = watched();
      const { governor, exports } = guest(count, {}, { clock: short });
      for (let run = 0; run < 3; run++) {
        governor.run({ cpuMs: 50 }, () => exports["f"]!(30_000));
        expect(short.readings()).toBe(1);
      }
      for (const first of [true, false]) {
        const long = watched();
        lasted(long, first);
        expect(long.readings()).toBe(first ? 1 : 2);
      }
    });
  });

  describe("is what a slice lasted too long by, and no other", () => {
    const fill = (elements: number): string =>
      `(table.fill (i32.const 0) (ref.null func) (i32.const ${elements}))`;
    const counts = `(loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))`;
    const text = `(module (import "h" "back" (func $back)) (table 100000 funcref)
      (func (export "fill") ${fill(10_000)}) (func (export "count") (param i32) ${counts}) (func (export "spin") (loop (br 0)))
      (func (export "both") (param i32) ${fill(100_000)} (call $back) ${counts}))`;

    /** Its clock moves by 0.1 ms at each look, but as `clock.coming` says for the next ones. */
    function fills(): Omit<Guest, "clock"> & { readonly clock: { time: number; coming: number[] } } {
      const clock = {
        time: 1e6,
        coming: [] as number[],
        now: () => (clock.time += clock.coming.shift() ?? 0.1),
      };
      // One look on the way back, and the next at the end of the slice.
      const back = (): void => void clock.coming.push(0.1, 40);
      return { ...guest(text, { back }, { clock }, { ...usual, tableElements: 100_000 }), clock };
    }

    it("not the time before the run", () => {
      const { governor, exports, clock } = fills();
      governor.run({}, () => exports["count"]!(1));
      clock.time += 1_000;
      const start = clock.time;
      failure(() => governor.run({ cpuMs: 20 }, () => exports["spin"]!()));
      expect(clock.time - start).toBeLessThan(22);
    });

    it("less what a long operation may take in its own slice, not in a later one or in another run", () => {
      const later = fills();
      later.governor.run({ measure: true }, () => later.exports["both"]!(100_000));
      expect(later.governor.usage.cpuMs).toBeLessThan(10);

      const another = fills();
      another.governor.run({}, () => another.exports["fill"]!());
      // The beginning of the run takes the first look.
      another.clock.coming.push(0.1, 40);
      another.governor.run({ measure: true }, () => another.exports["count"]!(100_000));
      expect(another.governor.usage.cpuMs).toBeLessThan(7);
    });
  });

  it("is wall time all the same: the deadline stands", () => {
    const { governor, exports } = guest(count, {}, { clock: jumping(10, 500) });
    const error = failure(() => governor.run({ deadline: 400 }, () => exports["f"]!(1_000_000)));
    expect(error.code).toBe("DEADLINE_EXCEEDED");
  });
});
