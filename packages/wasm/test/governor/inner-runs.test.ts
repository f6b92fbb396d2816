import { describe, expect, it } from "vitest";
import { Governor, type GuestThread, type RunLimits } from "../../src/governor/index.ts";
import { meter } from "../../src/meter/index.ts";
import { wat } from "../meter/wat.ts";
import { collectGarbage } from "../../../../tools/vitest/collect.ts";
import { failure, guest, ManualClock, usual, type Guest } from "./harness.ts";

/** Calls the host, and then counts down from what it is given. */
const CALLS_THEN_COUNTS = `(module (import "h" "back" (func $back))
  (func (export "f") (param i32) (result i32)
    (call $back)
    (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 0))
  (func (export "ok") (result i32) (i32.const 7))
  (func (export "spin") (loop (br 0))))`;

const LONG = 2_000_000;

/** A guest whose host function runs it again by `inner`; time goes on by 20 ms afterwards. */
function nested(inner: (guest: Guest) => void): Guest {
  const made: Guest = guest(CALLS_THEN_COUNTS, {
    back: () => {
      inner(made);
      made.clock.time += 20;
    },
  });
  return made;
}

describe("the limits of a run inside another", () => {
  const ended = AbortSignal.abort();
  let aborted = false;
  const later = {
    get aborted() {
      return aborted;
    },
  };

  it.each([
    ["cpuMs", () => ({ cpuMs: 5 })],
    ["deadline", () => ({ deadline: 1010 })],
    ["signal", () => ({ signal: later })],
  ] as const)("end with it: its %s is none of the outer run's", (_, limits) => {
    aborted = false;
    const { governor, exports, clock } = nested((made) => {
      expect(made.governor.run(limits(), () => made.exports["ok"]!())).toBe(7);
      aborted = true;
    });
    const outer = { cpuMs: 1_000, deadline: clock.time + 1_000 };
    expect(governor.run(outer, () => exports["f"]!(LONG))).toBe(0);
    expect(governor.dead).toBe(false);
  });

  it.each([
    ["cpuMs", { cpuMs: 5 }, "DEADLINE_EXCEEDED"],
    ["deadline", { deadline: 1005 }, "DEADLINE_EXCEEDED"],
    ["signal", { signal: ended }, "ABORTED"],
  ] as const)("hold in it: %s", (limit, limits: RunLimits, code) => {
    let time = 1000;
    const clock = { now: () => (time += 0.5) };
    const inner = guest(
      CALLS_THEN_COUNTS,
      { back: () => inner.governor.run(limits, () => inner.exports["spin"]!()) },
      { clock },
    );
    const error = failure(() =>
      inner.governor.run({ cpuMs: 1_000, deadline: 2_000 }, () => inner.exports["f"]!(1)),
    );
    expect(error).toMatchObject({ code, details: { limit } });
    if (limit === "cpuMs") expect(error.details?.["value"]).toBe(5);
    expect(time).toBeLessThan(1_030);
  });

  it.each([
    ["cpuMs", { cpuMs: 15 }, { cpuMs: 1_000 }],
    ["deadline", { deadline: 1015 }, { deadline: 5_000 }],
  ] as const)("cannot be wider than the outer run's %s", (limit, outer: RunLimits, inner: RunLimits) => {
    let time = 1000;
    const clock = { now: () => (time += 0.5) };
    const made = guest(
      CALLS_THEN_COUNTS,
      { back: () => made.governor.run(inner, () => made.exports["spin"]!()) },
      { clock },
    );
    const error = failure(() => made.governor.run(outer, () => made.exports["f"]!(1)));
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { limit } });
    expect(time).toBeLessThan(1_030);
  });

  it("without a signal of its own it hears the outer run's", () => {
    aborted = false;
    const made = guest(CALLS_THEN_COUNTS, {
      back: () => {
        aborted = true;
        made.governor.run({}, () => made.exports["spin"]!());
      },
    });
    const error = failure(() =>
      made.governor.run({ signal: later, fuel: 10_000_000 }, () => made.exports["f"]!(1)),
    );
    expect(error.code).toBe("ABORTED");
  });

  it("what was not the guest's own time is given back to the outer run as well", () => {
    const made = nested(({ governor, exports, clock }) => {
      governor.run({ cpuMs: 5 }, () => {
        clock.time += 500;
        governor.excuse(500);
        return exports["ok"]!();
      });
    });
    expect(made.governor.run({ cpuMs: 100 }, () => made.exports["f"]!(LONG))).toBe(0);
    expect(made.governor.run({ cpuMs: 100, measure: true }, () => made.exports["ok"]!())).toBe(7);
    // and no run has anything of an earlier one's
    expect(made.governor.usage.cpuMs).toBe(0);
  });
});

describe("the stack of a run inside another", () => {
  const OFTEN = `(module (import "h" "back" (func $back))
    (import "h" "fail" (func $fail))
    (func (export "f") (param i32) (loop (call $back) (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func $deep (export "g") (param i32)
      (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1)))) (else (call $fail)))))`;

  it.each(["return", "fail"])("is given back to the outer run, however often it happens: they %s", (how) => {
    let runs = 0;
    const made: Guest = guest(OFTEN, {
      back: () => {
        runs++;
        try {
          made.governor.run({}, () => made.exports["g"]!(50));
        } catch (error) {
          if ((error as Error).message !== "mine") throw error;
        }
      },
      fail: () => {
        if (how === "fail") throw new Error("mine");
      },
    });
    made.governor.run({}, () => made.exports["f"]!(1_000));
    expect(runs).toBe(1_000);
  });
});

describe("an instance that joins its guest while that runs", () => {
  it("may use its stack, and is governed", () => {
    const clock = new ManualClock();
    const governor = new Governor({ clock });
    const adopt = (text: string, imports: Record<string, unknown> = {}): Record<string, () => unknown> => {
      const metered = meter(wat(text), usual);
      const instance = new WebAssembly.Instance(new WebAssembly.Module(metered.bytes), {
        h: imports as never,
      });
      governor.adopt(instance, metered.meta);
      return instance.exports as never;
    };
    const outer = adopt(
      `(module (import "h" "join" (func $join (result i32))) (func (export "f") (result i32) (call $join)))`,
      {
        join: () => {
          const inner = adopt(`(module (func $deep (export "g") (param i32) (result i32)
          (if (local.get 0) (then (return (call $deep (i32.sub (local.get 0) (i32.const 1))))))
          (i32.const 9)))`);
          return (inner["g"] as (depth: number) => number)(100);
        },
      },
    );
    expect(governor.run({}, () => outer["f"]!())).toBe(9);
    expect(governor.run({}, () => outer["f"]!())).toBe(9);
    expect(failure(() => governor.run({ fuel: 50 }, () => outer["f"]!())).code).toBe("FUEL_EXHAUSTED");
  });
});

describe("guests of one thread that run inside one another", () => {
  it("find whose guest runs as it was when one of them ends, however that is", () => {
    const thread: GuestThread = { current: undefined };
    const inner = guest(CALLS_THEN_COUNTS, { back: () => {} }, { thread });
    const seen: unknown[] = [];
    const outer = guest(
      CALLS_THEN_COUNTS,
      {
        back: () => {
          seen.push(thread.current);
          inner.governor.run({}, () => seen.push(thread.current));
          seen.push(thread.current);
          expect(() => inner.governor.run({ fuel: 5_000 }, () => inner.exports["spin"]!())).toThrow();
          seen.push(thread.current);
        },
      },
      { thread },
    );
    outer.governor.run({}, () => outer.exports["f"]!(1));
    expect(
      seen.map((one) => (one === outer.governor ? "outer" : one === inner.governor ? "inner" : one)),
    ).toEqual(["outer", "inner", "outer", "outer"]);
    expect(thread.current).toBeUndefined();
  });

  it("do not keep one another afterwards", async () => {
    // JavaScriptCore takes what lies on the stack for a pointer.
    const [times, left] = [12, 3];
    const within = ({ governor, thread }: Guest & { readonly thread: GuestThread }): WeakRef<Governor> => {
      const outer = guest(CALLS_THEN_COUNTS, { back: () => governor.run({}, () => {}) }, { thread });
      outer.governor.run({}, () => outer.exports["f"]!(1));
      return new WeakRef(outer.governor);
    };
    const inners = Array.from({ length: times }, () => {
      const thread: GuestThread = { current: undefined };
      return { thread, ...guest(CALLS_THEN_COUNTS, { back: () => {} }, { thread }) };
    });
    const outers = inners.map(within);
    await collectGarbage();
    expect(inners).toHaveLength(times);
    expect(outers.filter((outer) => outer.deref() !== undefined).length).toBeLessThanOrEqual(left);
  });
});

it("a limit of time is passed when it is reached, not behind it", () => {
  for (const limits of [{ cpuMs: 40 }, { deadline: 1040 }] satisfies RunLimits[]) {
    const looped = `(module (import "h" "slow" (func $slow)) (func (export "f") (loop (call $slow) (br 0))))`;
    const { governor, exports, clock } = guest(looped, { slow: () => void (clock.time += 20) });
    const error = failure(() => governor.run(limits, () => exports["f"]!()));
    expect(error.details).toMatchObject({ limit: Object.keys(limits)[0], usage: { cpuMs: 40 } });
  }
});

it("a guest that was stopped is dead, also when whoever called it swallows what came of that", () => {
  const { governor, exports } = guest(CALLS_THEN_COUNTS, { back: () => {} });
  const swallowed = governor.run({ fuel: 5_000 }, () => {
    try {
      return exports["spin"]!();
    } catch {
      return "swallowed";
    }
  });
  expect([swallowed, governor.dead, governor.stopped?.code]).toEqual(["swallowed", true, "FUEL_EXHAUSTED"]);
  expect(failure(() => governor.run({}, () => exports["ok"]!())).code).toBe("WASM_TRAP");
});
