import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";
import { createPool, type Pool as KeelsonPool } from "@keelson/core";
import type * as GenericPool from "generic-pool";
import type * as LightningPool from "lightning-pool";
import type * as Tarn from "tarn";

/** One line of the table: a contender at one task. */
export interface PoolRow {
  readonly task:
    | "tryCheckout, release"
    | "tryCheckout, await, release"
    | "await checkout, release"
    | "100 waiters on 10"
    | "p99 wait of 100 on 10";
  readonly contender: string;
  /** Median of the rounds, ns a checkout with its release; for the p99 row the wait. */
  readonly ns: number;
  /** The claim that the row carries, with its outcome. */
  readonly claim?: { readonly text: string; readonly ratio: number; readonly holds: boolean };
}

export interface PoolBenchOptions {
  /** Rounds; in each, every contender has its turn. Default 61. */
  readonly rounds?: number;
  /** Checkouts of one turn; ten times as many where there is no promise. Default 5,000: about a millisecond, which a busy machine often leaves whole. */
  readonly checkouts?: number;
}

interface Thing {
  uses: number;
}

/** A pool as all contenders can be driven: take, then give. */
interface Contender {
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

/**
 * Measures the pool beside tarn, generic-pool, lightning-pool and bare arrays, in one process, in alternating rounds.
 * All pools are as their makers ship them, warm, with ten instances.
 */
export async function benchPool(options: PoolBenchOptions = {}): Promise<readonly PoolRow[]> {
  const { rounds = 61, checkouts = 5_000 } = options;
  const atOnce = [arrayFloor(), keelsonAtOnce()];
  const held = [arrayHeld(), keelsonHeld()];
  const awaited = [asyncFloor(), keelsonAwaited(), tarn(), genericPool(), lightningPool()];
  const pools = awaited.filter((contender) => contender.task !== undefined);
  const per = Math.ceil(checkouts / TASKS);
  const contend = async (contender: Contender, waits?: number[]): Promise<void> => {
    await Promise.all(Array.from({ length: TASKS }, async () => contender.task?.(per, waits)));
  };

  const alone = await alternate(atOnce, rounds, checkouts * 10, (one) => one.alone(checkouts * 10));
  const across = await alternate(held, rounds, checkouts, (one) => one.alone(checkouts));
  const single = await alternate(awaited, rounds, checkouts, (one) => one.alone(checkouts));
  const many = await alternate(pools, rounds, per * TASKS, (one) => contend(one));
  const p99 = new Map<string, number[]>(pools.map((pool) => [pool.name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const pool of pools) {
      const waits: number[] = [];
      await contend(pool, waits);
      waits.sort((one, other) => one - other);
      p99.get(pool.name)?.push((waits[Math.floor(waits.length * 0.99)] as number) * 1e6);
    }
  }
  for (const contender of [...atOnce, ...held, ...awaited]) await contender.end();

  const rows: PoolRow[] = [];
  const add = (task: PoolRow["task"], times: ReadonlyMap<string, readonly number[]>, claim?: Claim): void => {
    const medians = new Map([...times].map(([name, all]) => [name, median(all)]));
    const best = Math.min(...peerNames.map((name) => medians.get(name) ?? Infinity));
    for (const [contender, ns] of medians) {
      const checked =
        contender === "keelson" ? claim?.(ns, medians.get("floor") ?? Number.NaN, best) : undefined;
      rows.push({ task, contender, ns, ...(checked === undefined ? {} : { claim: checked }) });
    }
  };
  add("tryCheckout, release", alone, (own, floor) => atMost("of array pop and push", own / floor, 5));
  add("tryCheckout, await, release", across, (own, floor) => atMost("of pop, await, push", own / floor, 1.5));
  add("await checkout, release", single, (own, floor, best) => {
    const above = atMost("of pop in an async function", own / floor, 1.5);
    const below = atLeast("faster than the best", best / own, 5);
    return {
      text: `${above.text} (${above.ratio.toFixed(2)}), ${below.text}`,
      ratio: below.ratio,
      holds: above.holds && below.holds,
    };
  });
  add("100 waiters on 10", many, (own, _floor, best) => atLeast("faster than the best", best / own, 1.6));
  add("p99 wait of 100 on 10", p99, (own, _floor, best) => atMost("of the best's", own / best, 0.5));
  return rows;
}

type Claim = (own: number, floor: number, best: number) => NonNullable<PoolRow["claim"]>;
const peerNames = ["tarn 3.1.2", "generic-pool 3.9.0", "lightning-pool 4.14.0"];

function atMost(text: string, ratio: number, limit: number): NonNullable<PoolRow["claim"]> {
  return { text: `at most ${limit}× ${text}`, ratio, holds: ratio <= limit };
}

function atLeast(text: string, ratio: number, limit: number): NonNullable<PoolRow["claim"]> {
  return { text: `at least ${limit}× ${text}`, ratio, holds: ratio >= limit };
}

async function alternate(
  contenders: readonly Contender[],
  rounds: number,
  units: number,
  run: (contender: Contender) => Promise<void> | void,
): Promise<ReadonlyMap<string, number[]>> {
  const times = new Map<string, number[]>(contenders.map((contender) => [contender.name, []]));
  // The first round warms up and is not counted.
  for (let round = -1; round < rounds; round++) {
    for (const contender of contenders) {
      const begin = performance.now();
      const running = run(contender);
      if (running !== undefined) await running;
      if (round >= 0) times.get(contender.name)?.push(((performance.now() - begin) * 1e6) / units);
    }
  }
  return times;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

// The contenders.

function things(): Thing[] {
  return Array.from({ length: SIZE }, () => ({ uses: 0 }));
}

function arrayFloor(): Contender {
  const free = things();
  return {
    name: "floor",
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

function arrayHeld(): Contender {
  const free = things();
  return {
    name: "floor",
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
function asyncFloor(): Contender {
  const free = things();
  const take = async (): Promise<Thing> => free.pop() as Thing;
  return {
    name: "floor",
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

function keelsonPool(): KeelsonPool<Thing> {
  const clock = {
    now: () => performance.now(),
    wall: () => Date.now(),
    after(ms: number, run: () => void, background = false) {
      const timer = setTimeout(run, ms);
      if (background) timer.unref();
      return { [Symbol.dispose]: () => clearTimeout(timer) };
    },
  };
  return createPool<Thing>(
    { create: () => ({ uses: 0 }), destroy() {} },
    { min: SIZE, max: SIZE },
    { clock },
  );
}

function keelsonAtOnce(): Contender {
  const pool = keelsonPool();
  return {
    name: "keelson",
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

function keelsonHeld(): Contender {
  const pool = keelsonPool();
  return {
    name: "keelson",
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

function keelsonAwaited(): Contender {
  const pool = keelsonPool();
  return {
    name: "keelson",
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
  end: Contender["end"],
): Contender {
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

function tarn(): Contender {
  const { Pool } = require("tarn") as typeof Tarn;
  const pool = new Pool<Thing>({ create: async () => ({ uses: 0 }), destroy() {}, min: SIZE, max: SIZE });
  return peer(
    peerNames[0] as string,
    () => pool.acquire().promise,
    (thing) => pool.release(thing),
    () => pool.destroy(),
  );
}

function genericPool(): Contender {
  const { createPool: create } = require("generic-pool") as typeof GenericPool;
  const pool = create<Thing>(
    { create: async () => ({ uses: 0 }), destroy: async () => {} },
    { min: SIZE, max: SIZE },
  );
  return peer(
    peerNames[1] as string,
    () => Promise.resolve(pool.acquire()),
    (thing) => pool.release(thing),
    async () => {
      await pool.drain();
      await pool.clear();
    },
  );
}

function lightningPool(): Contender {
  const { Pool } = require("lightning-pool") as typeof LightningPool;
  const pool = new Pool<Thing>({ create: () => ({ uses: 0 }), destroy() {} }, { min: SIZE, max: SIZE });
  return peer(
    peerNames[2] as string,
    () => pool.acquire(),
    (thing) => pool.release(thing),
    () => pool.closeAsync(0),
  );
}
