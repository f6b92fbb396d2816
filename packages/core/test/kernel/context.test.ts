import { expect, test } from "vitest";
import { createKernel, nativeModule } from "../../src/kernel/index.ts";
import type { ModuleContext } from "../../src/contract/module.ts";
import { createTestPlatform } from "../../src/testing/index.ts";
import { rejection } from "../support/errors.ts";
import { echo, testKernel } from "./harness.ts";

test("the signal of a generation is one, silent while it lives, and fires once it ends", async () => {
  const { kernel } = testKernel();
  const contexts: ModuleContext[] = [];
  const signals: AbortSignal[] = [];
  let fired = 0;
  await kernel.register(
    nativeModule({
      id: "a",
      init: ({ signal }) => {
        signals.push(signal);
        signal.addEventListener("abort", () => void fired++);
      },
      start(context) {
        contexts.push(context);
        signals.push(context.signal);
      },
    }),
  );
  await kernel.start("a");
  expect(signals[1]).toBe(signals[0]);
  expect(signals[0]?.aborted).toBe(false);
  await kernel.stop("a");
  expect(fired).toBe(1);
  expect(signals[0]?.reason).toMatchObject({ code: "DOOR_CLOSED" });
  await kernel.start("a");
  expect(contexts[1]?.signal).not.toBe(signals[0]);
  expect(contexts[1]?.signal.aborted).toBe(false);
});

test("a signal that is first asked for after the end has fired", async () => {
  const { kernel } = testKernel();
  const contexts: ModuleContext[] = [];
  await kernel.register(nativeModule({ id: "a", start: (context) => void contexts.push(context) }));
  await kernel.start("a");
  await kernel.stop("a");
  expect(contexts[0]?.signal.aborted).toBe(true);
  expect((await rejection(contexts[0]!.invoke("a", "x"))).code).toBe("DOOR_CLOSED");
});

test("a dependent whose stop fails while its dependency is unloaded is told of", async () => {
  const { kernel } = testKernel();
  await kernel.register(echo("base"));
  await kernel.register(
    echo("app", { depends: { base: "*" }, stop: () => Promise.reject(new Error("stuck")) }),
  );
  await kernel.start();
  expect(await kernel.unload("base")).toEqual([]);
  expect(kernel.events().filter(({ topic }) => topic === "module.warning")).toMatchObject([
    { data: { id: "app", code: "MODULE_FAILED" } },
  ]);
  expect((await kernel.shutdown()).errors).toMatchObject([{ id: "app", error: { code: "MODULE_FAILED" } }]);
});

test("processes of a dead host that were ended, or could not be, are told of; if there were none, nothing is", async () => {
  const process = { pid: 7, command: "sleep", args: [], startedAt: 0 };
  for (const [ended, orphans] of [
    [[process], []],
    [[], [process]],
    [[], []],
  ]) {
    const platform = createTestPlatform();
    const kernel = createKernel({ platform, reclaimed: { ended, orphans } as never });
    const told = kernel.events().filter(({ topic }) => topic === "kernel.reclaimed");
    const plain = (list: unknown): unknown => (list as unknown[]).map(() => ({ pid: 7, command: "sleep" }));
    expect(told.map(({ data }) => data)).toEqual(
      ended!.length + orphans!.length === 0 ? [] : [{ ended: plain(ended), orphans: plain(orphans) }],
    );
    expect(platform.log.records.filter(({ level }) => level === "warn")).toHaveLength(orphans!.length);
    await kernel.shutdown();
  }
});

test("a module calls others by its context, and logs under its own id", async () => {
  const { kernel, platform } = testKernel();
  const contexts: ModuleContext[] = [];
  await kernel.register(echo("other"));
  await kernel.register(nativeModule({ id: "a", start: (context) => void contexts.push(context) }));
  await kernel.start();
  expect(await contexts[0]!.invoke("other", "echo", 1)).toEqual({ version: "1.0.0", payload: 1 });
  contexts[0]!.log.write("info", "hello", { more: true });
  expect(platform.log.records.at(-1)).toEqual({
    level: "info",
    message: "hello",
    fields: { module: "a", more: true },
  });
});

test("a call's duration is measured in seconds", async () => {
  const { kernel, platform } = testKernel();
  const { clock } = platform;
  const wait = () => new Promise<null>((resolve) => clock.after(250, () => resolve(null)));
  await kernel.register(nativeModule({ id: "a", methods: { wait } }));
  await kernel.start();
  const waiting = kernel.invoke("a", "wait");
  await clock.advance(250);
  await waiting;
  expect(kernel.metrics.text()).toContain('keelson_call_duration_seconds_sum{module="a"} 0.25\n');
});

test("an unload whose post-unload hook refuses has happened all the same, and answers why", async () => {
  const { kernel } = testKernel();
  await kernel.register(echo("a"));
  const refuse = (): never => {
    throw new Error("no");
  };
  kernel.phase("post-unload", refuse, { critical: true });
  expect(await kernel.unload("a")).toMatchObject([{ code: "PHASE_FAILED" }]);
  expect(kernel.list()).toEqual([]);
});

test("a start that waited for a reload which failed for good starts the old version", async () => {
  const { kernel } = testKernel();
  let starts = 0;
  const failing = (): void => {
    if (++starts === 1) throw new Error("not yet");
  };
  await kernel.register(echo("a", { overlap: false, start: failing }));
  await rejection(kernel.start("a"));
  const gate = Promise.withResolvers<void>();
  const reloaded = rejection(
    kernel.reload("a", echo("a", { version: "2.0.0", overlap: false, start: () => gate.promise })),
  );
  const started = kernel.start("a");
  gate.reject(new Error("no"));
  expect(await reloaded).toMatchObject({ code: "RELOAD_FAILED", details: { serving: false } });
  await started;
  expect(await kernel.invoke("a", "echo")).toMatchObject({ version: "1.0.0" });
});
