import { createKernel, type Clock, type Kernel, type KeelsonError } from "@keelson/core";
import { createTestPlatform } from "@keelson/core/testing";
import { afterEach, describe, expect, test, vi } from "vitest";
import { suspending, wasmModule, type WasmModuleOptions } from "../../src/index.ts";
import { failure } from "../support/errors.ts";
import { keelsonGuest, on, oxideGuest } from "../support/guests.ts";
import { realClock } from "../support/real-clock.ts";
import { wat } from "../support/wat.ts";

const kernels: Kernel[] = [];

afterEach(async () => {
  for (const kernel of kernels.splice(0)) await kernel.shutdown();
});

const RESTLESS = `(module
  (import "host" "note" (func $note (param i32)))
  (import "host" "wait" (func $wait))
  (memory 1)
  (tag $e)
  (func (export "fine") (result i32) (i32.const 42))
  (func (export "spin") (loop br 0))
  (func (export "spin-catch") (loop (try (do (throw $e)) (catch_all)) br 0))
  (func (export "spin-caught-host") (loop (try (do (call $note (i32.const 0))) (catch_all)) br 0))
  (func (export "spin-caught-wait") (loop (try (do (call $wait)) (catch_all)) br 0))
  (func $b)
  (func (export "spin-calls") (loop (call $b) br 0))
  (func (export "spin-memory") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) br 0))
  (func (export "count") (param i32) (result i32) (local $left i32)
    (local.set $left (local.get 0))
    (loop $more
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left)))
    (call $note (local.get 0))
    (local.get 0)))`;

async function start(
  options: Partial<WasmModuleOptions> = {},
  clock: Clock = realClock,
): Promise<{ kernel: Kernel; notes: number[] }> {
  const platform = createTestPlatform();
  const kernel = createKernel({
    platform: { ...platform, clock, supports: { ...platform.supports, jspi: true } },
    // What comes of being stopped again and again is looked at elsewhere.
    quarantine: false,
  });
  kernels.push(kernel);
  const notes: number[] = [];
  const host = {
    note: (value: number): void => {
      if (value === 0) throw new Error("for the guest to catch");
      notes.push(value);
    },
    wait: suspending(async () => {}),
  };
  await kernel.register(
    wasmModule({
      id: "guest",
      source: wat(RESTLESS),
      abi: "raw",
      scheduling: "sliced",
      imports: { host },
      pool: { max: 40 },
      // They are stopped again and again, which is what is looked at.
      quarantine: false,
      ...options,
    }),
  );
  await kernel.start("guest");
  return { kernel, notes };
}

/** Turns of the event loop while `work` goes on, and the pause between two, ms. */
async function heartbeat(work: Promise<unknown>): Promise<{ turns: number; medianMs: number }> {
  let over = false;
  void work.finally(() => (over = true)).catch(() => {});
  const pauses: number[] = [];
  let last = performance.now();
  while (!over) {
    await new Promise<void>((resolve) => void setTimeout(resolve, 0));
    const now = performance.now();
    pauses.push(now - last);
    last = now;
  }
  pauses.sort((a, b) => a - b);
  return { turns: pauses.length, medianMs: pauses[pauses.length >> 1] ?? Infinity };
}

const LOOPS = ["spin", "spin-catch", "spin-caught-host", "spin-caught-wait", "spin-calls", "spin-memory"];

describe("guests that share the thread in slices", () => {
  test.each(LOOPS)(
    "%s: eight of them are stopped at their cpuMs, and the event loop turns",
    async (method) => {
      const { kernel } = await start({ limits: { cpuMs: 20 } });
      const started = performance.now();
      const work = Promise.allSettled(Array.from({ length: 8 }, () => kernel.invoke("guest", method)));
      const { turns } = await heartbeat(work);
      for (const result of await work) {
        const error = (result as PromiseRejectedResult).reason as KeelsonError;
        expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { limit: "cpuMs", value: 20 } });
        const { usage } = error.details as { usage: { cpuMs: number } };
        expect(usage.cpuMs).toBeGreaterThanOrEqual(20);
        // the others' slices are none of its own: together they take eight times as long
        expect(usage.cpuMs).toBeLessThan((performance.now() - started) / 2);
      }
      expect(turns).toBeGreaterThan(10);
      expect(await kernel.invoke("guest", "fine")).toBe(42);
    },
  );

  test("each has its turn: short calls end before long ones that began before them", async () => {
    const { kernel, notes } = await start();
    const rounds = [30_000_000, 10_000_000, 1_000_000];
    expect(await Promise.all(rounds.map((count) => kernel.invoke("guest", "count", count)))).toEqual(rounds);
    expect(notes).toEqual(rounds.toReversed());
  });

  test("with a clock that has no turns, too", async () => {
    const { turn: _, ...clock } = realClock;
    const { kernel } = await start({ limits: { cpuMs: 10 } }, clock);
    const work = Promise.allSettled([kernel.invoke("guest", "spin"), kernel.invoke("guest", "spin-catch")]);
    expect((await heartbeat(work)).turns).toBeGreaterThan(2);
    for (const { status } of await work) expect(status).toBe("rejected");
  });

  test("the signal, the call's time and the module's stop end one that runs", async () => {
    const { kernel } = await start();
    const controller = new AbortController();
    const aborted = kernel.invoke("guest", "spin", undefined, { signal: controller.signal });
    void realClock.after(5, () => controller.abort());
    await failure("ABORTED", () => aborted);
    await failure("DEADLINE_EXCEEDED", () =>
      kernel.invoke("guest", "spin-catch", undefined, { timeoutMs: 10 }),
    );
    expect(await kernel.invoke("guest", "fine")).toBe(42);
    await failure("WOULD_BLOCK", () => kernel.invokeSync("guest", "spin"));
    await vi.waitFor(() =>
      expect(kernel.metrics.text()).toContain('keelson_pool_recycle_total{module="guest",reason="trap"} 3'),
    );
  });

  test("a loop in the allocator is sliced as well", async () => {
    const loop = (text: string): string => text.replace("(local $at i32)", "(local $at i32) (loop br 0)");
    for (const text of [keelsonGuest(on("e", "")), oxideGuest("")]) {
      const { kernel } = await start({
        source: wat(loop(text)),
        abi: undefined as never,
        limits: { cpuMs: 20 },
      });
      const work = failure("DEADLINE_EXCEEDED", () => kernel.invoke("guest", "e", "text"));
      const { turns } = await heartbeat(work);
      expect((await work).details).toMatchObject({ limit: "cpuMs" });
      expect(turns).toBeGreaterThan(2);
    }
  });

  test("start functions run at one go, under their limits", async () => {
    const text = `(module (func $s (loop (try (do (call $s2)) (catch_all)) br 0)) (func $s2) (start $s) (func (export "f")))`;
    const error = await failure("DEADLINE_EXCEEDED", () =>
      start({ source: wat(text), limits: { cpuMs: 10 } }),
    );
    expect(error.details).toMatchObject({ limit: "cpuMs" });
  });

  test("fuel is the same as without slices", async () => {
    const used: unknown[] = [];
    for (const scheduling of ["exclusive", "sliced"] as const) {
      const { kernel } = await start({ scheduling, limits: { fuel: 3_000_000 } });
      const error = await failure("FUEL_EXHAUSTED", () => kernel.invoke("guest", "spin-calls"));
      used.push((error.details as { usage: { fuel: number } }).usage.fuel);
    }
    expect(used[0]).toBe(used[1]);
  });
});

test("a guest that catches all around its asking is stopped, a thousand times of a thousand", async () => {
  const text = `(module (tag $e) (func (export "spin-catch") (loop (try (do (throw $e)) (catch_all)) br 0)))`;
  const { kernel } = await start({ source: wat(text), limits: { fuel: 100_000 } });
  for (let round = 0; round < 1_000; round += 40) {
    const calls = Array.from({ length: 40 }, () => kernel.invoke("guest", "spin-catch"));
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "FUEL_EXHAUSTED" } });
    }
  }
});

test("32 runaways in flight hold up nobody else for long", async () => {
  const { kernel } = await start({ limits: { cpuMs: 20 } });
  const work = Promise.allSettled(Array.from({ length: 32 }, () => kernel.invoke("guest", "spin")));
  const { turns, medianMs } = await heartbeat(work);
  for (const { status } of await work) expect(status).toBe("rejected");
  // 1 ms of guests a turn; now and then the machine gives the core to somebody else
  expect(medianMs).toBeLessThan(10);
  expect(turns).toBeGreaterThan(32);
});

describe("guests that are made while others have the thread", () => {
  const SLOWLY_MADE = `(module
    (import "host" "begin" (func $begin))
    (start $begin)
    (func (export "fine") (result i32) (i32.const 42)))`;

  /** Turns of the event loop in which guests began, one entry a guest; each takes half a millisecond to begin. */
  async function startSlowly(): Promise<{ kernel: Kernel; begun: number[]; end: () => void }> {
    const begun: number[] = [];
    let turn = 0;
    let over = false;
    const next = (): void => {
      turn++;
      if (!over) setImmediate(next);
    };
    const begin = (): void => {
      begun.push(turn);
      for (const until = performance.now() + 0.5; performance.now() < until;);
    };
    const { kernel } = await start({ source: wat(SLOWLY_MADE), imports: { host: { begin } } });
    next();
    return { kernel, begun, end: () => void (over = true) };
  }

  test("are made in turns like those that run: 16 at once do not hold the thread until all are there", async () => {
    const { kernel, begun, end } = await startSlowly();
    const answers = await Promise.all(Array.from({ length: 16 }, () => kernel.invoke("guest", "fine")));
    end();
    expect(answers).toEqual(answers.map(() => 42));
    // 1 ms a turn is room for three at most; the first was there when the module started.
    expect(begun.length).toBeGreaterThanOrEqual(8);
    const most = Math.max(
      ...[...new Set(begun)].map((turn) => begun.filter((other) => other === turn).length),
    );
    expect(most).toBeLessThanOrEqual(3);
  });

  test("are not waited for in vain: a stop in the midst of it ends all of their calls", async () => {
    const { kernel, end } = await startSlowly();
    const calls = Promise.allSettled(Array.from({ length: 16 }, () => kernel.invoke("guest", "fine")));
    await kernel.stop("guest");
    end();
    for (const call of await calls) {
      if (call.status === "fulfilled") expect(call.value).toBe(42);
      else
        expect(call.reason).toMatchObject({
          code: expect.stringMatching(/^(MODULE_NOT_RUNNING|POOL_CLOSED)$/),
        });
    }
    expect(kernel.metrics.text()).not.toMatch(/keelson_pool_size\{module="guest"[^}]*\} [1-9]/);
  });
});

test("options that make no sense are refused", () => {
  for (const options of [{ scheduling: "fair" as never }, { metering: "off" as const }]) {
    const given = { id: "guest", source: wat(RESTLESS), scheduling: "sliced" as const, ...options };
    expect(() => wasmModule(given)).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
  }
});
