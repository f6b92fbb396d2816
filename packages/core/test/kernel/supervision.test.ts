import { expect, test } from "vitest";
import type { ModuleContext } from "../../src/contract/module.ts";
import { nativeModule } from "../../src/kernel/index.ts";
import { settle } from "../../src/testing/index.ts";
import { rejection } from "../support/errors.ts";
import { echo, testKernel } from "./harness.ts";

const backoff = { initialMs: 100, factor: 2, maxMs: 1_000, jitter: 0 };

test("a module that crashes is started again after its backoff, in a new generation, and takes nothing with it", async () => {
  const { kernel, platform } = testKernel();
  let context: ModuleContext | undefined;
  await kernel.register(
    echo("a", { restart: { policy: "on-failure", backoff }, start: (given) => void (context = given) }),
  );
  await kernel.register(echo("sibling"));
  await kernel.start();
  context?.exited({ reason: "crash" });
  expect(kernel.state("a")).toBe("failed");
  expect((await rejection(kernel.invoke("a", "echo"))).code).toBe("MODULE_NOT_RUNNING");
  expect(await kernel.invoke("sibling", "echo")).toBeDefined();
  await platform.clock.advance(100);
  expect(await kernel.invoke("a", "echo")).toBeDefined();
  expect(kernel.list()[0]).toMatchObject({ generation: 2, supervisor: { state: "healthy", restarts: 1 } });
  expect(kernel.transitions().map(({ from, to }) => `${from}→${to}`)).toEqual(
    [
      "undefined→starting",
      "starting→healthy",
      "healthy→failed",
      "failed→restarting",
      "restarting→starting",
      "starting→healthy",
    ].filter((step) => kernel.transitions().some(({ from, to }) => `${from}→${to}` === step)),
  );
  expect(kernel.metrics.text()).toContain("keelson_restarts_total 1");
});

test("stop() on a failed module cancels the pending restart", async () => {
  const { kernel, platform } = testKernel();
  let starts = 0;
  await kernel.register(
    nativeModule({
      id: "a",
      restart: { policy: "on-failure", backoff },
      start() {
        starts++;
        throw new Error("no");
      },
    }),
  );
  await rejection(kernel.start("a"));
  await kernel.stop("a");
  await platform.clock.advance(60_000);
  expect(starts).toBe(1);
  expect(kernel.state("a")).toBe("stopped");
});

test("stop() cancels the restart of a module that had ended normally, and of one that was unhealthy", async () => {
  const { kernel, platform } = testKernel();
  let context: ModuleContext | undefined;
  await kernel.register(
    echo("ends", { restart: { policy: "always", backoff }, start: (given) => void (context = given) }),
  );
  await kernel.register(
    echo("sick", {
      restart: { policy: "on-failure", backoff, health: { everyMs: 10, failures: 1 } },
      health: () => ({ healthy: false }),
    }),
  );
  await kernel.start();
  context?.exited({ reason: "normal" });
  await platform.clock.advance(10);
  expect(kernel.list().map(({ state, supervisor }) => [state, supervisor?.state])).toEqual([
    ["stopped", "restarting"],
    ["stopped", "restarting"],
  ]);
  await kernel.stop();
  await platform.clock.advance(60_000);
  expect(kernel.list().map(({ generation, supervisor }) => [generation, supervisor?.state])).toEqual([
    [1, "stopped"],
    [1, "stopped"],
  ]);
});

test("a stop by hand during the supervisor's own stop is not lost", async () => {
  const { kernel, platform } = testKernel();
  const gate = Promise.withResolvers<void>();
  await kernel.register(
    echo("sick", {
      restart: { policy: "on-failure", backoff, health: { everyMs: 10, failures: 1 } },
      health: () => ({ healthy: false }),
      stop: () => gate.promise,
    }),
  );
  await kernel.start();
  await platform.clock.advance(10);
  expect(kernel.state("sick")).toBe("stopping");
  const stopped = kernel.stop("sick");
  gate.resolve();
  await stopped;
  await platform.clock.advance(60_000);
  expect(kernel.list()[0]).toMatchObject({ state: "stopped", generation: 1 });
});

test("past its intensity the supervisor gives up and says so", async () => {
  const { kernel, platform } = testKernel();
  let starts = 0;
  await kernel.register(
    nativeModule({
      id: "a",
      restart: { policy: "on-failure", backoff, intensity: { max: 3, withinMs: 60_000 } },
      start() {
        starts++;
        throw new Error("no");
      },
    }),
  );
  await rejection(kernel.start("a"));
  await platform.clock.advance(60_000);
  expect(starts).toBe(4);
  expect(kernel.list()[0]?.supervisor).toMatchObject({ state: "stopped", gaveUp: true });
});

test("a normal end restarts only under the policy always", async () => {
  for (const [policy, generation] of [
    ["never", 1],
    ["on-failure", 1],
    ["always", 2],
  ] as const) {
    const { kernel, platform } = testKernel();
    let context: ModuleContext | undefined;
    await kernel.register(
      echo("a", { restart: { policy, backoff }, start: (given) => void (context = given) }),
    );
    await kernel.start("a");
    context?.exited({ reason: "normal" });
    await platform.clock.advance(100);
    expect(kernel.list()[0]?.generation).toBe(generation);
  }
});

test("a module that is unhealthy three times in a row is restarted", async () => {
  const { kernel, platform } = testKernel();
  let healthy = true;
  await kernel.register(
    echo("a", {
      restart: { policy: "on-failure", backoff, health: { everyMs: 1_000, failures: 3 } },
      health: () => ({ healthy }),
      start: () => void (healthy = true),
    }),
  );
  await kernel.start("a");
  await platform.clock.advance(10_000);
  expect(kernel.list()[0]?.generation).toBe(1);
  healthy = false;
  await platform.clock.advance(3_200);
  expect(kernel.list()[0]).toMatchObject({ generation: 2, state: "running" });
});

test("a health check may take as long as its own timeoutMs says", async () => {
  const { kernel, platform } = testKernel();
  await kernel.register(
    nativeModule({
      id: "slow",
      restart: { policy: "on-failure", backoff, health: { everyMs: 1_000, timeoutMs: 20_000, failures: 1 } },
      create: () => {
        let answer = (): void => {};
        return {
          start: ({ clock, scope }) => void scope.add(clock.after(11_000, () => answer())),
          health: () => new Promise((resolve) => (answer = () => resolve({ healthy: true }))),
        };
      },
    }),
  );
  await kernel.start("slow");
  await platform.clock.advance(11_000);
  expect(kernel.list()[0]).toMatchObject({ generation: 1, supervisor: { state: "healthy" } });
  await platform.clock.advance(22_000);
  expect(kernel.list()[0]?.generation).toBe(2);
});

test("after shutdown nothing restarts", async () => {
  const { kernel, platform } = testKernel();
  let context: ModuleContext | undefined;
  await kernel.register(
    echo("a", { restart: { policy: "always", backoff }, start: (given) => void (context = given) }),
  );
  await kernel.start("a");
  context?.exited({ reason: "crash" });
  await kernel.shutdown();
  await platform.clock.advance(60_000);
  expect(kernel.state("a")).toBe("stopped");
  expect(platform.clock.pending).toBe(0);
});

test("a broken version that is rolled back does not use up the restarts", async () => {
  const { kernel, platform } = testKernel();
  const restart = { policy: "on-failure", backoff } as const;
  await kernel.register(echo("a", { restart, overlap: false }));
  await kernel.start("a");
  await rejection(
    kernel.reload(
      "a",
      echo("a", { version: "2.0.0", restart, overlap: false, start: () => Promise.reject(new Error("no")) }),
    ),
  );
  await settle();
  await platform.clock.advance(60_000);
  expect(kernel.list()[0]).toMatchObject({
    state: "running",
    metadata: { version: "1.0.0" },
    supervisor: { restarts: 0, state: "healthy" },
  });
});
