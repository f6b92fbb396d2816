import type { Call, Kernel, Usage } from "@keelson/core";
import { describe, expect, test } from "vitest";
import { wasmModule, type GuestHost, type WasmModuleOptions } from "../../src/index.ts";
import { rejection } from "../support/errors.ts";
import { startGuest } from "../support/kernels.ts";
import { wat } from "../support/wat.ts";

const GUEST = wat(`(module
  (import "host" "look" (func $look))
  (memory (export "memory") 1)
  (memory $hidden 1)
  (func (export "fine") (result i32) (i32.const 42))
  (func (export "work") (param i32) (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0))))
  (func (export "grow") (param i32) (drop (memory.grow $hidden (local.get 0))))
  (func (export "trap") (drop (memory.grow (i32.const 2))) (unreachable))
  (func (export "spin") (loop br 0))
  (func (export "look") (call $look)))`);

async function open(options: Partial<WasmModuleOptions> = {}): Promise<Kernel> {
  const imports = { host: { look() {} } };
  return startGuest({ source: GUEST, imports, ...options });
}

async function usageOf(kernel: Kernel, method: string, payload?: number): Promise<Usage> {
  const { usage } = await kernel.measure("guest", method, payload);
  if (usage === undefined) throw new Error("nothing was measured");
  return usage;
}

const PAGE = 65_536;

describe("measuring a guest", () => {
  test("fuel is the same each time, and grows with the work", async () => {
    const kernel = await open();
    const [some, again, more] = [
      await usageOf(kernel, "work", 1_000),
      await usageOf(kernel, "work", 1_000),
      await usageOf(kernel, "work", 300_000),
    ];
    expect(some.fuel).toBeGreaterThan(1_000);
    expect(again.fuel).toBe(some.fuel);
    // the loop costs the same each time round
    const each = (more.fuel - some.fuel) / 299_000;
    expect(each).toBe(Math.round(each));
  });

  test("time is the guest's own, and memory is what it takes, hidden memories included", async () => {
    const kernel = await open();
    const started = performance.now();
    const { cpuMs } = await usageOf(kernel, "work", 3_000_000);
    expect(cpuMs).toBeGreaterThan(0);
    expect(cpuMs).toBeLessThanOrEqual(performance.now() - started);
    expect((await usageOf(kernel, "fine")).memoryPeakBytes).toBe(2 * PAGE);
    expect((await usageOf(kernel, "grow", 3)).memoryPeakBytes).toBe(5 * PAGE);
    expect((await usageOf(kernel, "fine")).memoryPeakBytes).toBe(5 * PAGE);
  });

  test("a cap that is no multiple of anything does not blur the figure", async () => {
    const kernel = await open({ limits: { memory: 10 * PAGE + 13 } });
    expect((await usageOf(kernel, "grow", 1)).memoryPeakBytes).toBe(3 * PAGE);
  });

  test("an imported memory counts, as it was and as it grew", async () => {
    const source = wat(`(module
      (import "env" "memory" (memory 2))
      (func (export "grow") (param i32) (drop (memory.grow (local.get 0)))))`);
    for (const metering of ["exact", "off"] as const) {
      const imports = (): WebAssembly.Imports => ({
        env: { memory: new WebAssembly.Memory({ initial: 2, maximum: 100 }) },
      });
      const kernel = await open({ source, imports, metering });
      expect((await usageOf(kernel, "grow", 0)).memoryPeakBytes).toBe(2 * PAGE);
      expect((await usageOf(kernel, "grow", 3)).memoryPeakBytes).toBe(5 * PAGE);
    }
  });

  test("without metering fuel is 0, time is known, and so are the memories that can be seen", async () => {
    const kernel = await open({ metering: "off" });
    const { fuel, cpuMs, memoryPeakBytes } = await usageOf(kernel, "work", 1_000_000);
    expect([fuel, memoryPeakBytes]).toEqual([0, PAGE]);
    expect(cpuMs).toBeGreaterThan(0);
  });

  test("a call that fails is measured too: a trap, a stop, a payload that does not fit", async () => {
    const kernel = await open({ limits: { fuel: 10_000 } });
    const trap = await rejection(kernel.measure("guest", "trap"));
    expect(trap).toMatchObject({ code: "WASM_TRAP", details: { usage: { memoryPeakBytes: 4 * PAGE } } });
    const { fuel, fuelAtMost = 0 } = (trap.details as { usage: Usage }).usage;
    expect(fuel).toBeGreaterThan(0);
    expect(fuelAtMost).toBeGreaterThanOrEqual(fuel);
    const stop = await rejection(kernel.measure("guest", "spin"));
    expect(stop).toMatchObject({
      code: "FUEL_EXHAUSTED",
      details: { limit: "fuel", usage: { fuel: 10_001 } },
    });
    const misfit = await rejection(kernel.measure("guest", "work", "no"));
    expect(misfit).toMatchObject({ code: "INVALID_PAYLOAD", details: { usage: { fuel: 0 } } });
  });

  test("a trap of a plain call carries its usage as well", async () => {
    const kernel = await open();
    const { details } = await rejection(kernel.invoke("guest", "trap"));
    expect((details as { usage: Usage }).usage.memoryPeakBytes).toBe(4 * PAGE);
    expect((details as { usage: Usage }).usage.fuel).toBeGreaterThan(0);
  });
});

describe("a call measured inside another", () => {
  const WORK = 300_000;

  test.each([
    ["of the same module", "guest", true],
    ["of another", "other", true],
    ["inside one that is not measured", "other", false],
  ])("%s has its own fuel and time, and leaves the outer one its own", async (_what, id, outer) => {
    const inner: (Usage | undefined)[] = [];
    const measured: Promise<void>[] = [];
    const look = (): void =>
      void measured.push(
        kernel.measure(id, "work", WORK).then(({ usage }) => void inner.push(usage)),
        kernel.measure(id, "fine").then(({ usage }) => void inner.push(usage)),
      );
    const kernel = await open({ imports: { host: { look } } });
    await kernel.register(
      wasmModule({ id: "other", source: GUEST, abi: "raw", imports: { host: { look() {} } } }),
    );
    await kernel.start("other");
    const alone = [await usageOf(kernel, "work", WORK), await usageOf(kernel, "fine")];
    const plain = await usageOf(kernel, "look");
    await Promise.all(measured.splice(0));
    inner.length = 0;
    const around = outer ? await usageOf(kernel, "look") : await kernel.invoke("guest", "look");
    await Promise.all(measured);
    expect(inner.map((usage) => usage?.fuel)).toEqual(alone.map(({ fuel }) => fuel));
    expect(inner[0]?.cpuMs).toBeGreaterThan(0);
    if (around === undefined) return;
    const { fuel, cpuMs } = around as Usage;
    expect(fuel).toBe(plain.fuel);
    // What it made the host do is its own time.
    expect(cpuMs).toBeGreaterThanOrEqual((inner[0]?.cpuMs ?? Infinity) + (inner[1]?.cpuMs ?? Infinity));
  });
});

describe("a host function", () => {
  test("sees the call that it serves, its deadline and its signal", async () => {
    const seen: (Call | undefined)[] = [];
    const imports = (host: GuestHost): WebAssembly.Imports => ({
      host: { look: () => void seen.push(host.call) },
    });
    const kernel = await open({ imports });
    const before = performance.now();
    await kernel.invoke("guest", "look", undefined, { timeoutMs: 5_000 });
    const [call] = seen;
    expect(call?.method).toBe("look");
    expect(call?.deadline).toBeGreaterThanOrEqual(before + 5_000);
    expect(call?.deadline).toBeLessThan(performance.now() + 5_000);
    expect(call?.signal.aborted).toBe(false);
  });

  test.each(["exact", "off"] as const)(
    "sees its own call again after one inside it, and none between calls, metering %s",
    async (metering) => {
      const hosts = new Set<GuestHost>();
      const seen: (string | undefined)[] = [];
      const imports = (host: GuestHost): WebAssembly.Imports => ({
        host: {
          look() {
            hosts.add(host);
            seen.push(host.call?.parent === undefined ? "outer" : "inner");
            if (host.call?.parent !== undefined) return;
            host.call?.invokeSync("guest", "look");
            try {
              host.call?.invokeSync("guest", "trap");
            } catch {
              seen.push("trapped");
            }
            seen.push(host.call?.parent === undefined ? "outer" : "inner");
          },
        },
      });
      const kernel = await open({ imports, metering });
      await kernel.invoke("guest", "look");
      expect(seen).toEqual(["outer", "inner", "trapped", "outer"]);
      expect([...hosts].map(({ call }) => call)).toEqual([undefined, undefined]);
    },
  );
});
