import fc from "fast-check";
import { thrownCode } from "../support/errors.ts";
import { describe, expect, test } from "vitest";
import { RingLog } from "../../src/primitives/ring-log.ts";

describe("RingLog", () => {
  test("keeps the last items and says which one had to go", () => {
    const log = new RingLog<string>(2);
    expect([log.push("a"), log.push("b"), log.push("c"), log.push("d")]).toEqual([
      undefined,
      undefined,
      "a",
      "b",
    ]);
    expect(log.slice()).toEqual(["c", "d"]);
    expect([log.start, log.end]).toEqual([2, 4]);
  });

  test("finds items by their position for as long as it keeps them", () => {
    const log = new RingLog<string>(2);
    for (const item of ["a", "b", "c"]) log.push(item);
    expect([log.at(0), log.at(1), log.at(2), log.at(3)]).toEqual([undefined, "b", "c", undefined]);
  });

  test("an empty log has nothing, and its search ends at its end", () => {
    const log = new RingLog<string>(5);
    expect(log.slice()).toEqual([]);
    expect(log.search(() => true)).toBe(0);
  });

  test.each([0, -3, 2.5, Number.NaN])("refuses the capacity %s", (capacity) => {
    expect(thrownCode(() => new RingLog(capacity))).toBe("INVALID_OPTIONS");
  });

  test("holds and finds what an array would, for any capacity and number of items", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        // Below 0: the oldest is to go.
        fc.array(fc.integer({ min: -2, max: 5 }), { maxLength: 120 }),
        fc.integer({ min: -5, max: 400 }),
        fc.integer({ min: -5, max: 130 }),
        (capacity, steps, sought, from) => {
          const log = new RingLog<number>(capacity);
          const all: number[] = [];
          let start = 0;
          for (const step of steps) {
            if (step < 0) {
              expect(log.shift()).toBe(start < all.length ? all[start] : undefined);
              start = Math.min(start + 1, all.length);
              continue;
            }
            all.push((all.at(-1) ?? 0) + step);
            const gone = all.length - start > capacity ? all[start++] : undefined;
            expect(log.push(all.at(-1) as number)).toBe(gone);
          }
          expect([log.start, log.end]).toEqual([start, all.length]);
          expect(log.slice(from)).toEqual(all.slice(Math.max(from, start)));
          const found = all.findIndex((item, position) => position >= start && item > sought);
          expect(log.search((item) => item > sought)).toBe(found === -1 ? all.length : found);
        },
      ),
      { numRuns: 300 },
    );
  });
});
