import {
  createKernel,
  createPool,
  isKeelsonError,
  type Call,
  type Instance,
  type Kernel,
  type Lease,
  type Pool,
  type PoolOptions,
} from "@keelson/core";
import { createSeededRandom, createTestPlatform, type TestPlatform } from "@keelson/core/testing";
import { afterEach, describe, expect, test } from "vitest";
import { createCompileCache } from "../../src/cache/compile-cache.ts";
import { wasmModule, type WasmModuleOptions } from "../../src/index.ts";
import { liveInstances } from "../../src/instance/live-instances.ts";
import { CoreModule } from "../../src/module/core-module.ts";
import { settle } from "../../src/module/settings.ts";
import { openKernel } from "../isolation/harness.ts";
import { failure } from "../support/errors.ts";
import { callOf, testContext } from "../support/instance.ts";
import { realClock } from "../support/real-clock.ts";
import { wat } from "../support/wat.ts";

const GUEST = wat(`(module (memory (export "memory") 1)
  (global $calls (mut i32) (i32.const 0))
  (func (export "count") (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1))) (global.get $calls))
  (func (export "trap") unreachable)
  (func (export "spin") (loop $again (br $again))))`);
/** While it runs, the host does something. */
const CALLER = wat(`(module (import "host" "meanwhile" (func $meanwhile))
  (func (export "run") (result i32) (call $meanwhile) (i32.const 7)))`);

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

interface Started {
  readonly kernel: Kernel;
  alive(): number;
}

/** A kernel with these modules, running; none keeps an instance but on demand. */
async function start(
  max: number,
  guests: Readonly<Record<string, Partial<WasmModuleOptions>>>,
): Promise<Started> {
  let ticks = 0;
  // No two callers come at the same time.
  const platform = { ...createTestPlatform(), clock: { ...realClock, now: () => ++ticks / 1000 } };
  const kernel = createKernel({ platform });
  ends.push(() => kernel.shutdown());
  for (const [id, options] of Object.entries(guests)) {
    await kernel.register(wasmModule({ id, source: GUEST, limits: { instances: max }, ...options }));
    await kernel.start(id);
  }
  return { kernel, alive: () => liveInstances(platform).count };
}

/** A module in the midst of whose `run` the host does what `meanwhile` says. */
function caller(): { meanwhile: (call: Call) => void; readonly options: Partial<WasmModuleOptions> } {
  const made = {
    meanwhile: (_call: Call): void => {},
    options: {
      source: CALLER,
      imports: (host: { readonly call: Call | undefined }) => ({
        host: { meanwhile: () => made.meanwhile(host.call as Call) },
      }),
    },
  };
  return made;
}

describe("at the cap on live instances of a kernel", () => {
  test("an idle instance of one module is ended for a call of another, also one that was only made at the start", async () => {
    const { kernel, alive } = await start(2, { a: {}, b: {}, c: {} });
    expect(alive()).toBe(2);
    for (const id of ["a", "b", "c", "a"]) expect(await kernel.invoke(id, "count", [])).toBe(1);
    expect(kernel.invokeSync("b", "count", [])).toBe(1);
    expect(kernel.invokeSync("b", "count", [])).toBe(2);
    expect(alive()).toBe(2);
    for (const id of ["a", "b", "c"]) await kernel.stop(id);
    expect(alive()).toBe(0);
  });

  test("calls wait until one of another module ends, with an answer or half-way, and are served first come first served", async () => {
    const a = caller();
    const { kernel, alive } = await start(1, { a: a.options, b: {}, c: {} });
    const order: string[] = [];
    const waiting: Promise<unknown>[] = [];
    const ask = (id: string): void => {
      waiting.push(kernel.invoke(id, "count", []).then((count) => order.push(`${id}${String(count)}`)));
    };
    a.meanwhile = () => ["c", "b", "c", "c"].forEach(ask);
    expect(await kernel.invoke("a", "run", [])).toBe(7);
    await Promise.all(waiting);
    expect(order).toEqual(["c1", "b1", "c1", "c2"]);
    a.meanwhile = () => {
      ask("c");
      throw new Error("the host function fails, and its guest with it");
    };
    await failure("CALL_FAILED", () => kernel.invoke("a", "run", []));
    await Promise.all(waiting);
    expect(order.at(-1)).toBe("c1");
    expect(alive()).toBe(1);
  });

  test("a call whose own chain holds all places is INSTANCE_LIMIT at once; so is one for whom only instances kept warm could make room", async () => {
    const a = caller();
    const { kernel, alive } = await start(2, { a: { ...a.options, pool: { min: 1 } }, b: {}, c: {} });
    await kernel.stop("c");
    await kernel.start("c");
    await kernel.invoke("b", "count", []);
    const inner: Promise<unknown>[] = [];
    a.meanwhile = (call) => {
      a.meanwhile = (second) =>
        void inner.push(failure("INSTANCE_LIMIT", () => second.invoke("c", "count", [])));
      inner.push(call.invoke("a", "run", []));
    };
    expect(await kernel.invoke("a", "run", [])).toBe(7);
    await inner[0];
    expect(await inner[1]).toBe(7);
    expect(alive()).toBe(2);

    const warm = await start(1, { a: { pool: { min: 1 } } });
    await warm.kernel.register(wasmModule({ id: "b", source: GUEST, limits: { instances: 1 } }));
    await failure("INSTANCE_LIMIT", () => warm.kernel.start("b"));
    expect(await warm.kernel.invoke("a", "count", [])).toBe(1);
    expect(warm.alive()).toBe(1);
  });

  test("invokeSync waits for no place: WOULD_BLOCK, also inside the chain that holds all of them, and neither call is made later", async () => {
    const a = caller();
    const { kernel, alive } = await start(1, { a: a.options, b: {} });
    const codes: string[] = [];
    const synchronously = (ask: () => unknown): void => {
      try {
        ask();
      } catch (error) {
        codes.push((error as { code: string }).code);
      }
    };
    a.meanwhile = (call) => {
      synchronously(() => kernel.invokeSync("b", "count", []));
      synchronously(() => call.invokeSync("b", "count", []));
    };
    expect(await kernel.invoke("a", "run", [])).toBe(7);
    expect(codes).toEqual(["WOULD_BLOCK", "WOULD_BLOCK"]);
    // Nobody waits any more: the place is free for whoever comes.
    expect(kernel.invokeSync("b", "count", [])).toBe(1);
    expect(await kernel.invoke("b", "count", [])).toBe(2);
    a.meanwhile = () => {};
    expect(kernel.invokeSync("a", "run", [])).toBe(7);
    expect(alive()).toBe(1);
    expect(kernel.list().map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  });

  test("a module that answers by worker threads waits and makes room as any other", async () => {
    const { kernel } = await openKernel();
    for (const id of ["a", "b"]) {
      await kernel.register(
        wasmModule({ id, source: GUEST, isolation: "worker", limits: { instances: 1 }, quarantine: false }),
      );
      await kernel.start(id);
    }
    const { platform } = kernel;
    // With 2 ms it is over before its thread is ready, whose instance then is of use to nobody but the other.
    for (const timeoutMs of [150, 2]) {
      const stopped = failure("DEADLINE_EXCEEDED", () => kernel.invoke("a", "spin", [], { timeoutMs }));
      expect(await kernel.invoke("b", "count", [])).toBe(1);
      await stopped;
    }
    expect(await kernel.invoke("a", "count", [])).toBe(1);
    expect(liveInstances(platform).count).toBe(1);
  });
});

/** A pool of a module in the kernel of `platform`. */
async function poolOf(
  platform: TestPlatform,
  id: string,
  max: number,
  options: PoolOptions,
): Promise<Pool<Instance>> {
  const context = testContext(platform, id);
  const source = new CoreModule(
    settle({
      id,
      source: GUEST,
      limits: { instances: max },
      ...(id === "fresh" ? ({ state: "fresh", offsets: true } as const) : {}),
    }),
    createCompileCache(),
  );
  await source.prepare(context);
  const pool = createPool<Instance>(
    {
      create: () => source.instantiate(context),
      destroy: (instance) => instance[Symbol.dispose](),
      places: source.places(context),
    },
    options,
    { clock: realClock, name: id },
  );
  // The instance that was made to try it is the pool's first.
  (await pool.checkout()).release();
  ends.push(() => pool.close());
  return pool;
}

describe("pools at the cap", () => {
  test("whoever gives up, by its signal or its time, leaves no claim: the next one is served, and INSTANCE_LIMIT says why", async () => {
    const platform = createTestPlatform();
    const one = await poolOf(platform, "one", 1, {});
    const two = await poolOf(platform, "two", 1, {});
    const held = await one.checkout();
    const controller = new AbortController();
    const aborted = two.checkout({ signal: controller.signal });
    const late = two.checkout({ timeoutMs: 5 });
    const patient = two.checkout();
    expect(two.stats()).toMatchObject({ size: 0, making: 0, waiting: 3 });
    controller.abort();
    await failure("ABORTED", () => aborted);
    const error = await failure("INSTANCE_LIMIT", () => late);
    expect(error.details).toEqual({ live: 1, max: 1 });
    await failure("INSTANCE_LIMIT", () => two.checkout({ timeoutMs: 0 }));
    held.release();
    const lease = await patient;
    expect(one.stats().size).toBe(0);
    expect(lease.value.call(callOf("count", []))).toBe(1);
    lease.release();
    expect(liveInstances(platform).count).toBe(1);
  });

  test("a pool that closes while its callers wait refuses them, and takes no place afterwards", async () => {
    const platform = createTestPlatform();
    const one = await poolOf(platform, "one", 1, {});
    const two = await poolOf(platform, "two", 1, {});
    const held = await one.checkout();
    const waiting = failure("POOL_CLOSED", () => two.checkout());
    await two.close();
    await waiting;
    held.discard();
    expect(liveInstances(platform).count).toBe(0);
  });

  test("a guest that is made anew between two calls keeps its place, whoever waits", async () => {
    const platform = createTestPlatform();
    const fresh = await poolOf(platform, "fresh", 1, {});
    const other = await poolOf(platform, "other", 1, {});
    const held = await fresh.checkout();
    const waiting = other.checkout();
    for (let time = 0; time < 3; time++) expect(held.value.call(callOf("count", []))).toBe(1);
    expect(other.stats()).toMatchObject({ size: 0, waiting: 1 });
    held.release();
    (await waiting).release();
  });

  test("a module with a lower cap of its own waits until few enough are alive, and holds up nobody else", async () => {
    const platform = createTestPlatform();
    const many = await poolOf(platform, "many", 3, {});
    const few = await poolOf(platform, "few", 1, { timeoutMs: 60_000 });
    const leases = await Promise.all([many.checkout(), many.checkout(), many.checkout()]);
    const modest = few.checkout();
    const next = many.checkout();
    leases[0]?.release();
    leases[0] = await next;
    expect(few.stats().waiting).toBe(1);
    for (const lease of leases) lease.release();
    (await modest).release();
    expect(many.stats().size).toBe(0);
  });

  test("in a storm of traps, aborts and time-outs over three pools nobody is forgotten, the cap holds and the count returns to zero", async () => {
    const platform = createTestPlatform();
    const random = createSeededRandom(11);
    const live = liveInstances(platform);
    const max = 4;
    const pools: Pool<Instance>[] = [];
    for (const id of ["one", "two", "fresh"])
      pools.push(await poolOf(platform, id, max, { max: 3, timeoutMs: 60_000 }));
    const counts = { served: 0, INSTANCE_LIMIT: 0, CHECKOUT_TIMEOUT: 0, ABORTED: 0 };
    const use = async (lease: Lease<Instance>): Promise<void> => {
      expect(live.count).toBeLessThanOrEqual(max);
      for (let turns = Math.floor(random.number() * 6); turns > 0; turns--) await Promise.resolve();
      if (random.number() < 0.1) {
        expect(() => lease.value.call(callOf("trap", []))).toThrow();
        lease.discard();
      } else {
        expect(lease.value.call(callOf("count", []))).toBeGreaterThan(0);
        lease.release();
      }
      counts.served++;
    };
    const task = async (): Promise<void> => {
      for (let round = 0; round < 16; round++) {
        const pool = pools[Math.floor(random.number() * pools.length)] as Pool<Instance>;
        const chance = random.number();
        const controller = new AbortController();
        try {
          const waiting = pool.checkout({
            ...(chance < 0.2 ? { signal: controller.signal } : {}),
            ...(chance > 0.9 ? { timeoutMs: 0 } : {}),
          });
          if (chance < 0.1) controller.abort();
          await use(await waiting);
        } catch (error) {
          if (!isKeelsonError(error) || !(error.code in counts)) throw error;
          counts[error.code as keyof typeof counts]++;
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, task));
    expect(counts.served).toBeGreaterThan(120);
    expect(counts.ABORTED).toBeGreaterThan(5);
    expect(counts.INSTANCE_LIMIT).toBeGreaterThan(5);
    expect(live.count).toBe(pools.reduce((sum, pool) => sum + pool.stats().size, 0));
    expect(live.count).toBeLessThanOrEqual(max);
    for (const pool of pools) await pool.close();
    expect(live.count).toBe(0);
  });
});
