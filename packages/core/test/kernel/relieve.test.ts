import { expect, test } from "vitest";
import { nativeModule } from "../../src/kernel/index.ts";
import { pooled } from "../../src/pool/index.ts";
import type { Kernel } from "../../src/contract/kernel.ts";
import { thrownCode } from "../support/errors.ts";
import { testKernel } from "./harness.ts";

/** A kernel with modules that have one idle instance each, of so many bytes, and one that has no pool. */
async function withIdle(sizes: Readonly<Record<string, number>>): Promise<Kernel> {
  const { kernel } = testKernel();
  await kernel.register(nativeModule({ id: "plain", methods: { any: () => null } }));
  for (const [id, memoryBytes] of Object.entries(sizes)) {
    const instance = { dead: false, memoryBytes, call: () => null, [Symbol.dispose]() {} };
    await kernel.register(nativeModule({ id, create: () => pooled({ instantiate: () => instance }) }));
  }
  await kernel.start();
  for (const id of Object.keys(sizes)) await kernel.invoke(id, "any");
  return kernel;
}

test("relieve asks module after module until enough is given back", async () => {
  const kernel = await withIdle({ a: 100, b: 200, c: 300 });
  expect(kernel.relieve(undefined, 150)).toEqual({ instances: 2, bytes: 300 });
  expect(kernel.relieve()).toEqual({ instances: 1, bytes: 300 });
  expect(kernel.relieve()).toEqual({ instances: 0, bytes: 0 });
});

test("an instance whose size cannot be read keeps no other from being ended", async () => {
  const kernel = await withIdle({ a: Infinity, b: 200 });
  expect(kernel.relieve()).toEqual({ instances: 2, bytes: 200 });
});

test("relieve of one module asks no other, and nothing of one that is stopped or has no pool", async () => {
  const kernel = await withIdle({ a: 100, b: 200 });
  expect(kernel.relieve("plain")).toEqual({ instances: 0, bytes: 0 });
  expect(kernel.relieve("b", 0)).toEqual({ instances: 0, bytes: 0 });
  expect(kernel.relieve("b")).toEqual({ instances: 1, bytes: 200 });
  await kernel.stop("a");
  expect(kernel.relieve()).toEqual({ instances: 0, bytes: 0 });
});

test("a module that fails to give back keeps no other from it, and is told of", async () => {
  const { kernel } = testKernel();
  const relieve = (): never => {
    throw new Error("on purpose");
  };
  await kernel.register(nativeModule({ id: "bad", create: () => ({ relieve }) }));
  await kernel.register(
    nativeModule({ id: "good", create: () => ({ relieve: () => ({ instances: 1, bytes: 5 }) }) }),
  );
  await kernel.start();
  expect(kernel.relieve()).toEqual({ instances: 1, bytes: 5 });
  const warned = kernel.events().filter(({ topic }) => topic === "module.warning");
  expect(warned.map(({ data }) => data)).toMatchObject([{ id: "bad", code: "MODULE_FAILED" }]);
});

test("relieve refuses unknown modules, and bytes that are no number from 0", async () => {
  const kernel = await withIdle({ a: 100 });
  expect(thrownCode(() => kernel.relieve("x"))).toBe("UNKNOWN_MODULE");
  for (const bytes of [-1, Number.NaN, "1", null] as never[])
    expect(thrownCode(() => kernel.relieve("a", bytes))).toBe("INVALID_OPTIONS");
  expect(kernel.relieve().instances).toBe(1);
});
