import { describe, expect, it, vi } from "vitest";

import type { RunLimits } from "../../src/governor/index.ts";
import type { Stop } from "../../src/governor/stop.ts";
import { createTestPlatform, type TestPlatform } from "@keelson/core/testing";
import { open } from "../support/instance.ts";
import { wat } from "../support/wat.ts";
import { failure, guest, type Guest } from "./harness.ts";

const V8 = "Deno" in globalThis || !("Bun" in globalThis);

/** Asks its host after each 0.1 ms. */
const ticking = `(module (import "h" "tick" (func $tick)) (func (export "f") (loop (call $tick) (br 0))))`;

interface Rehearsed extends Guest {
  /** When its stop was rehearsed, ms since it began, and what was thrown. */
  readonly rehearsals: { readonly at: number; readonly stop: Stop; readonly thrown: unknown }[];
  /** How often the guest has called its host. */
  ticks(): number;
}

function ticker(during: (own: Guest) => void = () => {}): Rehearsed {
  let ticks = 0;
  const rehearsals: Rehearsed["rehearsals"] = [];
  const tick = (): void => {
    ticks++;
    made.clock.time += 0.1;
  };
  const made = guest(ticking, { tick });
  const begin = made.clock.time;
  made.governor.rehearsal = (stop, thrown) => {
    rehearsals.push({ at: made.clock.time - begin, stop, thrown });
    during(made);
  };
  return { ...made, rehearsals, ticks: () => ticks };
}

function stopped({ governor, exports }: Guest, limits: RunLimits): string {
  return failure(() => governor.run(limits, () => exports["f"]!())).code;
}

describe("a stop", () => {
  it("is rehearsed 5 ms and half a millisecond before the run's time is over, with a trap of the engine's", () => {
    for (const limits of [{ cpuMs: 50 }, { deadline: 1050 }, { cpuMs: 50, deadline: 1e6 }]) {
      const own = ticker();
      expect(stopped(own, limits)).toBe("DEADLINE_EXCEEDED");
      expect(own.rehearsals).toHaveLength(2);
      for (const [index, at] of [45, 49.5].entries()) {
        const rehearsal = own.rehearsals[index]!;
        expect(rehearsal.at).toBeGreaterThanOrEqual(at);
        expect(rehearsal.at).toBeLessThan(at + 0.2);
        expect(rehearsal.thrown).toBeInstanceOf(WebAssembly.RuntimeError);
        expect(rehearsal.stop.code).toBe("DEADLINE_EXCEEDED");
      }
      expect(own.ticks()).toBeGreaterThanOrEqual(500);
    }
  });

  it("is not rehearsed in runs of a few milliseconds, nor where no limit of time is near", () => {
    for (const limits of [{ cpuMs: 5 }, { fuel: 50_000 }, { fuel: 50_000, cpuMs: 1000 }]) {
      const own = ticker();
      stopped(own, limits);
      expect(own.ticks()).toBeGreaterThan(40);
      expect(own.rehearsals).toEqual([]);
    }
  });

  it("is rehearsed on the guest's own time: what takes longer than is left stops the guest at once", () => {
    const own = ticker(({ clock }) => void (clock.time += 7));
    expect(stopped(own, { cpuMs: 50 })).toBe("DEADLINE_EXCEEDED");
    expect(own.ticks()).toBeLessThan(500);
    expect(own.rehearsals).toHaveLength(1);
    expect(own.governor.usage.cpuMs).toBeCloseTo(own.rehearsals[0]!.at + 7);
  });

  it("is rehearsed early enough for a collection of garbage that it lets begin: the guest then still has its time", () => {
    const own = ticker(({ clock }) => {
      if (clock.time < 1048) clock.time += 4;
    });
    expect(stopped(own, { cpuMs: 50 })).toBe("DEADLINE_EXCEEDED");
    expect(own.rehearsals.map(({ at }) => Math.round(at * 2) / 2)).toEqual([45, 49.5]);
    expect(own.governor.usage.cpuMs).toBeLessThan(50.2);
  });

  it("is rehearsed once in runs that end before the first would be worth it", () => {
    const own = ticker();
    stopped(own, { cpuMs: 8 });
    expect(own.rehearsals.map(({ at }) => Math.round(at * 2) / 2)).toEqual([7.5]);
  });

  it("is rehearsed for a run and for one inside it that ends sooner, each before its own end", () => {
    const within = `(module (import "h" "tick" (func $tick)) (import "h" "inner" (func $inner))
      (func (export "g") (param i32) (loop (call $tick) (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
      (func (export "f") (call 2 (i32.const 100)) (call $inner) (loop (call $tick) (br 0))))`;
    const made: Guest = guest(within, {
      tick: () => void (made.clock.time += 0.1),
      inner: () => made.governor.run({ cpuMs: 20 }, () => made.exports["g"]!(198)),
    });
    const begin = made.clock.time;
    const at: number[] = [];
    made.governor.rehearsal = () => void at.push(Math.round((made.clock.time - begin) * 2) / 2);
    expect(stopped(made, { cpuMs: 50 })).toBe("DEADLINE_EXCEEDED");
    expect(at).toEqual([25, 29.5, 45, 49.5]);
  });

  it("is rehearsed whatever comes of it: a guest that catches everything sees nothing", () => {
    let ticks = 0;
    const tick = (): void => {
      ticks++;
      clock.time += 0.1;
    };
    const catching = `(module (import "h" "tick" (func $tick)) (global (export "caught") (mut i32) (i32.const 0))
      (func (export "f") (loop $l (try (do (call $tick)) (catch_all (global.set 0 (i32.const 1)))) (br $l))))`;
    const { governor, exports, clock } = guest(catching, { tick });
    const fail = vi.fn(() => {
      throw new Error("no");
    });
    governor.rehearsal = fail;
    expect(failure(() => governor.run({ cpuMs: 50 }, () => exports["f"]!())).code).toBe("DEADLINE_EXCEEDED");
    expect(fail).toHaveBeenCalledTimes(2);
    expect(ticks).toBeGreaterThanOrEqual(500);
    expect((exports["caught"] as unknown as WebAssembly.Global).value).toBe(0);
  });

  it("of an instance is rehearsed to its error, and leaves the guest as it was: it may still answer", async () => {
    const platform = createTestPlatform();
    let time = 0;
    const clock = { ...platform.clock, now: () => time };
    const source = wat(
      `(module (import "h" "tick" (func $tick))
        (func (export "f") (param i32) (result i32) (loop (call $tick) (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.const 7)))`,
    );
    const imports = { h: { tick: () => void (time += 0.1) } } as never;
    const { call, instance } = await open({ source, imports, abi: "raw", limits: { cpuMs: 50 } }, {
      ...platform,
      clock,
    } as TestPlatform);
    const [answer, traps] = trapsLookedAt(() => call("f", [497]));
    expect(answer).toBe(7);
    expect(traps).toBe(V8 ? 2 : traps);
    expect(trapsLookedAt(() => call("f", [300]))).toEqual([7, 0]);
    expect(instance.dead).toBe(false);
    const error = failure(() => call("f", [510]));
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { limit: "cpuMs", method: "f" } });
    expect(instance.dead).toBe(true);
  });
});

/** What `run` answers, and of how many of the engine's traps the stack was read meanwhile: V8 asks the program how that is to look. */
function trapsLookedAt<T>(run: () => T): [answer: T, traps: number] {
  const own = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace");
  let traps = 0;
  Error.prepareStackTrace = (error, frames) => {
    if (error instanceof WebAssembly.RuntimeError) traps++;
    return frames.join("\n");
  };
  try {
    return [run(), traps];
  } finally {
    if (own === undefined) Reflect.deleteProperty(Error, "prepareStackTrace");
    else Object.defineProperty(Error, "prepareStackTrace", own);
  }
}
