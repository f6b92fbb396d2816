import { expect, test } from "vitest";
import type { ModuleContext } from "../../src/contract/module.ts";
import { nativeModule } from "../../src/kernel/index.ts";
import { rejection } from "../support/errors.ts";
import { testKernel } from "./harness.ts";

test("what a start that was given up adds to its scope afterwards is undone, also as the first thing in it", async () => {
  const { kernel } = testKernel();
  const gate = Promise.withResolvers<void>();
  const undone = Promise.withResolvers<string>();
  let added = false;
  const start = async ({ scope }: ModuleContext): Promise<void> => {
    await gate.promise;
    scope.defer(() => undone.resolve("undone"));
    added = true;
  };
  await kernel.register(nativeModule({ id: "a", start }));
  const starting = rejection(kernel.start("a"));
  await kernel.stop("a");
  expect((await starting).code).toBe("ABORTED");
  gate.resolve();
  await expect.poll(() => added).toBe(true);
  expect(await Promise.race([undone.promise, Promise.resolve().then(() => "left")])).toBe("undone");
});
