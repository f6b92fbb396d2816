import type { Kernel } from "@keelson/core";
import type { TestPlatform } from "@keelson/core/testing";
import { describe, expect, test } from "vitest";
import { createWasmLoader } from "../../src/module/loader.ts";
import { suspending, wasmModule, type WasmModuleOptions } from "../../src/index.ts";
import { rejection } from "../support/errors.ts";
import { openKernel, startGuest } from "../support/kernels.ts";
import { RUNAWAYS, wat } from "../support/wat.ts";

/** Guests that would hold the thread for ever, or take all there is. */
const HOSTILE = wat(`(module
  (memory (export "memory") 1)
  (table $t 1 funcref)
  (type $v (func))
  (tag $e)
  (func (export "fine") (result i32) (i32.const 42))
  ${RUNAWAYS}
  (func $wide (export "recurse-wide") (param i64 i64 i64 i64 i64 i64 i64 i64) (call $wide (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6) (local.get 7)))
  (func (export "bomb") (result i32) (local $grown i32)
    (loop $more (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then (local.set $grown (i32.add (local.get $grown) (i32.const 1))) (br $more))))
    (local.get $grown))
  (func (export "table-bomb") (loop $more (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))))`);

async function open(options: WasmModuleOptions, loaders = [createWasmLoader()]): Promise<Kernel> {
  return startGuest(options, { loaders });
}

describe("a guest that loops for ever is stopped in the host's own thread", () => {
  test.each(["spin", "spin-br-table", "spin-memory", "spin-calls", "spin-catch"])(
    "%s, at its call's deadline",
    async (method) => {
      const kernel = await open({ source: HOSTILE });
      const error = await rejection(kernel.invoke("guest", method, undefined, { timeoutMs: 30 }));
      expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { module: "guest", method } });
      expect(await kernel.invoke("guest", "fine")).toBe(42);
    },
  );

  test.each(["exact", "deadline"] as const)(
    "at its cpuMs, metering %s, and the error carries what it used",
    async (metering) => {
      const kernel = await open({ source: HOSTILE, metering, limits: { cpuMs: 20 } });
      const error = await rejection(kernel.invoke("guest", "spin"));
      expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { limit: "cpuMs", value: 20 } });
      const { usage } = error.details as { usage: { cpuMs: number; fuel: number } };
      expect(usage.cpuMs).toBeGreaterThanOrEqual(20);
      expect(usage.fuel).toBeGreaterThan(0);
    },
  );

  test("at its fuel, the same on every run", async () => {
    const kernel = await open({ source: HOSTILE, limits: { fuel: 100_000 } });
    const used: unknown[] = [];
    for (let run = 0; run < 3; run++) {
      const error = await rejection(kernel.invoke("guest", "spin-calls"));
      expect(error.code).toBe("FUEL_EXHAUSTED");
      used.push((error.details as { usage: { fuel: number } }).usage.fuel);
    }
    expect(new Set(used).size).toBe(1);
  });

  test("in its start function and in _initialize at its fuel, of which each and every call has its own", async () => {
    const loop = (times: number): string =>
      `(local $n i32) (loop (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const ${times}))))`;
    const guest = (start: number, initialize: number): Uint8Array =>
      wat(`(module (func $s ${loop(start)}) (start $s) (func (export "_initialize") ${loop(initialize)})
        (func (export "work") ${loop(10_000)}))`);
    const limits = { fuel: 100_000 };
    for (const source of [guest(100_000, 1), guest(1, 100_000)]) {
      const used: unknown[] = [];
      for (let run = 0; run < 2; run++) {
        const kernel = openKernel();
        await kernel.register(wasmModule({ id: "guest", source, limits }));
        const error = await rejection(kernel.start("guest"));
        expect(error.code).toBe("FUEL_EXHAUSTED");
        used.push((error.details as { usage: { fuel: number } }).usage.fuel);
      }
      expect(used[0]).toBe(used[1]);
    }
    const kernel = await open({ source: guest(10_000, 10_000), limits });
    const { fuel = 0 } = (await kernel.measure("guest", "work")).usage ?? {};
    expect(3 * fuel).toBeGreaterThan(limits.fuel);
  });

  test("in its start function, and in _initialize", async () => {
    for (const text of [
      "(module (func $s (loop br 0)) (start $s))",
      `(module (func (export "_initialize") (loop br 0)))`,
    ]) {
      const kernel = openKernel();
      await kernel.register(
        wasmModule({
          id: "guest",
          abi: "raw",
          source: wat(text.replace("(module", `(module (func (export "f"))`)),
          limits: { cpuMs: 20 },
          pool: { min: 1 },
        }),
      );
      expect((await rejection(kernel.start("guest"))).code).toBe("DEADLINE_EXCEEDED");
      expect(kernel.state("guest")).toBe("failed");
    }
  });

  test("a plugin with a manifest has 50 ms by default; a bare file too", async () => {
    const kernel = await open({ source: HOSTILE });
    const { files } = kernel.platform as TestPlatform;
    files.put("/plugins/hostile.wasm", HOSTILE);
    const plugin = await kernel.load("/plugins/hostile.wasm");
    expect((await rejection(plugin.call("spin"))).details).toMatchObject({ limit: "cpuMs", value: 50 });
  });
});

describe("a guest that takes too much", () => {
  test.each(["recurse", "recurse-wide"])(
    "%s is STACK_EXHAUSTED by its own stack, never the engine's",
    async (method) => {
      const kernel = await open({ source: HOSTILE });
      const payload = method === "recurse" ? undefined : Array.from({ length: 8 }, () => 1n);
      const error = await rejection(kernel.invoke("guest", method, payload));
      expect(error).toMatchObject({
        code: "STACK_EXHAUSTED",
        details: { kind: "stack", limit: "stackBytes", value: 524_288 },
      });
      expect(await kernel.invoke("guest", "fine")).toBe(42);
    },
  );

  test("memory cannot pass its cap", async () => {
    const kernel = await open({ source: HOSTILE, limits: { memory: 10 * 65_536 } });
    expect(await kernel.invoke("guest", "bomb")).toBe(9);
  });

  test("tables cannot pass theirs", async () => {
    const kernel = await open({ source: HOSTILE });
    expect(await kernel.invoke("guest", "table-bomb")).toBeUndefined();
  });
});

test("a stopped instance is never used again, and others go on meanwhile", async () => {
  const kernel = await open({ source: HOSTILE, pool: { max: 2 }, limits: { cpuMs: 10 }, quarantine: false });
  for (let round = 0; round < 10; round++) {
    const [bad, good] = await Promise.allSettled([
      kernel.invoke("guest", "spin"),
      kernel.invoke("guest", "fine"),
    ]);
    expect([bad.status, good.status]).toEqual(["rejected", "fulfilled"]);
  }
  expect(kernel.metrics.text()).toContain('keelson_pool_recycle_total{module="guest",reason="trap"} 10');
});

test("what metering adds is no method of the guest", async () => {
  const kernel = await open({ source: HOSTILE });
  const error = await rejection(kernel.invoke("guest", "nothing"));
  expect(error.code).toBe("UNKNOWN_METHOD");
  expect(error.hint).not.toMatch(/keelson/i);
});

test("a guest that is trusted is not changed, and a compiled one cannot be", async () => {
  const kernel = await open({ source: HOSTILE, metering: "off" });
  expect(await kernel.invoke("guest", "fine")).toBe(42);
  const compiled = await WebAssembly.compile(HOSTILE);
  expect(() => wasmModule({ id: "c", source: compiled, metering: "exact" })).toThrow(
    expect.objectContaining({ code: "INVALID_OPTIONS" }),
  );
  expect(() => wasmModule({ id: "c", source: HOSTILE, metering: "maybe" as never })).toThrow(
    expect.objectContaining({ code: "INVALID_OPTIONS" }),
  );
  await kernel.register(wasmModule({ id: "compiled", abi: "raw", source: compiled }));
  await kernel.start("compiled");
  expect(await kernel.invoke("compiled", "fine")).toBe(42);
});

test("guests inside one another, through a host function, share one stack", async () => {
  const text = `(module (import "host" "again" (func $again)) (func (export "go") (call $again)))`;
  const kernel = openKernel();
  const imports = { host: { again: () => void kernel.invokeSync("guest", "go") } };
  await kernel.register(
    wasmModule({ id: "guest", abi: "raw", source: wat(text), imports, pool: { max: 1000 } }),
  );
  await kernel.start("guest");
  const error = await rejection(kernel.invoke("guest", "go"));
  expect(error.code).toBe("STACK_EXHAUSTED");
});

describe("the time of a host function that calls the guest back is seen as soon as it returns", () => {
  const BACK = wat(`(module (type $each (func (param funcref)))
    (import "h" "each" (func $each (type $each)))
    (table 1 funcref) (elem (i32.const 0) $each) (elem declare func $tiny $some $deep $deeper)
    (global $n (mut i32) (i32.const 0))
    (func $tiny (global.set $n (i32.add (global.get $n) (i32.const 1))))
    (func $some (local i32) (local.set 0 (i32.const 9)) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func $tail (param funcref) (return_call_indirect (type $each) (local.get 0) (i32.const 0)))
    (func (export "direct") (loop (call $each (ref.func $tiny)) (br 0)))
    (func (export "by-table") (loop (call_indirect (type $each) (ref.func $tiny) (i32.const 0)) (br 0)))
    (func (export "by-table, more") (loop (call_indirect (type $each) (ref.func $some) (i32.const 0)) (br 0)))
    (func (export "by-table, in a row") ${"(call_indirect (type $each) (ref.func $tiny) (i32.const 0))".repeat(100)})
    (func (export "by-tail-call") (loop (call $tail (ref.func $tiny)) (br 0)))
    (func (export "by-table, caught") (loop (try (do (call_indirect (type $each) (ref.func $tiny) (i32.const 0))) (catch_all)) (br 0)))
    (func (export "direct, caught") (loop (try (do (call $each (ref.func $some))) (catch_all)) (br 0)))
    (func $deep (export "deep") (call_indirect (type $each) (ref.func $deep) (i32.const 0)) (call $each (ref.func $tiny)))
    (func $deeper (export "deeper, caught") (loop (try (do (call $each (ref.func $deeper))) (catch_all)) (br 0)))
    (func (export "thrice") (param i32) (result i32) (call_indirect (type $each) (ref.func $some) (i32.const 0))
      (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (call_indirect (type $each) (ref.func $some) (i32.const 0)) (call $each (ref.func $some)) (local.get 0)))`);

  test.each([
    "direct",
    "by-table",
    "by-table, more",
    "by-table, in a row",
    "by-tail-call",
    "by-table, caught",
    "direct, caught",
  ])("%s", async (method) => {
    let later = 0;
    let calls = 0;
    const each = (run: () => void): void => {
      calls++;
      if (method.startsWith("direct")) run();
      later += 20;
      if (!method.startsWith("direct")) run();
      if (method.endsWith("caught")) throw new Error("it failed");
    };
    const source = { source: BACK, imports: { h: { each: each as never } }, limits: { cpuMs: 50 } };
    const kernel = await startGuest(source, {}, { now: () => performance.now() + later });
    const error = await rejection(kernel.invoke("guest", method));
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { limit: "cpuMs" } });
    expect(calls).toBeLessThanOrEqual(3);
  });

  test.each(["deep", "deeper, caught"])(
    "and endless %s recursion through it is STACK_EXHAUSTED",
    async (method) => {
      const kernel = await startGuest({
        source: BACK,
        imports: { h: { each: ((run: () => void) => run()) as never } },
      });
      const error = await rejection(kernel.invoke("guest", method));
      expect(error).toMatchObject({
        code: "STACK_EXHAUSTED",
        details: { limit: "stackBytes", value: 524_288 },
      });
    },
  );

  test("also when the guest was suspended, and called back meanwhile", async () => {
    let later = 0;
    let calls = 0;
    const each = suspending(async (run: () => void) => {
      calls++;
      later += 20;
      await Promise.resolve();
      run();
    });
    const source = { source: BACK, imports: { h: { each: each as never } } };
    const kernel = await startGuest(source, {}, { now: () => performance.now() + later });
    const error = await rejection(kernel.invoke("guest", "by-table", undefined, { timeoutMs: 50 }));
    expect(error.code).toBe("DEADLINE_EXCEEDED");
    expect(calls).toBeLessThanOrEqual(4);
  });

  test("and what the guest did in between is counted, once", async () => {
    const usedBy = async (each: (run: () => void) => void): Promise<number> => {
      const kernel = await startGuest({ source: BACK, imports: { h: { each: each as never } } });
      return (await kernel.measure("guest", "thrice", 100_000)).usage?.fuel ?? 0;
    };
    const [never, once, twice] = [
      await usedBy(() => {}),
      await usedBy((run) => run()),
      await usedBy((run) => (run(), run())),
    ];
    expect(once).toBeGreaterThan(never);
    expect(twice - once).toBe(once - never);
  });
});
