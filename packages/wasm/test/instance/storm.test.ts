import { createPool, isKeelsonError, type ErrorCode, type Instance } from "@keelson/core";
import { createSeededRandom, createTestPlatform } from "@keelson/core/testing";
import { expect, test } from "vitest";
import { createCompileCache } from "../../src/cache/compile-cache.ts";
import { liveInstances } from "../../src/instance/live-instances.ts";
import { CoreModule } from "../../src/module/core-module.ts";
import { settle } from "../../src/module/settings.ts";
import { callOf, testContext } from "../support/instance.ts";
import { realClock } from "../support/real-clock.ts";
import { wat } from "../support/wat.ts";

// The guest keeps a book of its own: who took it, and whether it was free.
const GUEST = wat(`(module
  (global $holder (mut i32) (i32.const 0))
  (func (export "take") (param $task i32) (result i32)
    (global.get $holder) (global.set $holder (local.get $task)))
  (func (export "give") (result i32)
    (global.get $holder) (global.set $holder (i32.const 0)))
  (func (export "trap") unreachable))`);

const TASKS = 100;
const CHECKOUTS = 1000;
const MAX = 8;

test("100 tasks with 1000 checkouts each, with traps, time-outs and aborts at random, never share an instance and lose none", async () => {
  const platform = createTestPlatform();
  const random = createSeededRandom(7);
  const context = testContext(platform);
  const source = new CoreModule(settle({ id: "guest", source: GUEST }), createCompileCache());
  await source.prepare(context);
  const pool = createPool<Instance>(
    { create: () => source.instantiate(context), destroy: (instance) => instance[Symbol.dispose]() },
    { max: MAX, timeoutMs: 60_000 },
    { clock: realClock },
  );

  const ledger = new Map<Instance, number>();
  const counts = { served: 0, trapped: 0, timedOut: 0, aborted: 0 };
  const refusals: Partial<Record<ErrorCode, keyof typeof counts>> = {
    CHECKOUT_TIMEOUT: "timedOut",
    ABORTED: "aborted",
  };

  const once = async (task: number): Promise<void> => {
    const chance = random.number();
    const controller = chance < 0.05 ? new AbortController() : undefined;
    const waiting = pool.checkout({
      ...(controller === undefined ? {} : { signal: controller.signal }),
      ...(chance > 0.97 ? { timeoutMs: 0 } : {}),
    });
    controller?.abort();
    const lease = await waiting;
    const instance = lease.value;
    expect(ledger.has(instance)).toBe(false);
    ledger.set(instance, task);
    expect(instance.call(callOf("take", task))).toBe(0);
    for (let turns = Math.floor(random.number() * 4); turns > 0; turns--) await Promise.resolve();
    expect(ledger.get(instance)).toBe(task);
    ledger.delete(instance);
    if (random.number() < 0.03) {
      expect(() => instance.call(callOf("trap"))).toThrow();
      expect(instance.dead).toBe(true);
      counts.trapped++;
      lease.discard();
      return;
    }
    expect(instance.call(callOf("give"))).toBe(task);
    counts.served++;
    lease.release();
  };

  const run = async (task: number): Promise<void> => {
    for (let count = 0; count < CHECKOUTS; count++) {
      try {
        await once(task);
      } catch (error) {
        const kind = isKeelsonError(error) ? refusals[error.code] : undefined;
        if (kind === undefined) throw error;
        counts[kind]++;
      }
    }
  };
  await Promise.all(Array.from({ length: TASKS }, (_, at) => run(at + 1)));

  const { served, trapped, timedOut, aborted } = counts;
  expect(served + trapped + timedOut + aborted).toBe(TASKS * CHECKOUTS);
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(100);
  const stats = pool.stats();
  expect(stats).toMatchObject({ inUse: 0, waiting: 0, checkouts: served + trapped });
  expect(stats.recycled.trap).toBe(trapped);
  expect(stats.made - stats.destroyed).toBe(stats.size);
  expect(stats.size).toBeLessThanOrEqual(MAX);
  expect(liveInstances(platform).count).toBe(stats.size);

  const all = await Promise.all(Array.from({ length: MAX }, () => pool.checkout()));
  expect(new Set(all.map((lease) => lease.value)).size).toBe(MAX);
  for (const lease of all) lease.release();
  await pool.close();
  expect(liveInstances(platform).count).toBe(0);
}, 60_000);
