import { createTestPlatform } from "@keelson/core/testing";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { createCompileCache } from "../../src/cache/compile-cache.ts";
import { liveInstances } from "../../src/instance/live-instances.ts";
import { Remains } from "../../src/instance/remains.ts";
import { CoreModule } from "../../src/module/core-module.ts";
import { settle } from "../../src/module/settings.ts";
import { callOf, testContext } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

const MiB = 2 ** 20;

describe("Remains", () => {
  test("asks the collector for nothing before 256 MiB are left, and then for each 32 MiB more", () => {
    const asked: number[] = [];
    const remains = new Remains((bytes) => asked.push(bytes));
    const holders = [{}, {}, {}, {}, {}];
    remains.add(holders[0]!, 256 * MiB);
    remains.press();
    expect(asked).toEqual([]);
    remains.add(holders[1]!, 0);
    remains.press();
    expect(asked).toEqual([]);
    remains.add(holders[2]!, 1);
    remains.press();
    remains.press();
    expect(asked).toEqual([64 * MiB]);
    // One more, of which nothing can be collected in this turn, is no reason to collect all again.
    remains.add(holders[3]!, 32 * MiB - 1);
    remains.press();
    expect(asked).toHaveLength(1);
    remains.add(holders[4]!, 1);
    remains.press();
    remains.press();
    expect(asked).toEqual([64 * MiB, 64 * MiB]);
    expect(holders).toHaveLength(5);
  });

  test("goes on without room for what it asks with", () => {
    const remains = new Remains(() => {
      throw new RangeError("no room");
    });
    remains.add({}, 300 * MiB);
    expect(() => remains.press()).not.toThrow();
  });
});

// It exports no memory: what it holds is known to its governor alone.
const HUNGRY = wat(`(module (memory 1)
  (func (export "eat")
    (drop (memory.grow (i32.const 1000)))
    (memory.fill (i32.const 0) (i32.const 1) (i32.mul (memory.size) (i32.const 65536)))
    unreachable))`);

const HUNGRY_START = wat(`(module (memory 1)
  (func $eat
    (drop (memory.grow (i32.const 1000)))
    (memory.fill (i32.const 0) (i32.const 1) (i32.mul (memory.size) (i32.const 65536)))
    unreachable)
  (start $eat))`);

test("40 guests that fill 62 MiB and trap as they start, one after the other, never hold half of that together", async () => {
  const context = testContext(createTestPlatform());
  let peak = 0;
  const before = process.memoryUsage.rss();
  for (let guests = 0; guests < 40; guests++) {
    const source = new CoreModule(
      settle({ id: "guest", source: HUNGRY_START, abi: "raw" }),
      createCompileCache(),
    );
    await expect(source.prepare(context)).rejects.toMatchObject({ code: "WASM_TRAP" });
    await new Promise((resolve) => setImmediate(resolve));
    peak = Math.max(peak, process.memoryUsage.rss() - before);
  }
  expect(peak / MiB).toBeLessThan(1250);
  expect(liveInstances(context.platform).count).toBe(0);
}, 60_000);

test("40 guests that fill 62 MiB and trap, one after the other, never hold half of that together", async () => {
  const context = testContext(createTestPlatform());
  const source = new CoreModule(settle({ id: "guest", source: HUNGRY }), createCompileCache());
  await source.prepare(context);
  let peak = 0;
  const before = process.memoryUsage.rss();
  for (let guests = 0; guests < 40; guests++) {
    const instance = await source.instantiate(context);
    expect(() => instance.call(callOf("eat"))).toThrow();
    instance[Symbol.dispose]();
    // As between two requests of a server: the engine's own tasks have their turn.
    await new Promise((resolve) => setImmediate(resolve));
    peak = Math.max(peak, process.memoryUsage.rss() - before);
  }
  expect(peak / MiB).toBeLessThan(1250);
}, 60_000);
