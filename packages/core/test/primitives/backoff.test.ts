import { describe, expect, test } from "vitest";
import { isKeelsonError } from "../../src/contract/errors.ts";
import { createBackoff } from "../../src/primitives/backoff.ts";

describe("backoff", () => {
  test("waits grow by the factor from the first wait up to the cap", () => {
    const backoff = createBackoff({ initialMs: 100, factor: 2, maxMs: 1000, jitter: 0 });
    expect([1, 2, 3, 4, 5, 6].map((n) => backoff.waitMs(n, 0.9))).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  test("jitter spreads a wait to both sides by its share, at the cap as well", () => {
    const backoff = createBackoff({ initialMs: 100, maxMs: 100, jitter: 0.2 });
    expect(backoff.waitMs(1, 0)).toBeCloseTo(80);
    expect(backoff.waitMs(1, 0.5)).toBeCloseTo(100);
    expect(backoff.waitMs(9, 0.999999)).toBeCloseTo(120, 2);
  });

  test("the ten-thousandth wait is a number, also when the first is nothing", () => {
    expect(createBackoff({ maxMs: 50, jitter: 0 }).waitMs(10_000, 0)).toBe(50);
    expect(createBackoff({ initialMs: 0, jitter: 0 }).waitMs(10_000, 0)).toBe(0);
  });

  test.each([
    { initialMs: -1 },
    { factor: 0.5 },
    { maxMs: Number.NaN },
    { jitter: 1.1 },
    { jitter: "a" as never },
  ])("%j is refused with INVALID_OPTIONS", (options) => {
    try {
      createBackoff(options);
      expect.unreachable();
    } catch (error) {
      expect(isKeelsonError(error, "INVALID_OPTIONS")).toBe(true);
    }
  });
});
