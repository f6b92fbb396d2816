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
