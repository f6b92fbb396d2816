import fc from "fast-check";
import { expect, test } from "vitest";
import { DeadlineQueue, type PendingDeadline } from "../../src/primitives/deadline.ts";
import { createFakeClock, settle } from "../../src/testing/index.ts";

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
  queue.add(10, () => {
    throw new Error("the second");
  });
  await expect(clock.advance(10)).rejects.toThrow("on purpose");
  expect(ran).toEqual([1]);
});

test("cancelling what ran, was cancelled or went with the queue changes nothing", async () => {
  const clock = createFakeClock();
  const queue = new DeadlineQueue(clock);
  const [ran, cancelled] = [10, 30].map((at) => queue.add(at, () => {})) as [
    PendingDeadline,
    PendingDeadline,
  ];
  await clock.advance(10);
  queue.cancel(ran);
  expect(queue.size).toBe(1);
  queue.add(40, () => {});
  for (let twice = 0; twice < 2; twice++) queue.cancel(cancelled);
  expect(queue.size).toBe(1);
  const closed = queue.add(50, () => {});
  queue.close();
  queue.cancel(closed);
  expect([queue.size, clock.pending]).toEqual([0, 0]);
});

test("whatever is added and cancelled, exactly those not cancelled run, none early", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ ms: fc.nat(100), cancel: fc.option(fc.nat(50)), wait: fc.nat(20) }), {
        maxLength: 200,
      }),
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

test("a lazy queue keeps its timer from one deadline to the next, and lets it go when no more come", async () => {
  const clock = createFakeClock();
  let made = 0;
  const counting = { ...clock, after: (ms: number, run: () => void) => (made++, clock.after(ms, run)) };
  const queue = new DeadlineQueue(counting, true);
  for (let n = 0; n < 100; n++) {
    const pending = queue.add(clock.now() + 1000, () => {});
    await Promise.resolve();
    queue.cancel(pending);
    await Promise.resolve();
  }
  expect(made).toBe(1);
  await settle();
  expect(clock.pending).toBe(0);
  let ran = 0;
  queue.add(clock.now() + 10, () => ran++);
  await clock.advance(10);
  expect([ran, clock.pending]).toEqual([1, 0]);
});
