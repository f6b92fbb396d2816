import type { Kernel, KeelsonError, Usage } from "@keelson/core";
import { expect, test } from "vitest";
import type { WasmModuleOptions } from "../../src/index.ts";
import { startGuest } from "../support/kernels.ts";
import { wat } from "../support/wat.ts";

const GUEST = wat(`(module (import "host" "wait" (func $wait))
  (func (export "work") (param i32) (loop
    (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "ask") (call $wait))
  (func (export "trap") unreachable)
  (func (export "spin") (loop br 0)))`);

interface Opened {
  readonly kernel: Kernel;
  /** The value of a series of the guest; undefined when there is none. */
  read(name: string): number | undefined;
}

async function open(options: Partial<WasmModuleOptions> = {}, passMs = 0): Promise<Opened> {
  let now = 0;
  const imports = { host: { wait: () => void (now += passMs) } };
  const kernel = await startGuest({ source: GUEST, imports, ...options }, {}, { now: () => now });
  const read = (name: string): number | undefined => {
    const line = kernel.metrics
      .text()
      .split("\n")
      .find((text) => text.startsWith(`${name}{module="guest"`));
    return line === undefined ? undefined : Number(line.split(" ").at(-1));
  };
  return { kernel, read };
}

test("keelson_guest_fuel_total is the sum of what each call used, by whatever way it ended", async () => {
  const { kernel, read } = await open({ limits: { fuel: 50_000 } });
  let expected = read("keelson_guest_fuel_total") ?? Number.NaN;
  const used = async (method: string, payload: number[]): Promise<number> => {
    const { usage } = await kernel
      .measure("guest", method, payload)
      .catch((error: KeelsonError) => error.details as { usage: Usage });
    return (usage as Usage).fuel;
  };
  for (const [method, payload] of [
    ["work", [1000]],
    ["trap", []],
    ["spin", []],
    ["work", [3]],
  ] as const) {
    const fuel = await used(method, [...payload]);
    expect(fuel).toBeGreaterThan(0);
    expected += fuel;
    if (method === "work") {
      await kernel.invoke("guest", method, [...payload]);
      expected += fuel;
    }
    expect(read("keelson_guest_fuel_total"), method).toBe(expected);
  }
  expect(read("keelson_guest_stops_total")).toBe(1);
});

test("keelson_guest_cpu_seconds_total grows with the clock at host functions, and with all of a measured call", async () => {
  const { kernel, read } = await open({}, 250);
  const before = read("keelson_guest_cpu_seconds_total") ?? Number.NaN;
  await kernel.invoke("guest", "work", [10]);
  expect(read("keelson_guest_cpu_seconds_total")).toBe(before);
  await kernel.invoke("guest", "ask", []);
  expect(read("keelson_guest_cpu_seconds_total")).toBe(before + 0.25);
  const { usage } = await kernel.measure("guest", "ask", []);
  expect(usage?.cpuMs).toBe(250);
  expect(read("keelson_guest_cpu_seconds_total")).toBe(before + 0.5);
});

test("both go on through a reload, end with the module, and are not there for one that is not metered", async () => {
  const { kernel, read } = await open();
  await kernel.invoke("guest", "work", [1000]);
  const before = read("keelson_guest_fuel_total") as number;
  expect(before).toBeGreaterThan(0);
  await kernel.reload("guest");
  await kernel.invoke("guest", "work", [1000]);
  expect(read("keelson_guest_fuel_total")).toBeGreaterThanOrEqual(before);
  await kernel.stop("guest");
  expect(read("keelson_guest_fuel_total")).toBeUndefined();
  const free = await open({ metering: "off" });
  expect(free.read("keelson_guest_fuel_total")).toBeUndefined();
});
