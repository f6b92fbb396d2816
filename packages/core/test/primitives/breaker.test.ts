import fc from "fast-check";
import { thrownCode } from "../support/errors.ts";
import { describe, expect, test } from "vitest";
import { Breaker } from "../../src/primitives/breaker.ts";
import { createFakeClock } from "../../src/testing/index.ts";

const options = { failures: 3, withinMs: 100, coolDownMs: 50 };

describe("Breaker", () => {
  test("opens at the failure that fills the window, by default the fifth in ten minutes", async () => {
    const clock = createFakeClock();
    const breaker = new Breaker(clock);
    for (let n = 1; n <= 4; n++) expect(breaker.failed("normal")).toBe(false);
    await clock.advance(599_999);
    expect(breaker.enter()).toBe("normal");
    expect(breaker.failed("normal")).toBe(true);
    expect(breaker.state).toBe("open");
    await clock.advance(599_999);
    expect(breaker.enter()).toBeUndefined();
    await clock.advance(1);
    expect(breaker.enter()).toBe("trial");
  });

  test("failures that are older than the window do not count", async () => {
    const clock = createFakeClock();
    const breaker = new Breaker(clock, options);
    for (let n = 0; n < 20; n++) {
      expect(breaker.failed("normal")).toBe(false);
      await clock.advance(50);
    }
  });

  test("successes in between do not undo failures", () => {
    const breaker = new Breaker(createFakeClock(), options);
    breaker.failed("normal");
    breaker.succeeded("normal");
    breaker.failed("normal");
    breaker.succeeded("normal");
    expect(breaker.failed("normal")).toBe(true);
  });

  test("lets one trial through, whose success closes it and whose failure opens it again", async () => {
    const clock = createFakeClock();
    const breaker = new Breaker(clock, options);
    for (let n = 0; n < 3; n++) breaker.failed("normal");
    await clock.advance(50);
    expect(breaker.enter()).toBe("trial");
    expect(breaker.state).toBe("half-open");
    expect(breaker.enter()).toBeUndefined();
    expect(breaker.failed("trial")).toBe(true);
    expect(breaker.enter()).toBeUndefined();
    await clock.advance(50);
    expect(breaker.enter()).toBe("trial");
    breaker.succeeded("trial");
    expect(breaker.state).toBe("closed");
    expect(breaker.failed("normal")).toBe(false);
    expect(breaker.failed("normal")).toBe(false);
    expect(breaker.failed("normal")).toBe(true);
  });

  test("outcomes of those that passed before it opened change nothing", async () => {
    const clock = createFakeClock();
    const breaker = new Breaker(clock, options);
    for (let n = 0; n < 3; n++) breaker.failed("normal");
    breaker.succeeded("normal");
    expect(breaker.state).toBe("open");
    await clock.advance(50);
    breaker.enter();
    breaker.succeeded("normal");
    expect(breaker.failed("normal")).toBe(false);
    expect(breaker.state).toBe("half-open");
  });

  test("late failures of those that passed before it opened do not keep it open for longer", async () => {
    const clock = createFakeClock();
    const breaker = new Breaker(clock, options);
    for (let n = 0; n < 3; n++) breaker.failed("normal");
    await clock.advance(40);
    for (let n = 0; n < 5; n++) expect(breaker.failed("normal")).toBe(false);
    await clock.advance(10);
    expect(breaker.enter()).toBe("trial");
    for (let n = 0; n < 5; n++) expect(breaker.failed("normal")).toBe(false);
    expect(breaker.state).toBe("half-open");
  });

  test("an abandoned trial leaves the place to the next, and only a trial can be abandoned", async () => {
    const clock = createFakeClock();
    const breaker = new Breaker(clock, options);
    for (let n = 0; n < 3; n++) breaker.failed("normal");
    await clock.advance(50);
    expect(breaker.enter()).toBe("trial");
    breaker.abandoned("normal");
    expect(breaker.state).toBe("half-open");
    breaker.abandoned("trial");
    expect(breaker.enter()).toBe("trial");
    breaker.succeeded("trial");
    breaker.abandoned("trial");
    expect(breaker.state).toBe("closed");
  });

  test("a trial is judged once", async () => {
    const clock = createFakeClock();
    const breaker = new Breaker(clock, options);
    for (let n = 0; n < 3; n++) breaker.failed("normal");
    await clock.advance(50);
    expect(breaker.enter()).toBe("trial");
    expect(breaker.failed("trial")).toBe(true);
    await clock.advance(30);
    expect(breaker.failed("trial")).toBe(false);
    await clock.advance(20);
    expect(breaker.enter()).toBe("trial");
    breaker.succeeded("trial");
    expect(breaker.state).toBe("closed");
    // Forgiven are all failures.
    expect([1, 2, 3].map(() => breaker.failed("normal"))).toEqual([false, false, true]);
  });

  test("refuses figures that make no sense", () => {
    const clock = createFakeClock();
    for (const bad of [{ failures: 0 }, { withinMs: 0 }, { withinMs: NaN }, { coolDownMs: -1 }]) {
      expect(thrownCode(() => new Breaker(clock, bad))).toBe("INVALID_OPTIONS");
    }
  });

  test("agrees with a plain model over random histories", async () => {
    const step = fc.oneof(
      fc.record({ wait: fc.integer({ min: 1, max: 80 }) }),
      fc.record({ ok: fc.boolean() }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const clock = createFakeClock();
        const breaker = new Breaker(clock, options);
        let failures: number[] = [];
        let openedAt: number | undefined;
        for (const one of steps) {
          if ("wait" in one) {
            await clock.advance(one.wait);
            continue;
          }
          const now = clock.now();
          const pass = breaker.enter();
          if (openedAt !== undefined && now - openedAt < options.coolDownMs) {
            expect(pass).toBeUndefined();
            continue;
          }
          expect(pass).toBe(openedAt === undefined ? "normal" : "trial");
          if (one.ok) {
            breaker.succeeded(pass ?? "normal");
            if (openedAt !== undefined) failures = [];
            openedAt = undefined;
          } else {
            failures =
              openedAt === undefined ? [...failures, now].filter((at) => at > now - options.withinMs) : [];
            const opens = openedAt !== undefined || failures.length >= options.failures;
            expect(breaker.failed(pass ?? "normal")).toBe(opens);
            openedAt = opens ? now : undefined;
            if (opens) failures = [];
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
