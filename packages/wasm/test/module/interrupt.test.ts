import { Worker } from "node:worker_threads";
import type { Kernel, Usage } from "@keelson/core";
import { expect, test } from "vitest";
import type { WasmModuleOptions } from "../../src/index.ts";
import { rejection } from "../support/errors.ts";
import { startGuest } from "../support/kernels.ts";
import { realClock } from "../support/real-clock.ts";
import { wat } from "../support/wat.ts";

const GUEST = wat(`(module
  (import "host" "run" (func $run))
  (func (export "once") (call $run) (loop br 0))
  (func (export "often") (loop (call $run) (br 0)))
  (func (export "fine") (result i32) (i32.const 42)))`);

async function open(
  run: () => void,
  options: Partial<WasmModuleOptions> = {},
  now: () => number = realClock.now,
): Promise<Kernel> {
  return startGuest({ source: GUEST, imports: { host: { run } }, ...options }, {}, { now });
}

test("another thread stops a guest that holds this one, by raising the module's flag", async () => {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(new URL("../support/raise-flag.mjs", import.meta.url), { workerData: shared });
  await new Promise((resolve) => worker.once("message", resolve));
  // tells the thread that the guest runs by now
  const run = (): void => {
    Atomics.store(shared, 1, 1);
    Atomics.notify(shared, 1);
  };
  const kernel = await open(run, { interrupt: shared.subarray(0, 1) });
  const error = await rejection(kernel.invoke("guest", "once"));
  expect(error).toMatchObject({ code: "ABORTED", details: { module: "guest", limit: "signal" } });
  await worker.terminate();
  expect((await rejection(kernel.invoke("guest", "fine"))).code).toBe("ABORTED");
  Atomics.store(shared, 0, 0);
  expect(await kernel.invoke("guest", "fine")).toBe(42);
});

test("after each call of the host the clock is read: one of 20 ms in a loop passes a limit of 50 ms by 10", async () => {
  let time = 0;
  let calls = 0;
  const run = (): void => {
    calls++;
    time += 20;
  };
  const kernel = await open(run, { limits: { cpuMs: 50 } }, () => time);
  const error = await rejection(kernel.invoke("guest", "often"));
  expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { limit: "cpuMs" } });
  expect(calls).toBe(3);
  expect((error.details as { usage: Usage }).usage.cpuMs).toBe(60);
});

test("the same by the real clock, and by the call's deadline", async () => {
  let calls = 0;
  const run = (): void => {
    calls++;
    for (const end = performance.now() + 20; performance.now() < end;);
  };
  const kernel = await open(run);
  const error = await rejection(kernel.invoke("guest", "often", undefined, { timeoutMs: 50 }));
  expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { limit: "deadline" } });
  expect(calls).toBeGreaterThan(0);
  expect(calls).toBeLessThanOrEqual(3);
});

test("a host function that aborts its own call ends the guest as it comes back", async () => {
  const controller = new AbortController();
  let calls = 0;
  const kernel = await open(() => {
    if (++calls === 4) controller.abort();
  });
  const error = await rejection(
    kernel.invoke("guest", "often", undefined, { signal: controller.signal, timeoutMs: 5_000 }),
  );
  expect(error.code).toBe("ABORTED");
  expect(calls).toBe(4);
});
