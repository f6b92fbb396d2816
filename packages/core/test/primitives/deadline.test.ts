import fc from "fast-check";
import { expect, test } from "vitest";
import { DeadlineQueue, type PendingDeadline } from "../../src/primitives/deadline.ts";
import { createFakeClock } from "../../src/testing/index.ts";

test("deadlines run in order of time on one timer", async () => {
  const clock = createFakeClock();
  const queue = new DeadlineQueue(clock);
  const ran: number[] = [];
  for (const at of [50, 10, 30, 10]) queue.add(at, () => ran.push(at));
  expect(clock.pending).toBe(1);
  await clock.advance(100);
  expect(ran).toEqual([10, 10, 30, 50]);
  expect(clock.pending).toBe(0);
});

test("with the last deadline cancelled no timer is left", () => {
  const clock = createFakeClock();
  const queue = new DeadlineQueue(clock);
  const added = Array.from({ length: 500 }, (_, at) => queue.add(at + 10, () => {}));
  for (const pending of added) queue.cancel(pending);
  expect(queue.size).toBe(0);
  expect(clock.pending).toBe(0);
});

test("a deadline that throws does not keep the others from running", async () => {
  const clock = createFakeClock();
  const queue = new DeadlineQueue(clock);
  const ran: number[] = [];
  queue.add(10, () => {
    throw new Error("on purpose");
  });
  queue.add(10, () => ran.push(1));
  await expect(clock.advance(10)).rejects.toThrow("on purpose");
  expect(ran).toEqual([1]);
});

test("whatever is added and cancelled, exactly those not cancelled run, none early", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ ms: fc.nat(100), cancel: fc.option(fc.nat(50)), wait: fc.nat(20) }), { maxLength: 200 }),
      async (steps) => {
        const clock = createFakeClock();
        const queue = new DeadlineQueue(clock);
        const expected = new Set<PendingDeadline>();
        const all: PendingDeadline[] = [];
        for (const { ms, cancel, wait } of steps) {
          const at = clock.now() + ms;
          const pending = queue.add(at, () => {
            expect(clock.now()).toBeGreaterThanOrEqual(at);
            expect(expected.delete(pending)).toBe(true);
          });
          all.push(pending);
          expected.add(pending);
          const victim = cancel === null ? undefined : all[cancel];
          if (victim !== undefined) {
            queue.cancel(victim);
            expected.delete(victim);
          }
          expect(queue.size).toBe(expected.size);
          if (wait > 15) await clock.advance(wait);
        }
        await clock.advance(200);
        expect(expected.size).toBe(0);
        expect(queue.size).toBe(0);
        expect(clock.pending).toBe(0);
      },
    ),
    { numRuns: 100 },
  );
});
