import { createPool, type Lease, type Pool, type PoolOptions } from "@keelson/core";
import { createFakeClock, type FakeClock, settle } from "@keelson/core/testing";
import { afterEach, describe, expect, test } from "vitest";
import { countListeners, createCall, createSource, type TestSource, type Thing, watch } from "./subjects.ts";
import { rejectionCode, thrownCode } from "../support/errors.ts";

interface Setup {
  readonly clock: FakeClock;
  readonly source: TestSource;
  readonly pool: Pool<Thing>;
}

const open: Setup[] = [];

function setUp(options: PoolOptions = {}, source: TestSource = createSource()): Setup {
  const clock = createFakeClock();
  const made = { clock, source, pool: createPool(source, options, { clock, name: "test pool" }) };
  open.push(made);
  return made;
}

afterEach(async () => {
  for (const { clock, pool, source } of open.splice(0)) {
    const closed = pool.close({ timeoutMs: 0 });
    await clock.advance(0);
    await closed;
    for (const { resolve } of source.pending) resolve();
    await settle();
    expect(source.alive.size, "instances left alive").toBe(0);
    expect(clock.pending, "timers left behind").toBe(0);
    const { made, destroyed, size, recycled } = pool.stats();
    expect(made - destroyed).toBe(size);
    expect(Object.values(recycled).reduce((sum, count) => sum + count)).toBe(destroyed);
  }
});

function take(pool: Pool<Thing>): Lease<Thing> {
  const lease = pool.tryCheckout();
  if (lease === undefined) throw new Error("nothing is free");
  return lease;
}

describe("a checkout", () => {
  test("of a free instance is there at once", async () => {
    const { pool } = setUp({ min: 2 });
    const lease = take(pool);
    expect(pool.stats()).toMatchObject({ size: 2, idle: 1, inUse: 1, checkouts: 1 });
    lease.release();
    const awaited = await pool.checkout();
    expect(awaited.value.id).toBe(2);
    awaited.release();
  });

  test("makes an instance when none is free and there is room", async () => {
    const { pool, source } = setUp({ max: 2 });
    expect(pool.tryCheckout()).toBeUndefined();
    expect(source.made).toBe(0);
    const leases = [await pool.checkout(), await pool.checkout()];
    expect(source.made).toBe(2);
    expect(watch(pool.checkout())).toMatchObject({ lease: undefined });
    expect(pool.stats()).toMatchObject({ size: 2, inUse: 2, waiting: 1 });
    for (const lease of leases) lease.release();
  });

  test("takes the most recently used instance, so that the others may grow old", () => {
    const { pool } = setUp({ min: 3 });
    const [first, second] = [take(pool), take(pool)];
    const { value } = first;
    second.release();
    first.release();
    expect(take(pool).value).toBe(value);
  });

  test("waits at most its own time-out", async () => {
    const { pool, clock } = setUp({ max: 1 });
    const lease = await pool.checkout();
    const late = watch(pool.checkout({ timeoutMs: 100 }));
    await clock.advance(99);
    expect(late.error).toBeUndefined();
    await clock.advance(1);
    expect(late.error).toMatchObject({ code: "CHECKOUT_TIMEOUT" });
    lease.release();
    expect(pool.stats()).toMatchObject({ idle: 1, waiting: 0, checkoutErrors: 1 });
  });

  test("leaves no timer behind when it is served", async () => {
    const { pool, clock } = setUp({ max: 1, maxIdleMs: Infinity });
    const lease = await pool.checkout();
    const waiting = [watch(pool.checkout()), watch(pool.checkout({ timeoutMs: 50 }))];
    expect(clock.pending).toBe(1);
    lease.release();
    await waiting[0]?.done;
    waiting[0]?.lease?.release();
    await waiting[1]?.done;
    expect(clock.pending).toBe(0);
  });

  test("reads the clock once for all who begin to wait in a turn, and each has its whole time", async () => {
    const clock = createFakeClock();
    let readings = 0;
    const counted = { ...clock, now: () => (readings++, clock.now()) };
    const pool = createPool(
      createSource(),
      { max: 1, timeoutMs: 1_000, maxIdleMs: Infinity },
      { clock: counted },
    );
    const lease = await pool.checkout();
    readings = 0;
    const together = Array.from({ length: 100 }, () => watch(pool.checkout()));
    await settle();
    // One for them, one for the timer.
    expect(readings).toBe(2);
    await clock.advance(400);
    const late = watch(pool.checkout());
    await clock.advance(599);
    expect(together.filter(({ error }) => error !== undefined)).toHaveLength(0);
    await clock.advance(1);
    for (const { error } of together) expect(error).toMatchObject({ code: "CHECKOUT_TIMEOUT" });
    await clock.advance(399);
    expect(late.error).toBeUndefined();
    await clock.advance(1);
    expect(late.error).toMatchObject({ code: "CHECKOUT_TIMEOUT" });
    lease.release();
    await pool.close();
  });

  test("that is served after the turn in which it began leaves no timer either", async () => {
    const { pool, clock } = setUp({ max: 1, maxIdleMs: Infinity });
    const lease = await pool.checkout();
    const waiting = [watch(pool.checkout()), watch(pool.checkout())];
    await settle();
    expect(clock.pending).toBe(1);
    lease.release();
    for (const next of waiting) {
      await next.done;
      next.lease?.release();
    }
    expect(clock.pending).toBe(0);
    const again = [take(pool), watch(pool.checkout())] as const;
    await settle();
    await clock.advance(30_000);
    expect(again[1].error).toMatchObject({ code: "CHECKOUT_TIMEOUT" });
    again[0].release();
  });

  test("sets no timer for whoever is served in the turn in which the wait began", async () => {
    const { pool, clock } = setUp({ max: 1, maxIdleMs: Infinity });
    const lease = await pool.checkout();
    const waiting = watch(pool.checkout());
    lease.release();
    await waiting.done;
    expect(waiting.lease).toBeDefined();
    expect(clock.pending).toBe(0);
    waiting.lease?.release();
  });

  test("waits at most as long as the pool says, each from its own beginning", async () => {
    const { pool, clock } = setUp({ max: 1, timeoutMs: 1_000 });
    await pool.checkout();
    const first = watch(pool.checkout());
    await clock.advance(400);
    const second = watch(pool.checkout());
    const patient = watch(pool.checkout({ timeoutMs: Infinity }));
    await clock.advance(599);
    expect(first.error).toBeUndefined();
    await clock.advance(1);
    expect(first.error).toMatchObject({ code: "CHECKOUT_TIMEOUT" });
    expect(second.error).toBeUndefined();
    await clock.advance(400);
    expect(second.error).toMatchObject({ code: "CHECKOUT_TIMEOUT" });
    await clock.advance(100_000);
    expect(patient.error).toBeUndefined();
  });

  test("with a time-out of 0 waits for nothing, but takes what can be made at once", async () => {
    const { pool } = setUp({ max: 1 });
    const lease = await pool.checkout({ timeoutMs: 0 });
    expect(await rejectionCode(pool.checkout({ timeoutMs: 0 }))).toBe("CHECKOUT_TIMEOUT");
    lease.release();
  });

  test("refuses a time-out that is no time", async () => {
    const { pool } = setUp({ max: 1 });
    await pool.checkout();
    expect(await rejectionCode(pool.checkout({ timeoutMs: -1 }))).toBe("INVALID_OPTIONS");
    expect(await rejectionCode(pool.checkout({ timeoutMs: Number.NaN }))).toBe("INVALID_OPTIONS");
  });

  test("refuses options that are none also when an instance is free, which stays free", async () => {
    const { pool } = setUp({ max: 1 });
    (await pool.checkout()).release();
    for (const wrong of [
      { timeoutMs: NaN },
      { timeoutMs: -1 },
      { timeoutMs: "5" },
      { signal: {} },
    ] as never[])
      expect(await rejectionCode(pool.checkout(wrong))).toBe("INVALID_OPTIONS");
    expect(pool.stats()).toMatchObject({ idle: 1, inUse: 0, waiting: 0, checkouts: 1 });
    for (const none of [null, {}, { timeoutMs: 0 }, { timeoutMs: Infinity, signal: undefined }] as never[])
      (await pool.checkout(none)).release();
    expect(pool.stats().waiting).toBe(0);
  });

  test("whose signal fired before takes nothing", async () => {
    const { pool } = setUp({ min: 1 });
    expect(await rejectionCode(pool.checkout({ signal: AbortSignal.abort() }))).toBe("ABORTED");
    expect(pool.stats()).toMatchObject({ idle: 1, checkouts: 0, checkoutErrors: 1 });
  });

  test("ends its wait when its signal fires, and keeps the reason", async () => {
    const { pool } = setUp({ max: 1 });
    const lease = await pool.checkout();
    const controller = new AbortController();
    const waiting = pool.checkout({ signal: controller.signal });
    controller.abort("enough");
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED", cause: "enough" });
    lease.release();
    expect(pool.stats()).toMatchObject({ idle: 1, waiting: 0 });
  });

  test("leaves no listener on the caller's signal, however it ends", async () => {
    const { pool, clock } = setUp({ max: 1 });
    const controller = new AbortController();
    const { signal } = controller;
    const listeners = countListeners(signal);
    const free = await pool.checkout({ signal });
    expect(listeners()).toBe(0);
    const served = pool.checkout({ signal });
    expect(listeners()).toBe(1);
    free.release();
    const held = await served;
    expect(listeners()).toBe(0);
    const late = rejectionCode(pool.checkout({ signal, timeoutMs: 5 }));
    expect(listeners()).toBe(1);
    await clock.advance(5);
    expect(await late).toBe("CHECKOUT_TIMEOUT");
    expect(listeners()).toBe(0);
    const aborted = rejectionCode(pool.checkout({ signal }));
    controller.abort();
    expect(await aborted).toBe("ABORTED");
    expect(listeners()).toBe(0);
    held.release();
  });

  test("beyond maxWaiting is POOL_EXHAUSTED, and those who wait keep their places", async () => {
    const { pool } = setUp({ max: 1, maxWaiting: 2 });
    const lease = await pool.checkout();
    const waiting = [watch(pool.checkout()), watch(pool.checkout())];
    expect(await rejectionCode(pool.checkout())).toBe("POOL_EXHAUSTED");
    lease.release();
    await waiting[0]?.done;
    expect(waiting[0]?.lease).toBeDefined();
    expect(pool.stats().waiting).toBe(1);
  });
});

describe("those who wait", () => {
  test("are served first come, first served", async () => {
    const { pool } = setUp({ max: 1 });
    let lease = await pool.checkout();
    const order: number[] = [];
    const waiting = Array.from({ length: 5 }, (_, index) =>
      pool.checkout().then((next) => {
        order.push(index);
        return next;
      }),
    );
    for (const next of waiting) {
      lease.release();
      expect(pool.tryCheckout(), "overtakes").toBeUndefined();
      lease = await next;
    }
    expect(order).toEqual([0, 1, 2, 3, 4]);
    lease.release();
  });

  test("go on in order when an abort meets a release", async () => {
    const { pool } = setUp({ max: 1 });
    const lease = await pool.checkout();
    const controllers = [new AbortController(), new AbortController(), new AbortController()];
    const waiting = controllers.map(({ signal }) => watch(pool.checkout({ signal })));
    controllers[0]?.abort();
    lease.release();
    // Too late: the instance is the second's already.
    controllers[1]?.abort();
    await settle();
    expect(waiting[0]?.error).toMatchObject({ code: "ABORTED" });
    expect(waiting[1]?.lease?.value.id).toBe(1);
    expect(waiting[2]?.lease).toBeUndefined();
    waiting[1]?.lease?.release();
    await settle();
    expect(waiting[2]?.lease?.value.id).toBe(1);
  });

  test("in the middle may leave without disturbing the others", async () => {
    const { pool } = setUp({ max: 1 });
    const lease = await pool.checkout();
    const controllers = Array.from({ length: 5 }, () => new AbortController());
    const waiting = controllers.map(({ signal }) => watch(pool.checkout({ signal })));
    for (const index of [2, 4, 0]) controllers[index]?.abort();
    expect(pool.stats().waiting).toBe(2);
    const last = watch(pool.checkout());
    lease.release();
    for (const next of [waiting[1], waiting[3], last]) {
      await next?.done;
      next?.lease?.release();
    }
    expect(pool.stats()).toMatchObject({ waiting: 0, idle: 1, checkouts: 4, checkoutErrors: 3 });
  });

  test("get a new instance for one that is discarded", async () => {
    const { pool, source } = setUp({ max: 1 });
    const lease = await pool.checkout();
    const next = pool.checkout();
    lease.discard("trap");
    expect((await next).value.id).toBe(2);
    expect(source.alive.size).toBe(1);
    expect(pool.stats().recycled.trap).toBe(1);
  });

  test("get an instance made for another who was served before", async () => {
    const { pool, source } = setUp({ max: 2 }, createSource({ later: true }));
    const first = watch(pool.checkout());
    source.pending[0]?.resolve();
    await first.done;
    const second = watch(pool.checkout());
    const third = watch(pool.checkout());
    expect(source.pending.length).toBe(2);
    first.lease?.release();
    await second.done;
    expect(second.lease?.value.id).toBe(1);
    // Begun for the second, and now the third's.
    source.pending[1]?.resolve();
    await third.done;
    expect(third.lease?.value.id).toBe(2);
  });
});

describe("an instance that is being made", () => {
  test("for one who left is waited for by the next, and no second one is made", async () => {
    const { pool, source } = setUp({ max: 4 }, createSource({ later: true }));
    const controller = new AbortController();
    const gone = watch(pool.checkout({ signal: controller.signal }));
    controller.abort();
    await gone.done;
    const next = watch(pool.checkout());
    expect(source.pending.length).toBe(1);
    source.pending[0]?.resolve();
    await next.done;
    expect(next.lease?.value.id).toBe(1);
  });

  test("for one who was served before is waited for by the next, and no second one is made", async () => {
    const { pool, source } = setUp({ max: 4 }, createSource({ later: true }));
    const first = watch(pool.checkout());
    source.pending[0]?.resolve();
    await first.done;
    const second = watch(pool.checkout());
    first.lease?.release();
    await second.done;
    const third = watch(pool.checkout());
    expect(source.pending.length).toBe(2);
    source.pending[1]?.resolve();
    await third.done;
    expect(third.lease?.value.id).toBe(2);
  });

  test("and fails ends the wait of whoever counts on it by then, instead of leaving that one for ever", async () => {
    const { pool, source } = setUp({ max: 2 }, createSource({ later: true }));
    const first = watch(pool.checkout());
    const second = watch(pool.checkout());
    // Made for the second, but the first is first.
    source.pending[1]?.resolve();
    await first.done;
    expect(second.lease).toBeUndefined();
    const failure = new Error("no instance");
    source.pending[0]?.reject(failure);
    await second.done;
    expect(second.error).toBe(failure);
    expect(pool.stats()).toMatchObject({ making: 0, waiting: 0, checkouts: 1, checkoutErrors: 1 });
  });
});

describe("a source whose answers have a `then` that lies", () => {
  const refuse = (): never => {
    throw new Error("then");
  };
  const liars: Readonly<Record<string, () => object>> = {
    "cannot be read": () => Object.defineProperty({}, "then", { get: refuse }),
    throws: () => ({ then: refuse }),
    "answers and throws": () => ({
      then(resolve: (value: unknown) => void) {
        resolve({});
        refuse();
      },
    }),
    "answers twice": () => ({
      then(resolve: (value: unknown) => void, reject: (error: unknown) => void) {
        resolve({});
        reject(new Error("too late"));
      },
    }),
  };

  test.each(Object.keys(liars))("fails or makes one instance, and the pool is whole: it %s", async (how) => {
    const clock = createFakeClock();
    const lie = liars[how] as () => object;
    const pool = createPool<object>({ create: lie as never, destroy: () => {} }, { max: 1 }, { clock });
    const made = how.startsWith("answers");
    const outcome = await pool.checkout().then(
      (lease) => (lease.release(), "made"),
      () => "failed",
    );
    expect(outcome).toBe(made ? "made" : "failed");
    expect(pool.stats()).toMatchObject({ making: 0, size: made ? 1 : 0, waiting: 0 });
    await pool.close();
  });

  test.each(Object.keys(liars))(
    "is not waited for in vain by close() when it ends one: it %s",
    async (how) => {
      const clock = createFakeClock();
      const destroy = liars[how] as () => never;
      const pool = createPool<object>({ create: () => ({}), destroy }, { max: 1 }, { clock });
      (await pool.checkout()).release();
      await pool.close();
      expect(pool.stats()).toMatchObject({
        size: 0,
        destroyed: 1,
        destroyErrors: how.startsWith("answers") ? 0 : 1,
      });
    },
  );
});

describe("a lease", () => {
  test("released twice is LEASE_RELEASED and harms nobody", async () => {
    const { pool } = setUp({ max: 1 });
    const stale = await pool.checkout();
    stale.release();
    const holder = await pool.checkout();
    expect(thrownCode(() => stale.release())).toBe("LEASE_RELEASED");
    expect(thrownCode(() => stale.discard())).toBe("LEASE_RELEASED");
    expect(thrownCode(() => stale.value)).toBe("LEASE_RELEASED");
    stale[Symbol.dispose]();
    expect(holder.value.id).toBe(1);
    expect(pool.stats()).toMatchObject({ inUse: 1, idle: 0, destroyed: 0 });
    expect(pool.tryCheckout()).toBeUndefined();
  });

  test("is a new object for each checkout", async () => {
    const { pool } = setUp({ max: 1 });
    const first = await pool.checkout();
    first.release();
    const second = await pool.checkout();
    expect(second).not.toBe(first);
  });

  test("is released by `using`, also when it was released before", () => {
    const { pool } = setUp({ min: 1 });
    {
      using lease = take(pool);
      expect(lease.value.id).toBe(1);
    }
    {
      using lease = take(pool);
      lease.discard();
    }
    expect(pool.stats()).toMatchObject({ inUse: 0, idle: 1, destroyed: 1, made: 2 });
  });
});

describe("instances are replaced", () => {
  test("after maxUses", async () => {
    const { pool } = setUp({ max: 1, maxUses: 3 });
    const ids: number[] = [];
    for (let use = 0; use < 7; use++) {
      using lease = await pool.checkout();
      ids.push(lease.value.id);
    }
    expect(ids).toEqual([1, 1, 1, 2, 2, 2, 3]);
    expect(pool.stats().recycled.max_uses).toBe(2);
  });

  test("when they come back too large", async () => {
    const { pool } = setUp({ max: 1, maxMemoryBytes: 100 });
    const lease = await pool.checkout();
    lease.value.bytes = 100;
    lease.release();
    const same = await pool.checkout();
    expect(same.value.id).toBe(1);
    same.value.bytes = 101;
    const next = pool.checkout();
    same.release();
    expect((await next).value.id).toBe(2);
    expect(pool.stats().recycled.memory).toBe(1);
  });

  test("when their gauge throws", () => {
    const source = createSource();
    source.memoryBytes = () => {
      throw new Error("no gauge");
    };
    const { pool } = setUp({ min: 1, maxMemoryBytes: 100 }, source);
    take(pool).release();
    expect(pool.stats().recycled.memory).toBe(1);
  });

  test("when memory is short: the largest idle ones first, and min stays warm", () => {
    const { pool, source } = setUp({ min: 1, max: 4 });
    const leases = Array.from({ length: 4 }, () => pool.checkout());
    return Promise.all(leases).then((taken) => {
      for (const lease of taken) lease.value.bytes = lease.value.id * 10;
      const [busy, ...rest] = taken;
      for (const lease of rest) lease.release();
      // 40 and 30 bytes: no more than what was asked for.
      expect(pool.relieve(70)).toEqual({ instances: 2, bytes: 70 });
      expect([...source.alive].map((thing) => thing.id)).toEqual([1, 2]);
      expect(pool.relieve()).toEqual({ instances: 1, bytes: 20 });
      expect(pool.stats()).toMatchObject({ size: 1, inUse: 1, idle: 0 });
      busy?.release();
      expect(pool.relieve()).toEqual({ instances: 1, bytes: 10 });
      expect(pool.stats()).toMatchObject({ size: 1, idle: 1, made: 5, recycled: { memory: 4 } });
    });
  });

  test("when memory is short, and the others keep their order", async () => {
    const { pool } = setUp({ max: 3 });
    const leases = await Promise.all([pool.checkout(), pool.checkout(), pool.checkout()]);
    const [first, second, third] = leases.map((lease) => lease.value) as [Thing, Thing, Thing];
    second.bytes = 10;
    for (const lease of leases) lease.release();
    expect(pool.relieve(1)).toEqual({ instances: 1, bytes: 10 });
    expect([take(pool).value, take(pool).value]).toEqual([third, first]);
  });

  test("when memory is short and a size cannot be read: that one first, and it is no reason to keep the others", async () => {
    const source = createSource();
    source.memoryBytes = ({ id, bytes }) => {
      if (id === 2) throw new Error("no gauge");
      return bytes;
    };
    const { pool } = setUp({ max: 3 }, source);
    const leases = await Promise.all([pool.checkout(), pool.checkout(), pool.checkout()]);
    for (const { value } of leases) value.bytes = 10;
    for (const lease of leases) lease.release();
    expect(pool.relieve(5)).toEqual({ instances: 2, bytes: 10 });
    expect([...source.alive].map(({ id }) => id)).toEqual([3]);
    expect(pool.relieve()).toEqual({ instances: 1, bytes: 10 });
  });

  test("also if destroying them fails, which is counted", async () => {
    const { pool, source } = setUp({ max: 1 });
    source.destroyFailure = new Error("cannot");
    (await pool.checkout()).discard();
    expect((await pool.checkout()).value.id).toBe(2);
    expect(pool.stats().destroyErrors).toBe(1);
  });

  test("also if destroying them fails later, which is counted too", async () => {
    const source = createSource();
    const { destroy } = source;
    source.destroy = async (thing) => {
      await destroy(thing);
      throw new Error("cannot");
    };
    const { pool } = setUp({ max: 1 }, source);
    (await pool.checkout()).discard();
    await settle();
    expect(pool.stats().destroyErrors).toBe(1);
  });
});

describe("the reaper", () => {
  test("ends what is idle too long, down to min, and has no timer then", async () => {
    const { pool, clock } = setUp({ min: 1, max: 4, maxIdleMs: 1_000 });
    expect(clock.pending).toBe(0);
    const leases = await Promise.all([pool.checkout(), pool.checkout(), pool.checkout()]);
    for (const lease of leases) lease.release();
    await clock.advance(1_000);
    expect(pool.stats().size).toBe(3);
    await clock.advance(250);
    expect(pool.stats()).toMatchObject({ size: 1, recycled: { idle: 2 } });
    await clock.advance(250);
    expect(clock.pending).toBe(0);
  });

  test("leaves alone what is used again and again", async () => {
    const { pool, clock } = setUp({ max: 2, maxIdleMs: 1_000 });
    const [first, second] = [await pool.checkout(), await pool.checkout()];
    first.release();
    second.release();
    for (let turn = 0; turn < 20; turn++) {
      await clock.advance(200);
      take(pool).release();
    }
    // The other one was at the bottom all the time.
    expect(pool.stats()).toMatchObject({ size: 1, recycled: { idle: 1 } });
    expect(take(pool).value.id).toBe(2);
  });

  test("never ends anything before its time", async () => {
    const { pool, clock } = setUp({ max: 8, maxIdleMs: 1_000 });
    const leases = await Promise.all(Array.from({ length: 8 }, () => pool.checkout()));
    const released = new Map<number, number>();
    for (const lease of leases) {
      released.set(lease.value.id, clock.now());
      lease.release();
      await clock.advance(130);
    }
    while (pool.stats().size > 0) {
      const before = pool.stats().size;
      await clock.advance(10);
      const ended = before - pool.stats().size;
      for (let count = 0; count < ended; count++) {
        const [id, at] = [...released][0] as [number, number];
        released.delete(id);
        expect(clock.now() - at).toBeGreaterThanOrEqual(1_000);
        expect(clock.now() - at).toBeLessThanOrEqual(1_260);
      }
    }
  });

  test("never ticks with maxIdleMs Infinity", async () => {
    const { pool, clock } = setUp({ max: 2, maxIdleMs: Infinity });
    (await pool.checkout()).release();
    expect(clock.pending).toBe(0);
    await clock.advance(1e9);
    expect(pool.stats().idle).toBe(1);
  });
});

describe("a source", () => {
  test("is asked for min instances at once, and for a new one when one of them ends", () => {
    const { pool, source } = setUp({ min: 2 });
    expect(source.made).toBe(2);
    take(pool).discard();
    expect(pool.stats()).toMatchObject({ size: 2, idle: 2, made: 3 });
  });

  test("that fails is asked again for min, later and later, until it recovers", async () => {
    const source = createSource();
    source.failure = new Error("no");
    let asked = 0;
    const { create } = source;
    source.create = () => {
      asked++;
      return create();
    };
    const { pool, clock } = setUp({ min: 2 }, source);
    expect(asked).toBe(1);
    await clock.advance(100);
    expect(asked).toBe(2);
    await clock.advance(100);
    expect(asked).toBe(2);
    await clock.advance(100);
    expect(asked).toBe(3);
    source.failure = undefined;
    await clock.advance(400);
    expect(pool.stats()).toMatchObject({ size: 2, idle: 2 });
    expect(clock.pending).toBe(0);
  });

  test("that throws hands its error to the one who asked", async () => {
    const { pool, source } = setUp({ max: 2 });
    source.failure = new Error("no instance");
    await expect(pool.checkout()).rejects.toBe(source.failure);
    source.failure = undefined;
    expect((await pool.checkout()).value.id).toBe(1);
    expect(pool.stats()).toMatchObject({ checkoutErrors: 1, making: 0 });
  });

  test("that fails later hands its error to the waiter that caused it, and the next are served", async () => {
    const { pool, source } = setUp({ max: 1 }, createSource({ later: true }));
    const first = watch(pool.checkout());
    const second = watch(pool.checkout());
    const failure = new Error("no instance");
    source.pending[0]?.reject(failure);
    await settle();
    expect(first.error).toBe(failure);
    expect(second.error).toBeUndefined();
    expect(source.pending.length).toBe(2);
    source.pending[1]?.resolve();
    await settle();
    expect(second.lease?.value.id).toBe(1);
  });

  test("that fails for ever costs each waiter one attempt, however many there are", async () => {
    const source = createSource();
    const { pool } = setUp({ max: 1, maxWaiting: Infinity }, source);
    const lease = await pool.checkout();
    const waiting = Array.from({ length: 20_000 }, () => watch(pool.checkout()));
    source.failure = new Error("no more");
    lease.discard();
    await Promise.all(waiting.map(({ done }) => done));
    expect(waiting.every(({ error }) => error === source.failure)).toBe(true);
    expect(pool.stats()).toMatchObject({ size: 0, making: 0, waiting: 0, checkoutErrors: 20_000 });
  });

  test("that answers after its waiter left makes an idle instance, not a lost one", async () => {
    const { pool, source, clock } = setUp({ max: 1 }, createSource({ later: true }));
    const controller = new AbortController();
    const gone = watch(pool.checkout({ signal: controller.signal }));
    controller.abort();
    await gone.done;
    source.pending[0]?.resolve();
    await settle();
    expect(pool.stats()).toMatchObject({ size: 1, idle: 1, making: 0 });
    take(pool).discard();
    const late = watch(pool.checkout({ timeoutMs: 10 }));
    await clock.advance(10);
    expect(late.error).toMatchObject({ code: "CHECKOUT_TIMEOUT" });
    source.pending[1]?.resolve();
    await settle();
    expect(take(pool).value.id).toBe(2);
  });

  test("whose failure concerns nobody any more disturbs nobody", async () => {
    const { pool, source } = setUp({ max: 1 }, createSource({ later: true }));
    const controller = new AbortController();
    const gone = watch(pool.checkout({ signal: controller.signal }));
    controller.abort();
    await gone.done;
    source.pending[0]?.reject(new Error("nobody hears"));
    await settle();
    const next = watch(pool.checkout());
    source.pending[1]?.resolve();
    await next.done;
    expect(next.lease).toBeDefined();
  });
});

describe("a chain of calls", () => {
  test("that holds all instances is refused another with CALL_CYCLE", async () => {
    const { pool } = setUp({ max: 2 });
    const outer = createCall({ method: "outer" });
    const inner = createCall({ method: "inner", parent: outer });
    const leaf = createCall({ method: "leaf", parent: createCall({ module: "other", parent: inner }) });
    const [first, second] = [await pool.checkout({ call: outer }), await pool.checkout({ call: inner })];
    await expect(pool.checkout({ call: leaf })).rejects.toMatchObject({
      code: "CALL_CYCLE",
      details: { chain: ["guest.outer", "guest.inner", "other.run", "guest.leaf"] },
    });
    expect(pool.stats().waiting).toBe(0);
    first.release();
    second.release();
  });

  test("leaves neither timer nor listener behind when it is refused", async () => {
    const { pool, clock } = setUp({ max: 1, maxIdleMs: Infinity });
    const outer = createCall();
    const held = await pool.checkout({ call: outer });
    const { signal } = new AbortController();
    const listeners = countListeners(signal);
    const inner = { call: createCall({ parent: outer }), signal, timeoutMs: 50 };
    expect(await rejectionCode(pool.checkout(inner))).toBe("CALL_CYCLE");
    expect(listeners()).toBe(0);
    expect(clock.pending).toBe(0);
    held.release();
  });

  test("is known by the instance that it took while one was free, too", async () => {
    const { pool } = setUp({ min: 2, max: 2 });
    const outer = createCall();
    const held = await pool.checkout({ call: outer });
    const inner = createCall({ parent: outer });
    const second = pool.tryCheckout(inner);
    expect(await rejectionCode(pool.checkout({ call: createCall({ parent: inner }) }))).toBe("CALL_CYCLE");
    held.release();
    second?.release();
  });

  test("waits if another holds one of them", async () => {
    const { pool } = setUp({ max: 2 });
    const outer = createCall();
    await pool.checkout({ call: outer });
    const other = await pool.checkout({ call: createCall() });
    const waiting = watch(pool.checkout({ call: createCall({ parent: outer }) }));
    await settle();
    expect(waiting.error).toBeUndefined();
    other.release();
    await waiting.done;
    expect(waiting.lease).toBeDefined();
  });

  test("waits if the holder is unknown, and forgets holders that released", async () => {
    const { pool } = setUp({ max: 1 });
    const outer = createCall();
    (await pool.checkout({ call: outer })).release();
    const lease = take(pool);
    const waiting = watch(pool.checkout({ call: createCall({ parent: outer }) }));
    await settle();
    expect(waiting.error).toBeUndefined();
    lease.release();
    await waiting.done;
    expect(waiting.lease).toBeDefined();
  });
});

describe("close()", () => {
  test("ends idle instances, refuses new callers and those who wait", async () => {
    const { pool, source } = setUp({ min: 1, max: 1 });
    const lease = take(pool);
    const waiting = watch(pool.checkout());
    const closed = pool.close();
    await waiting.done;
    expect(waiting.error).toMatchObject({ code: "POOL_CLOSED" });
    expect(await rejectionCode(pool.checkout())).toBe("POOL_CLOSED");
    expect(thrownCode(() => pool.tryCheckout())).toBe("POOL_CLOSED");
    expect(source.alive.size).toBe(1);
    lease.release();
    await closed;
    expect(source.alive.size).toBe(0);
    expect(pool.stats()).toMatchObject({ size: 0, recycled: { close: 1 } });
  });

  test("lets leases drain until its deadline, then ends their instances all the same", async () => {
    const { pool, clock, source } = setUp({ max: 1 });
    const lease = await pool.checkout();
    let done = false;
    const closed = pool.close({ timeoutMs: 500 }).then(() => {
      done = true;
    });
    await clock.advance(499);
    expect(done).toBe(false);
    expect(lease.value.id).toBe(1);
    await clock.advance(1);
    await closed;
    expect(source.alive.size).toBe(0);
    expect(thrownCode(() => lease.value)).toBe("LEASE_RELEASED");
    // Not the holder's fault: its release is fine, once.
    lease.release();
    expect(thrownCode(() => lease.release())).toBe("LEASE_RELEASED");
    expect(pool.stats()).toMatchObject({ size: 0, destroyed: 1 });
  });

  test("waits for the last lease, not for the first", async () => {
    const { pool } = setUp({ min: 2, max: 2 });
    const leases = [take(pool), take(pool)];
    let done = false;
    const closed = pool.close().then(() => {
      done = true;
    });
    leases[0]?.release();
    await settle();
    expect(done).toBe(false);
    leases[1]?.release();
    await closed;
  });

  test("a second time joins the first", async () => {
    const { pool } = setUp({ min: 2 });
    const first = pool.close();
    expect(pool.close()).toBe(first);
    await Promise.all([first, pool[Symbol.asyncDispose]()]);
  });

  test("from within destroy() joins too", async () => {
    const source = createSource();
    const { destroy } = source;
    const { pool } = setUp({ min: 2 }, source);
    const joined: Promise<void>[] = [];
    source.destroy = (thing) => {
      joined.push(pool.close());
      return destroy(thing);
    };
    const first = pool.close();
    expect(joined).toEqual([first, first]);
    await first;
  });

  test("is not held up by a creation that never settles, and destroys what comes late", async () => {
    const { pool, clock, source } = setUp({ max: 1 }, createSource({ later: true }));
    const waiting = watch(pool.checkout());
    const closed = pool.close({ timeoutMs: 100 });
    await waiting.done;
    expect(waiting.error).toMatchObject({ code: "POOL_CLOSED" });
    await clock.advance(100);
    await closed;
    source.pending[0]?.resolve();
    await settle();
    expect(source.alive.size).toBe(0);
    expect(pool.stats()).toMatchObject({ made: 1, destroyed: 1, size: 0, making: 0 });
  });

  test("waits for what destroy() still does, no longer than its deadline", async () => {
    const source = createSource();
    const ending = Promise.withResolvers<void>();
    const { destroy } = source;
    source.destroy = (thing) => {
      void destroy(thing);
      return ending.promise;
    };
    const { pool } = setUp({ min: 1 }, source);
    let done = false;
    const closed = pool.close().then(() => {
      done = true;
    });
    await settle();
    expect(done).toBe(false);
    ending.resolve();
    await closed;
    expect(done).toBe(true);
  });

  test("is what `await using` does", async () => {
    const source = createSource();
    {
      await using pool = createPool(source, { min: 3 }, { clock: createFakeClock() });
      expect(pool.stats().idle).toBe(3);
    }
    expect(source.alive.size).toBe(0);
  });
});

describe("options", () => {
  test.each<PoolOptions>([
    { min: -1 },
    { min: 1.5 },
    { max: 0 },
    { min: 3, max: 2 },
    { maxUses: 0 },
    { maxIdleMs: 0 },
    { timeoutMs: -1 },
    { maxWaiting: -1 },
    { maxMemoryBytes: 0 },
    { drainMs: -1 },
    { max: "8" as never },
    { timeoutMs: "soon" as never },
  ])("%j are refused with INVALID_OPTIONS", (options) => {
    expect(thrownCode(() => createPool(createSource(), options, { clock: createFakeClock() }))).toBe(
      "INVALID_OPTIONS",
    );
  });

  test.each([1n, Symbol("one"), {}])("a min of another type is refused, whatever max comes to", (min) => {
    expect(
      thrownCode(() => createPool(createSource(), { min: min as never }, { clock: createFakeClock() })),
    ).toBe("INVALID_OPTIONS");
  });

  test("a size limit without a gauge is refused; no limit needs none", async () => {
    const source = { create: () => ({}), destroy() {} };
    await using pool = createPool(source, {}, { clock: createFakeClock() });
    expect(pool.stats().size).toBe(0);
    expect(thrownCode(() => createPool(source, { maxMemoryBytes: 1 }, { clock: createFakeClock() }))).toBe(
      "INVALID_OPTIONS",
    );
  });

  test("a min above the default max raises it", () => {
    const { pool } = setUp({ min: 12 });
    expect(pool.stats().size).toBe(12);
  });
});
