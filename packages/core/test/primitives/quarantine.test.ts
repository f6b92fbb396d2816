import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Clock } from "../../src/contract/platform.ts";
import { parseQuarantine, Quarantine } from "../../src/primitives/quarantine.ts";

interface Step {
  readonly wait: number;
  readonly act: "stopped" | "admit" | "passed" | "failed" | "undecided";
}

/** The rules again, written down as what has happened instead of as states. */
class Model {
  now = 0;
  stops: number[] = [];
  held: { at: number; ms: number } | undefined;
  trial = false;

  step(act: Step["act"]): unknown {
    switch (act) {
      case "stopped": {
        if (this.held !== undefined) return false;
        this.stops.push(this.now);
        const recent = this.stops.filter((at) => at > this.now - 10_000);
        if (recent.length < 3) return false;
        this.stops = [];
        this.held = { at: this.now, ms: 1_000 };
        return true;
      }
      case "admit": {
        const due = this.held !== undefined && this.now >= this.held.at + this.held.ms && !this.trial;
        if (due) this.trial = true;
        return due;
      }
      case "passed":
        this.held = undefined;
        this.trial = false;
        return undefined;
      case "failed":
        this.held = { at: this.now, ms: Math.min(60_000, (this.held?.ms ?? 0) * 2) };
        this.trial = false;
        return undefined;
      case "undecided":
        this.trial = false;
        return undefined;
    }
  }
}

describe("a quarantine", () => {
  test("follows its rules, whatever happens in whatever order", () => {
    const act = fc.constantFrom<Step["act"]>(
      "stopped",
      "stopped",
      "stopped",
      "admit",
      "admit",
      "passed",
      "failed",
      "failed",
      "undecided",
    );
    const wait = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 4_000 }), fc.constant(70_000));
    fc.assert(
      fc.property(fc.array(fc.record({ wait, act }), { maxLength: 60 }), (steps) => {
        const model = new Model();
        const quarantine = new Quarantine(
          { now: () => model.now, wall: () => 0, after: () => ({ [Symbol.dispose]() {} }) },
          parseQuarantine({}),
        );
        for (const { wait, act } of steps) {
          model.now += wait;
          // outcomes belong to a trial that is on its way
          if (!model.trial && act !== "stopped" && act !== "admit") continue;
          if (!model.held && act === "admit") continue;
          expect(quarantine[act]()).toEqual(model.step(act));
          expect(quarantine.holds).toBe(model.held !== undefined);
          expect(quarantine.status?.onTrial ?? false).toBe(model.trial);
          expect(quarantine.status?.lastsMs).toBe(model.held?.ms);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("a longest time below the first holds for the first, too", () => {
    const clock = { now: () => 0, wall: () => 0, after: () => ({ [Symbol.dispose]() {} }) };
    const quarantine = new Quarantine(clock, parseQuarantine({ stops: 1, initialMs: 500, maxMs: 200 }));
    quarantine.stopped();
    expect(quarantine.lastsMs).toBe(200);
  });

  test("tells how long it lasts, of trials that failed and of those refused, and begins anew when all is forgiven", () => {
    let now = 0;
    const clock = { now: () => now } as Clock;
    const quarantine = new Quarantine(clock, parseQuarantine({ stops: 1, initialMs: 100 }));
    const base = { onTrial: false, failedTrials: 0, refused: 0, lastsMs: 100, trialInMs: 100 };
    for (let round = 0; round < 2; round++) {
      expect(quarantine.stopped()).toBe(true);
      expect(quarantine.status).toEqual(base);
      expect(quarantine.admit()).toBe(false);
      now += 60;
      expect(quarantine.status).toEqual({ ...base, refused: 1, trialInMs: 40 });
      now += 60;
      expect(quarantine.admit()).toBe(true);
      expect(quarantine.status).toEqual({ ...base, refused: 1, trialInMs: 0, onTrial: true });
      quarantine.failed();
      expect(quarantine.status).toEqual({
        ...base,
        refused: 1,
        failedTrials: 1,
        lastsMs: 200,
        trialInMs: 200,
      });
      now += 200;
      expect(quarantine.admit()).toBe(true);
      quarantine.passed();
      expect(quarantine.status).toBeUndefined();
    }
  });
});
