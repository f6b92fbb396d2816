import fc from "fast-check";
import { thrownCode } from "../support/errors.ts";
import { describe, expect, test } from "vitest";
import { BoundedQueue } from "../../src/primitives/bounded-queue.ts";

describe("BoundedQueue", () => {
  test("gives items back in the order they came", () => {
    const queue = new BoundedQueue<number>(100);
    for (let item = 0; item < 40; item++) queue.push(item);
    expect(Array.from({ length: 40 }, () => queue.shift())).toEqual(
      Array.from({ length: 40 }, (_, item) => item),
    );
    expect(queue.shift()).toBeUndefined();
  });

  test("refuses an item beyond its capacity and changes nothing", () => {
    const queue = new BoundedQueue<number>(3);
    expect([1, 2, 3, 4].map((item) => queue.push(item))).toEqual([true, true, true, false]);
    expect(queue.full).toBe(true);
    expect([queue.shift(), queue.shift(), queue.shift(), queue.shift()]).toEqual([1, 2, 3, undefined]);
  });

  test("keeps its order when the ring grows while its head is in the middle", () => {
    const queue = new BoundedQueue<number>(1000);
    for (let item = 0; item < 16; item++) queue.push(item);
    for (let item = 0; item < 10; item++) queue.shift();
    for (let item = 16; item < 60; item++) queue.push(item);
    expect(Array.from({ length: queue.size }, () => queue.shift())).toEqual(
      Array.from({ length: 50 }, (_, at) => at + 10),
    );
  });

  test.each([0, -1, 1.5, Number.NaN, Infinity])("refuses the capacity %s", (capacity) => {
    expect(thrownCode(() => new BoundedQueue(capacity))).toBe("INVALID_OPTIONS");
  });

  test("behaves as an array with a limit, whatever is done to it", () => {
    const operation = fc.oneof(
      { weight: 5, arbitrary: fc.record({ type: fc.constant("push" as const), item: fc.integer() }) },
      { weight: 4, arbitrary: fc.record({ type: fc.constant("shift" as const) }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant("clear" as const) }) },
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70 }),
        fc.array(operation, { maxLength: 300 }),
        (capacity, operations) => {
          const queue = new BoundedQueue<number>(capacity);
          const model: number[] = [];
          for (const step of operations) {
            if (step.type === "push") {
              expect(queue.push(step.item)).toBe(model.length < capacity);
              if (model.length < capacity) model.push(step.item);
            } else if (step.type === "shift") {
              expect(queue.shift()).toBe(model.shift());
            } else {
              queue.clear();
              model.length = 0;
            }
            expect(queue.size).toBe(model.length);
            expect(queue.full).toBe(model.length === capacity);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
