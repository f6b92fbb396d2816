import type { KeelsonError } from "@keelson/core";
import { createTestPlatform } from "@keelson/core/testing";
import { describe, expect, test } from "vitest";
import { currentRuntime } from "../../../../tools/vitest/runtime.ts";
import { createCompileCache } from "../../src/cache/compile-cache.ts";
import { CoreModule } from "../../src/module/core-module.ts";
import type { WasmModuleOptions } from "../../src/module/options.ts";
import { settle } from "../../src/module/settings.ts";
import { suspending } from "../../src/suspension/suspending.ts";
import { collectGarbage } from "../../../../tools/vitest/collect.ts";
import { rejection } from "../support/errors.ts";
import { callOf, testContext } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

// V8 keeps the receivers of all functions on an error's stack until that is read. What is kept with a memory is 8 GB of address space.
const TIMES = 12;
/** JavaScriptCore takes what lies on the stack for a pointer. */
const LEFT = 3;

const guest = wat(`(module
  (import "host" "fail" (func $fail))
  (import "host" "memory" (memory 1 1))
  (func (export "trap") unreachable)
  (func (export "spin") (loop $l br $l))
  (func (export "host") (call $fail))
  (func $deep (export "deep") (result i32) (i32.add (i32.const 1) (call $deep))))`);
const waits = wat(
  `(module (import "host" "memory" (memory 1 1)) (import "host" "fail" (func $wait)) (func (export "_initialize") (call $wait)))`,
);
const broken = wat(
  `(module (import "host" "memory" (memory 1 1)) (func (export "_initialize") unreachable))`,
);

/** Errors, and the memories of the guests that they tell of. */
interface Kept {
  readonly errors: KeelsonError[];
  readonly memories: WeakRef<WebAssembly.Memory>[];
}

/** Lets a guest fail in `method`, or in its start, as often as {@link TIMES} says. */
async function fail(
  options: Partial<WasmModuleOptions>,
  method: string,
  hostFunction: (...args: never[]) => unknown = () => {},
): Promise<Kept> {
  const platform = createTestPlatform();
  const kept: Kept = { errors: [], memories: [] };
  const imports = (): WebAssembly.Imports => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    kept.memories.push(new WeakRef(memory));
    return { host: { memory, fail: hostFunction } };
  };
  const settings = settle({ id: "guest", source: guest, abi: "raw", imports, ...options });
  const context = testContext({ ...platform, supports: { ...platform.supports, jspi: true } });
  const source = new CoreModule(settings, createCompileCache());
  for (let time = 0; time < TIMES; time++) {
    const work = async (): Promise<void> => {
      const instance = await source.instantiate(context);
      try {
        await instance.call(callOf(method, []));
      } finally {
        instance[Symbol.dispose]();
      }
    };
    kept.errors.push(await rejection(work()));
  }
  return kept;
}

async function expectMemoriesGone(all: readonly Kept[]): Promise<void> {
  await collectGarbage();
  for (const { errors, memories } of all) {
    expect(errors).toHaveLength(TIMES);
    expect(memories).toHaveLength(TIMES);
    const left = memories.filter((memory) => memory.deref() !== undefined).length;
    expect(left, String(errors[0])).toBeLessThanOrEqual(LEFT);
  }
}

const fuel = { limits: { fuel: 100_000 } };

describe("an error that the host keeps does not keep the memory of its guest", () => {
  test("that trapped, was stopped or never started", async () => {
    await expectMemoriesGone([
      await fail(fuel, "trap"),
      await fail(fuel, "spin"),
      await fail({}, "deep"),
      await fail({ metering: "off" }, "trap"),
      await fail({ metering: "off" }, "deep"),
      await fail({ ...fuel, state: "fresh" }, "trap"),
      await fail({ source: broken }, "start"),
    ]);
  });

  test("that may be suspended", async (context) => {
    if (WebAssembly.promising === undefined) return context.skip("guests cannot be suspended here");
    const later = suspending(() => Promise.resolve());
    await expectMemoriesGone([await fail(fuel, "trap", later), await fail(fuel, "spin", later)]);
    await expectMemoriesGone([await fail({ source: waits }, "start", later)]);
  });

  test("whose host function threw", async (context) => {
    if (currentRuntime() === "deno")
      context.skip(
        "Deno holds what is on the stack of an error as long as the error, and this one is the host's own",
      );
    const throws = (): never => {
      throw new Error("the host's own");
    };
    await expectMemoriesGone([
      await fail(fuel, "host", throws),
      await fail({ metering: "off" }, "host", throws),
      await fail(
        fuel,
        "host",
        suspending(() => Promise.reject(new Error("the host's own"))),
      ),
    ]);
  });
});
