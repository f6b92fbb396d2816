import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";
import { createPool, type Pool as KeelsonPool } from "@keelson/core";
import { platform } from "keelson";
import type * as GenericPool from "generic-pool";
import type * as LightningPool from "lightning-pool";
import type * as Tarn from "tarn";
import { alternate, type Claim, type Contender, OURS, type Task } from "./measure.ts";

interface Thing {
  uses: number;
}

/** A pool as all contenders can be driven: take, then give. */
interface Driven {
  readonly name: string;
  /** Takes and gives one after the other, `times` over. */
  alone(times: number): Promise<void> | void;
  /** One of many tasks: takes, holds for a turn of the microtask queue, gives. */
  task?(times: number, waits?: number[]): Promise<void>;
  end(): Promise<unknown> | void;
}

/** What is awaited while something is held: one turn of the microtask queue. */
const settled = Promise.resolve();
const SIZE = 10;
const TASKS = 100;

const FLOOR = "array pop and push";
const BARE_AWAIT = "array pop, await of nothing, push";
const PEERS = ["tarn 3.1.2", "generic-pool 3.9.0", "lightning-pool 4.14.0"] as const;

/**
 * Measures the pool beside tarn, generic-pool, lightning-pool and bare arrays. All pools are as their makers ship them, warm, with ten
 * instances.
 */
export async function benchPool(rounds: number): Promise<readonly Task[]> {
  const checkouts = 10_000;
  const atOnce = [arrayFloor(), keelsonAtOnce()];
  const held = [arrayHeld(), keelsonHeld()];
  const awaited = [asyncFloor(), bareAwait(), keelsonAwaited(), tarn(), genericPool(), lightningPool()];
  const pools = awaited.filter((contender) => contender.task !== undefined);
  const alone = (contenders: readonly Driven[]) => contenders.map(({ name, alone: run }) => ({ name, run }));
  const contended = pools.map((pool) => ({ name: pool.name, run: (times: number) => contend(pool, times) }));
  const floor = (target: number): Claim => ({ against: [FLOOR], kind: "at most", target });
  const tasks = [
    await alternate("tryCheckout, release", alone(atOnce), { rounds, times: checkouts * 10 }, [floor(5)]),
    await alternate("tryCheckout, await, release", alone(held), { rounds, times: checkouts }, [floor(1.5)]),
    await alternate("await checkout, release", alone(awaited), { rounds, times: checkouts }, [
      floor(1.5),
      { against: PEERS, kind: "at least", target: 5 },
    ]),
    await alternate("100 waiters on 10", contended, { rounds, times: checkouts }, [
      { against: PEERS, kind: "at least", target: 1.6 },
    ]),
    await alternate("p99 wait of 100 on 10", pools.map(unluckiest), { rounds, times: checkouts }, [
      { against: PEERS, kind: "at most", target: 0.5 },
    ]),
  ];
  for (const contender of [...atOnce, ...held, ...awaited]) await contender.end();
  return tasks;
}

async function contend({ task }: Driven, times: number, waits?: number[]): Promise<void> {
  await Promise.all(Array.from({ length: TASKS }, async () => task?.(Math.ceil(times / TASKS), waits)));
}

/** How long the unluckiest in a hundred wait. Told as if each piece of the work took as long, so that the turns are those of all tasks. */
function unluckiest(pool: Driven): Contender {
  return {
    name: pool.name,
    async run(times) {
      const waited: number[] = [];
      await contend(pool, times, waited);
      waited.sort((one, other) => one - other);
      return (waited[Math.floor(waited.length * 0.99)] as number) * times;
    },
  };
}

// The contenders.

function things(): Thing[] {
  return Array.from({ length: SIZE }, () => ({ uses: 0 }));
}

function arrayFloor(): Driven {
  const free = things();
  return {
    name: FLOOR,
    alone(times) {
      for (let n = 0; n < times; n++) {
        const thing = free.pop() as Thing;
        thing.uses++;
        free.push(thing);
      }
    },
    end() {},
  };
}

function arrayHeld(): Driven {
  const free = things();
  return {
    name: FLOOR,
    async alone(times) {
      for (let n = 0; n < times; n++) {
        const thing = free.pop() as Thing;
        thing.uses++;
        await settled;
        free.push(thing);
      }
    },
    end() {},
  };
}

/** What anything costs that answers with a promise: the least that a checkout could do. */
function asyncFloor(): Driven {
  const free = things();
  const take = async (): Promise<Thing> => free.pop() as Thing;
  return {
    name: FLOOR,
    async alone(times) {
      for (let n = 0; n < times; n++) {
        const thing = await take();
        thing.uses++;
        free.push(thing);
      }
    },
    end() {},
  };
}

/** The same with an await that brings nothing: what the turn of the microtask queue costs alone, which no checkout can do. */
function bareAwait(): Driven {
  const free = things();
  return {
    name: BARE_AWAIT,
    async alone(times) {
      for (let n = 0; n < times; n++) {
        const thing = free.pop() as Thing;
        thing.uses++;
        await undefined;
        free.push(thing);
      }
    },
    end() {},
  };
}

function keelsonPool(): KeelsonPool<Thing> {
  return createPool<Thing>(
    { create: () => ({ uses: 0 }), destroy() {} },
    { min: SIZE, max: SIZE },
    { clock: platform().clock },
  );
}

function keelsonAtOnce(): Driven {
  const pool = keelsonPool();
  return {
    name: OURS,
    alone(times) {
      for (let n = 0; n < times; n++) {
        const lease = pool.tryCheckout();
        if (lease === undefined) throw new Error("the pool is empty");
        lease.value.uses++;
        lease.release();
      }
    },
    end: () => pool.close(),
  };
}

function keelsonHeld(): Driven {
  const pool = keelsonPool();
  return {
    name: OURS,
    async alone(times) {
      for (let n = 0; n < times; n++) {
        const lease = pool.tryCheckout() ?? (await pool.checkout());
        lease.value.uses++;
        await settled;
        lease.release();
      }
    },
    end: () => pool.close(),
  };
}

function keelsonAwaited(): Driven {
  const pool = keelsonPool();
  return {
    name: OURS,
    async alone(times) {
      for (let n = 0; n < times; n++) {
        const lease = await pool.checkout();
        lease.value.uses++;
        lease.release();
      }
    },
    async task(times, waits) {
      for (let n = 0; n < times; n++) {
        // One wait in eight is looked at, and none of the rush at the beginning: reading the clock costs as much as some of what is measured.
        const begin = waits === undefined || n % 8 !== 7 ? 0 : performance.now();
        const lease = await pool.checkout();
        if (begin !== 0) waits?.push(performance.now() - begin);
        lease.value.uses++;
        await settled;
        lease.release();
      }
    },
    end: () => pool.close(),
  };
}

/** The peers differ in how one takes and gives, and in nothing else here. */
function peer(
  name: string,
  take: () => Promise<Thing>,
  give: (thing: Thing) => unknown,
  end: Driven["end"],
): Driven {
  return {
    name,
    async alone(times) {
      for (let n = 0; n < times; n++) {
        const thing = await take();
        thing.uses++;
        give(thing);
      }
    },
    async task(times, waits) {
      for (let n = 0; n < times; n++) {
        const begin = waits === undefined || n % 8 !== 7 ? 0 : performance.now();
        const thing = await take();
        if (begin !== 0) waits?.push(performance.now() - begin);
        thing.uses++;
        await settled;
        give(thing);
      }
    },
    end,
  };
}

const require = createRequire(import.meta.url);

function tarn(): Driven {
  const { Pool } = require("tarn") as typeof Tarn;
  const pool = new Pool<Thing>({ create: async () => ({ uses: 0 }), destroy() {}, min: SIZE, max: SIZE });
  return peer(
    PEERS[0],
    () => pool.acquire().promise,
    (thing) => pool.release(thing),
    () => pool.destroy(),
  );
}

function genericPool(): Driven {
  const { createPool: create } = require("generic-pool") as typeof GenericPool;
  const pool = create<Thing>(
    { create: async () => ({ uses: 0 }), destroy: async () => {} },
    { min: SIZE, max: SIZE },
  );
  return peer(
    PEERS[1],
    () => Promise.resolve(pool.acquire()),
    (thing) => pool.release(thing),
    async () => {
      await pool.drain();
      await pool.clear();
    },
  );
}

function lightningPool(): Driven {
  const { Pool } = require("lightning-pool") as typeof LightningPool;
  const pool = new Pool<Thing>({ create: () => ({ uses: 0 }), destroy() {} }, { min: SIZE, max: SIZE });
  return peer(
    PEERS[2],
    () => pool.acquire(),
    (thing) => pool.release(thing),
    () => pool.closeAsync(0),
  );
}
