import {
  type Call,
  createPool,
  type Instance,
  isKeelsonError,
  KeelsonError,
  type Pool,
  pooled,
  type PoolStats,
} from "@keelson/core";
import { createSeededRandom, createTestPlatform } from "@keelson/core/testing";
import { setImmediate } from "node:timers";
import { expect, test } from "vitest";
import { createContext } from "./context.ts";
import { countListeners, createCall, createRealClock, createSource, type Thing } from "./subjects.ts";

const TASKS = 100;
const CHECKOUTS = 1_000;
const SIZE = 10;

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** What came of all checkouts, counted by the tasks themselves. */
interface Tally {
  served: number;
  refused: number;
  trapped: number;
}

/** One turn of the microtask queue. */
const settled = Promise.resolve();

test("100 tasks × 1000 checkouts with traps, time-outs and aborts: nobody shares, nothing is lost", async () => {
  const random = createSeededRandom(7);
  const source = createSource();
  const pool: Pool<Thing> = createPool(source, { max: SIZE, maxUses: 500 }, { clock: createRealClock() });
  const holders = new Set<Thing>();
  const tally: Tally = { served: 0, refused: 0, trapped: 0 };
  const codes = new Map<string, number>();
  const leftListeners: number[] = [];

  const one = async (): Promise<void> => {
    const chance = random.number();
    const controller = chance < 0.2 ? new AbortController() : undefined;
    const listeners = controller === undefined ? undefined : countListeners(controller.signal);
    const timeoutMs = chance > 0.8 ? Math.floor(random.number() * 3) : undefined;
    const checkout = pool.checkout({
      ...(controller === undefined ? {} : { signal: controller.signal }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    if (controller !== undefined && random.number() < 0.5) {
      // Before, with or after the release that would serve it.
      for (let wait = random.number() * 40; wait > 1; wait--) await settled;
      controller.abort();
    }
    try {
      const lease = await checkout;
      const { value } = lease;
      if (holders.has(value)) throw new Error(`${value.id} has two holders`);
      holders.add(value);
      if (random.number() < 0.02) await turn();
      else await settled;
      holders.delete(value);
      tally.served++;
      if (random.number() < 0.01) {
        tally.trapped++;
        lease.discard("trap");
      } else lease.release();
    } catch (error) {
      if (!isKeelsonError(error)) throw error;
      tally.refused++;
      codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
    }
    if (listeners !== undefined) leftListeners.push(listeners());
  };
  await Promise.all(
    Array.from({ length: TASKS }, async () => {
      for (let count = 0; count < CHECKOUTS; count++) await one();
    }),
  );

  expect(tally.served + tally.refused).toBe(TASKS * CHECKOUTS);
  expect([...codes.keys()].sort()).toEqual(["ABORTED", "CHECKOUT_TIMEOUT"]);
  expect(Math.max(...leftListeners)).toBe(0);
  const stats: PoolStats = pool.stats();
  expect(stats).toMatchObject({
    checkouts: tally.served,
    checkoutErrors: tally.refused,
    inUse: 0,
    waiting: 0,
    making: 0,
    recycled: { trap: tally.trapped, idle: 0, memory: 0, close: 0 },
  });
  expect(stats.recycled.max_uses).toBeGreaterThan(0);
  expect(stats.made - stats.destroyed).toBe(stats.size);
  expect(source.alive.size).toBe(stats.size);
  expect(stats.size).toBeLessThanOrEqual(SIZE);
  const leases = await Promise.all(Array.from({ length: SIZE }, () => pool.checkout({ timeoutMs: 0 })));
  expect(new Set(leases.map((lease) => lease.value)).size).toBe(SIZE);
  for (const lease of leases) lease.release();
  await pool.close();
  expect(source.alive.size).toBe(0);
}, 120_000);

// (module (global (mut i32) (i32.const 0))
//   (func (export "enter") (if (global.get 0) (then unreachable)) (global.set 0 (i32.const 1)))
//   (func (export "leave") (global.set 0 (i32.const 0)))
//   (func (export "trap") unreachable))
const hex =
  "0061736d01000000 010401600000 030403000000 0606017f0141000b " +
  "071803 05656e7465720000 056c656176650001 04747261700002 " +
  "0a1903 0c00230004 40000b 41012400 0b 060041002400 0b 0300000b";
const guest = Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (byte) =>
  Number.parseInt(byte, 16),
);

interface Guest {
  enter(): void;
  leave(): void;
  trap(): void;
}

test("the same over real WebAssembly: no guest is ever entered twice, a trapped one never again", async () => {
  const random = createSeededRandom(11);
  const module = new WebAssembly.Module(guest);
  const live = new Set<object>();
  let instantiated = 0;
  const holders = new Set<object>();
  const instantiate = (): Instance => {
    const exports = new WebAssembly.Instance(module).exports as unknown as Guest;
    const instance = {
      dead: false,
      memoryBytes: 65_536,
      async call(call: Call) {
        if (instance.dead) throw new Error("a dead instance is called");
        if (holders.has(instance)) throw new Error("an instance has two holders");
        holders.add(instance);
        try {
          exports.enter();
          if (call.method === "long") await turn();
          else await settled;
          if (call.method === "trap") exports.trap();
          exports.leave();
          return call.payload;
        } catch (cause) {
          instance.dead = true;
          throw new KeelsonError("WASM_TRAP", "The guest trapped", { cause });
        } finally {
          holders.delete(instance);
        }
      },
      [Symbol.dispose]() {
        instance.dead = true;
        if (!live.delete(instance)) throw new Error("disposed twice");
      },
    };
    live.add(instance);
    instantiated++;
    return instance;
  };
  const platform = { ...createTestPlatform(), clock: createRealClock() };
  const context = createContext(platform);
  const guests = pooled({ instantiate }, { min: 1, max: SIZE });
  await guests.init?.(context);
  await guests.start?.(context);

  const codes = new Map<string, number>();
  let answered = 0;
  await Promise.all(
    Array.from({ length: TASKS }, async () => {
      for (let count = 0; count < CHECKOUTS; count++) {
        const chance = random.number();
        const method = chance < 0.01 ? "trap" : chance < 0.02 ? "long" : "run";
        const controller = random.number() < 0.1 ? new AbortController() : undefined;
        const call = createCall({
          method,
          payload: count,
          ...(controller === undefined ? {} : { controller }),
        });
        try {
          const result = guests.call?.(call);
          controller?.abort();
          expect(await result).toBe(count);
          answered++;
        } catch (error) {
          if (!isKeelsonError(error)) throw error;
          codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
        }
      }
    }),
  );

  const trapped = codes.get("WASM_TRAP") ?? 0;
  const aborted = codes.get("ABORTED") ?? 0;
  expect([...codes.keys()].sort()).toEqual(["ABORTED", "WASM_TRAP"]);
  expect(answered + trapped + aborted).toBe(TASKS * CHECKOUTS);
  expect(live.size).toBeLessThanOrEqual(SIZE);
  expect(instantiated - trapped).toBe(live.size);
  await guests.stop?.(context);
  expect(live.size).toBe(0);
}, 120_000);
