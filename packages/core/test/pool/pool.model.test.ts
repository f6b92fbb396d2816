import { createPool, isKeelsonError, type Lease, type Pool } from "@keelson/core";
import { createFakeClock, type FakeClock, settle } from "@keelson/core/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { countListeners, createSource, type TestSource, type Thing } from "./subjects.ts";

// Random operations against a pool whose source answers at random, with books kept outside the pool.

interface Caller {
  readonly order: number;
  readonly controller: AbortController;
  readonly listeners: () => number;
  settled: boolean;
}

interface Books {
  readonly pool: Pool<Thing>;
  readonly source: TestSource;
  readonly clock: FakeClock;
  readonly max: number;
  readonly held: Map<Thing, Lease<Thing>>;
  readonly stale: Lease<Thing>[];
  readonly callers: Caller[];
  /** In the order in which they were served. */
  readonly served: Caller[];
  closed: Promise<void> | undefined;
}

function take(books: Books, lease: Lease<Thing>): void {
  const thing = lease.value;
  expect(books.source.alive.has(thing), "a dead instance was handed out").toBe(true);
  expect(books.held.has(thing), "two holders").toBe(false);
  books.held.set(thing, lease);
}

function drop(books: Books, pick: number, how: (lease: Lease<Thing>) => void): void {
  const entry = [...books.held][pick % Math.max(1, books.held.size)];
  if (entry === undefined) return;
  books.held.delete(entry[0]);
  how(entry[1]);
  books.stale.push(entry[1]);
}

function check(books: Books): void {
  const { pool, source, max, held, callers } = books;
  const stats = pool.stats();
  expect(stats.made - stats.destroyed).toBe(stats.size);
  expect(source.made).toBe(stats.made);
  expect(source.alive.size).toBe(stats.size);
  expect(stats.size + stats.making).toBeLessThanOrEqual(max);
  expect(stats.idle + stats.inUse).toBe(stats.size);
  expect(Object.values(stats.recycled).reduce((sum, count) => sum + count)).toBe(stats.destroyed);
  expect(stats.waiting === 0 || stats.idle === 0, "someone waits beside an idle instance").toBe(true);
  expect(stats.inUse).toBe(held.size);
  expect(stats.waiting).toBe(callers.filter((caller) => !caller.settled).length);
  for (const caller of callers) if (caller.settled) expect(caller.listeners()).toBe(0);
}

function checkout(books: Books, timeoutMs: number | undefined): void {
  const controller = new AbortController();
  const listeners = countListeners(controller.signal);
  const caller: Caller = { order: books.callers.length, controller, listeners, settled: false };
  books.callers.push(caller);
  const options = { signal: controller.signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  books.pool.checkout(options).then(
    (lease) => {
      caller.settled = true;
      books.served.push(caller);
      take(books, lease);
    },
    (error: unknown) => {
      caller.settled = true;
      const expected = isKeelsonError(error) || (error as Error).message === "no instance";
      if (!expected) throw error;
    },
  );
}

type Step = (books: Books) => void | Promise<void>;

const step: fc.Arbitrary<[string, Step]> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .option(fc.constantFrom(0, 5, 50, Infinity), { nil: undefined })
      .map((timeoutMs): [string, Step] => [`checkout(${timeoutMs})`, (books) => checkout(books, timeoutMs)]),
  },
  {
    weight: 2,
    arbitrary: fc.constant<[string, Step]>([
      "tryCheckout",
      ({ ...books }) => {
        if (books.closed !== undefined) return;
        const waiting = books.pool.stats().waiting;
        const lease = books.pool.tryCheckout();
        if (lease === undefined) return;
        expect(waiting, "overtook").toBe(0);
        take(books, lease);
      },
    ]),
  },
  {
    weight: 5,
    arbitrary: fc
      .nat(7)
      .map((pick): [string, Step] => [
        `release(${pick})`,
        (books) => drop(books, pick, (lease) => lease.release()),
      ]),
  },
  {
    weight: 2,
    arbitrary: fc
      .nat(7)
      .map((pick): [string, Step] => [
        `discard(${pick})`,
        (books) => drop(books, pick, (lease) => lease.discard()),
      ]),
  },
  {
    weight: 1,
    arbitrary: fc.nat(7).map((pick): [string, Step] => [
      `grow too large and release(${pick})`,
      (books) =>
        drop(books, pick, (lease) => {
          lease.value.bytes = 1_000;
          lease.release();
        }),
    ]),
  },
  {
    weight: 2,
    arbitrary: fc.nat(7).map((pick): [string, Step] => [
      `stale(${pick})`,
      ({ stale }) => {
        const lease = stale[pick % Math.max(1, stale.length)];
        if (lease === undefined) return;
        for (const use of [() => lease.release(), () => lease.discard(), () => lease.value]) {
          expect(use).toThrow(expect.objectContaining({ code: "LEASE_RELEASED" }));
        }
        lease[Symbol.dispose]();
      },
    ]),
  },
  {
    weight: 3,
    arbitrary: fc
      .nat(20)
      .map((pick): [string, Step] => [
        `abort(${pick})`,
        ({ callers }) => callers[pick % Math.max(1, callers.length)]?.controller.abort(),
      ]),
  },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(0, 1, 5, 60, 400, 2_000)
      .map((ms): [string, Step] => [`advance(${ms})`, ({ clock }) => clock.advance(ms)]),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.nat(7), fc.boolean()).map(([pick, fails]): [string, Step] => [
      `creation ${pick} ${fails ? "fails" : "succeeds"}`,
      async ({ source }) => {
        const [creation] = source.pending.splice(pick % Math.max(1, source.pending.length), 1);
        if (fails) creation?.reject(new Error("no instance"));
        else creation?.resolve();
        await settle();
      },
    ]),
  },
  {
    weight: 1,
    arbitrary: fc
      .boolean()
      .map((later): [string, Step] => [
        `source answers ${later ? "later" : "at once"}`,
        ({ source }) => void (source.later = later),
      ]),
  },
  {
    weight: 1,
    arbitrary: fc
      .boolean()
      .map((fails): [string, Step] => [
        `source ${fails ? "fails" : "recovers"}`,
        ({ source }) => void (source.failure = fails ? new Error("no instance") : undefined),
      ]),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(1, 500, Infinity)
      .map((bytes): [string, Step] => [`relieve(${bytes})`, ({ pool }) => void pool.relieve(bytes)]),
  },
  { weight: 3, arbitrary: fc.constant<[string, Step]>(["let promises run", () => settle()]) },
);

const options = fc.record({
  min: fc.nat(2),
  max: fc.integer({ min: 2, max: 4 }),
  maxUses: fc.constantFrom(2, 5, Infinity),
  maxIdleMs: fc.constantFrom(100, 1_000, Infinity),
  timeoutMs: fc.constantFrom(20, 1_000),
  maxMemoryBytes: fc.constantFrom(500, Infinity),
});

test("whatever is done to a pool: nothing is lost, lent twice, made beyond max or served out of turn", async () => {
  await fc.assert(
    fc.asyncProperty(
      options,
      fc.boolean(),
      fc.array(step, { maxLength: 60 }),
      fc.boolean(),
      async (chosen, later, steps, endsWell) => {
        const clock = createFakeClock();
        const source = createSource({ later });
        const pool = createPool(source, chosen, { clock });
        const books: Books = {
          pool,
          source,
          clock,
          max: chosen.max,
          held: new Map(),
          stale: [],
          callers: [],
          served: [],
          closed: undefined,
        };
        for (const [, run] of steps) {
          await run(books);
          await settle();
          check(books);
        }
        const order = books.served.map((caller) => caller.order);
        expect(order, "served out of turn").toEqual(order.toSorted((one, other) => one - other));

        if (endsWell) {
          // All is given back and the source is well again: max checkouts succeed at once.
          source.later = false;
          source.failure = undefined;
          for (const caller of books.callers) caller.controller.abort();
          for (const creation of source.pending.splice(0)) creation.resolve();
          await settle();
          while (books.held.size > 0) drop(books, 0, (lease) => lease.release());
          await settle();
          const before = books.served.length;
          for (let count = 0; count < chosen.max; count++) checkout(books, 0);
          await settle();
          expect(books.served.length - before).toBe(chosen.max);
          check(books);
        }

        books.closed = pool.close({ timeoutMs: 100 });
        await settle();
        if (endsWell) while (books.held.size > 0) drop(books, 0, (lease) => lease.release());
        await clock.advance(100);
        await books.closed;
        for (const creation of source.pending.splice(0)) creation.resolve();
        await settle();
        expect(source.alive.size).toBe(0);
        expect(clock.pending).toBe(0);
        expect(books.callers.every((caller) => caller.settled && caller.listeners() === 0)).toBe(true);
        expect(pool.stats()).toMatchObject({ size: 0, idle: 0, waiting: 0, making: 0 });
      },
    ),
    { numRuns: 400 },
  );
}, 60_000);
