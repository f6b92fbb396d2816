import type { Lease, Pool, PoolOptions } from "@keelson/core";
import { ensure, ensureCode, ensureEqual, type Check, type CheckContext } from "../check.ts";
import type { Subject } from "../subject.ts";

interface Thing {
  readonly number: number;
  alive: boolean;
}

/** A pool of numbered things, with a ledger of who lives. */
function openPool(
  subject: Subject,
  context: CheckContext,
  options: PoolOptions,
): { pool: Pool<Thing>; alive: Set<Thing> } {
  const alive = new Set<Thing>();
  let made = 0;
  const pool = subject.createPool<Thing>(
    {
      create() {
        const thing: Thing = { number: ++made, alive: true };
        alive.add(thing);
        return thing;
      },
      destroy(thing) {
        thing.alive = false;
        alive.delete(thing);
      },
    },
    options,
    { clock: subject.platform().clock },
  );
  context.defer(() => pool.close({ timeoutMs: 0 }));
  return { pool, alive };
}

/** Checks of a pool by itself. */
export const poolChecks: readonly Check[] = [
  {
    id: "pool.never-two-holders",
    title: "an instance is held by one lease at a time",
    async run(subject, context) {
      const { pool } = openPool(subject, context, { max: 4 });
      const held = new Set<Thing>();
      const worker = async (): Promise<void> => {
        for (let n = 0; n < 200; n++) {
          const lease = await pool.checkout();
          const thing = lease.value;
          ensure(!held.has(thing), `instance ${thing.number} was handed out twice`);
          ensure(thing.alive, `instance ${thing.number} was handed out after its end`);
          held.add(thing);
          await Promise.resolve();
          held.delete(thing);
          if (n % 17 === 0) lease.discard("trap");
          else lease.release();
        }
      };
      await Promise.all(Array.from({ length: 12 }, worker));
      const { size, made, destroyed } = pool.stats();
      ensureEqual(made - destroyed, size, "made − destroyed = size");
    },
  },
  {
    id: "pool.bounded",
    title: "never more than max instances live; one caller more waits to its time-out, and nothing leaks",
    async run(subject, context) {
      const { pool, alive } = openPool(subject, context, { max: 2 });
      const leases = [await pool.checkout(), await pool.checkout()];
      ensureEqual(alive.size, 2, "instances alive");
      await ensureCode(pool.checkout({ timeoutMs: 20 }), "CHECKOUT_TIMEOUT", "the third of two");
      ensureEqual(alive.size, 2, "instances alive after a time-out");
      for (const lease of leases) lease.release();
      const again = [pool.tryCheckout(), pool.tryCheckout()];
      ensure(!again.includes(undefined), "after the release max checkouts must succeed at once");
      for (const lease of again) lease?.release();
    },
  },
  {
    id: "pool.first-come-first-served",
    title: "those who wait are served in the order they came, also when one of them aborts",
    async run(subject, context) {
      const { pool } = openPool(subject, context, { max: 1 });
      const first = await pool.checkout();
      const order: number[] = [];
      const refused: unknown[] = [];
      const controller = new AbortController();
      const waiting = [0, 1, 2, 3].map((number) =>
        pool.checkout(number === 1 ? { signal: controller.signal } : {}).then(
          (lease) => {
            order.push(number);
            lease.release();
          },
          (error: { code?: string }) => void refused.push(error.code),
        ),
      );
      controller.abort();
      first.release();
      ensure(pool.tryCheckout() === undefined || order.length > 0, "a newcomer overtook those who wait");
      await Promise.all(waiting);
      ensureEqual(order, [0, 2, 3], "order of service");
      ensureEqual(refused, ["ABORTED"], "what those who were not served were told");
    },
  },
  {
    id: "pool.stale-lease",
    title: "a lease that ended does no harm: a second release is LEASE_RELEASED and hits nobody",
    async run(subject, context) {
      const { pool } = openPool(subject, context, { max: 1 });
      const stale = await pool.checkout();
      stale.release();
      const current: Lease<Thing> = await pool.checkout();
      await ensureCode(() => stale.release(), "LEASE_RELEASED", "the second release");
      await ensureCode(() => stale.value, "LEASE_RELEASED", "the value of an ended lease");
      stale[Symbol.dispose]();
      ensure(pool.tryCheckout() === undefined, "the stale lease set the instance of another free");
      current.release();
    },
  },
  {
    id: "pool.trap-recycles",
    title: "a discarded instance never comes back, and its place is filled anew",
    async run(subject, context) {
      const { pool } = openPool(subject, context, { max: 1 });
      const lease = await pool.checkout();
      const thing = lease.value;
      lease.discard("trap");
      const next = await pool.checkout();
      ensure(next.value !== thing, "a discarded instance was handed out again");
      ensure(!thing.alive, "a discarded instance was not destroyed");
      ensureEqual(pool.stats().recycled.trap, 1, "recycled by trap");
      next.release();
    },
  },
  {
    id: "pool.max-uses",
    title: "an instance is replaced after maxUses",
    async run(subject, context) {
      const { pool } = openPool(subject, context, { max: 1, maxUses: 3 });
      const numbers: number[] = [];
      for (let n = 0; n < 7; n++) {
        const lease = await pool.checkout();
        numbers.push(lease.value.number);
        lease.release();
      }
      ensureEqual(numbers, [1, 1, 1, 2, 2, 2, 3], "instances used");
    },
  },
  {
    id: "pool.close-drains",
    title: "close() refuses newcomers and those who wait, lets leases end, and leaves nothing alive",
    async run(subject, context) {
      const { pool, alive } = openPool(subject, context, { max: 1 });
      const lease = await pool.checkout();
      const waiting = ensureCode(pool.checkout(), "POOL_CLOSED", "one who waited");
      const closed = pool.close({ timeoutMs: 5_000 });
      const again = pool.close();
      await waiting;
      await ensureCode(() => pool.tryCheckout(), "POOL_CLOSED", "a newcomer");
      await new Promise<void>((resolve) => subject.platform().clock.after(20, resolve));
      ensure(lease.value.alive, "a lease lost its instance while it was draining");
      lease.release();
      await Promise.all([closed, again]);
      ensureEqual(alive.size, 0, "instances alive after close");
    },
  },
  {
    id: "pool.no-listener-left",
    title: "no listener is left on the caller's signal",
    async run(subject, context) {
      const { pool } = openPool(subject, context, { max: 1 });
      const { signal } = new AbortController();
      let listeners = 0;
      const counted = new Proxy(signal, {
        get(target, key) {
          if (key === "addEventListener")
            return (...args: Parameters<AbortSignal["addEventListener"]>) => (
              listeners++,
              target.addEventListener(...args)
            );
          if (key === "removeEventListener")
            return (...args: Parameters<AbortSignal["removeEventListener"]>) => (
              listeners--,
              target.removeEventListener(...args)
            );
          const value: unknown = Reflect.get(target, key, target);
          return typeof value === "function" ? (value as () => unknown).bind(target) : value;
        },
      });
      const lease = await pool.checkout({ signal: counted });
      const waiting = pool.checkout({ signal: counted });
      const timedOut = ensureCode(
        pool.checkout({ signal: counted, timeoutMs: 5 }),
        "CHECKOUT_TIMEOUT",
        "the impatient one",
      );
      await timedOut;
      lease.release();
      (await waiting).release();
      ensureEqual(listeners, 0, "listeners left");
    },
  },
];
