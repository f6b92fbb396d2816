import { isKeelsonError, type Kernel, type Value } from "@keelson/core";
import { describe, expect, test } from "vitest";
import { wasmModule, type Isolation, type WasmModuleOptions } from "../../src/index.ts";
import { rejection } from "../support/errors.ts";
import { answer, ECHO, keelsonGuest, on, oxideGuest } from "../support/guests.ts";
import { wat } from "../support/wat.ts";
import { ENDLESS, GUEST } from "./guests.ts";
import { codeOf, eventually, levels, open, openKernel, outcome } from "./harness.ts";

type CallOf = readonly [method: string, payload?: Value];

/** What the calls come to, one after the other. */
async function answers(
  isolation: Isolation,
  options: WasmModuleOptions,
  calls: readonly CallOf[],
): Promise<Readonly<Record<string, unknown>>> {
  const { kernel } = await open(isolation, options);
  const found: Record<string, unknown> = {};
  for (const [index, [method, payload]] of calls.entries()) {
    found[`${index} ${method}`] = await outcome(
      kernel.invoke("guest", method, payload, { timeoutMs: 40_000 }),
    );
  }
  return found;
}

/** Runs the calls at each level and compares them with what the host's own thread gives. */
async function compare(options: WasmModuleOptions, calls: readonly CallOf[]): Promise<unknown> {
  const inline = await answers("inline", options, calls);
  expect(await answers("worker", options, calls)).toEqual(inline);
  expect(await answers("process", options, calls)).toEqual(inline);
  return inline;
}

describe("the same module, calls and limits give the same answers and errors at each level", () => {
  test("numbers, traps and what the guest does not have", async () => {
    const found = await compare({ source: GUEST }, [
      ["add", [2, 40]],
      ["same", Number.NaN],
      ["same", -0],
      ["same", Number.POSITIVE_INFINITY],
      ["long", -(2n ** 63n)],
      ["two"],
      ["nothing"],
      ["count"],
      ["count"],
      ["boom"],
      ["count"],
      ["divide", [1, 0]],
      ["divide", [-(2 ** 31), -1]],
      ["peek", 0x7fff0000],
      ["call-nothing"],
      ["throw"],
      ["add", [1]],
      ["add", "text"],
      ["add", [1, new Date() as never]],
      ["no-such-method"],
      ["recurse"],
      ["add", [1, 1]],
    ]);
    expect(found).toMatchObject({
      "0 add": 42,
      "1 same": Number.NaN,
      "2 same": -0,
      "4 long": -(2n ** 63n),
      "5 two": [7, -0],
      "8 count": 2,
      "9 boom": { code: "WASM_TRAP", kind: "unreachable" },
      "10 count": 1,
      "17 add": { code: "INVALID_PAYLOAD" },
      "18 add": { code: "INVALID_PAYLOAD" },
      "19 no-such-method": { code: "UNKNOWN_METHOD" },
      "20 recurse": { code: "STACK_EXHAUSTED" },
      "21 add": 2,
    });
  });

  test("text, bytes, plain data and errors of the guest's own, through the profile keelson", async () => {
    const source = wat(
      keelsonGuest(
        ECHO +
          on("f", answer(1, 3, 64, 8)) +
          on("j", answer(1, 2, 96, 33)) +
          on("p", "(call $panic (i32.const 64) (i32.const 8))") +
          on("o", answer(0, 1, 0x7fff0000, 64)),
      ),
    );
    const large = new Uint8Array(200_000).map((_, at) => at);
    const found = await compare({ source, abi: "keelson" }, [
      ["echo", "hello, wörld 🎉 \ud800"],
      ["echo", Uint8Array.of(1, 2, 3)],
      ["echo", large.subarray(10, 150_000)],
      ["echo", { a: [1, "two", null, { three: true }], bytes: Uint8Array.of(9), big: 12n ** 20n }],
      ["echo", { when: new Date() as never }],
      ["fail"],
      ["json"],
      ["panic"],
      ["out-of-bounds"],
      ["echo", "still here"],
    ]);
    expect(found).toMatchObject({
      "1 echo": Uint8Array.of(1, 2, 3),
      "4 echo": { code: "INVALID_PAYLOAD" },
      "5 fail": { code: "GUEST_ERROR" },
      "7 panic": { code: "WASM_TRAP", kind: "panic" },
      "8 out-of-bounds": { code: "OUT_OF_BOUNDS" },
      "9 echo": "still here",
    });
  });

  test("other profiles, too", async () => {
    const found = await compare(
      { source: wat(oxideGuest("(return (call $pack (local.get 2) (local.get 3)))")), abi: "oxide" },
      [
        ["echo", { some: ["data"] }],
        ["echo", 5],
      ],
    );
    expect(found).toEqual({ "0 echo": { some: ["data"] }, "1 echo": 5 });
  });

  test("loops without end, at their fuel after the same amount", async () => {
    const found = await compare(
      { source: GUEST, limits: { fuel: 300_000 } },
      ENDLESS.map((method) => [method] as const),
    );
    for (const method of ENDLESS)
      expect(Object.values(found as object)).toContainEqual(
        expect.objectContaining({ code: "FUEL_EXHAUSTED", method }),
      );
  });

  test("loops without end, at their running time", async () => {
    const found = await compare(
      { source: GUEST, limits: { cpuMs: 20 } },
      ENDLESS.map((method) => [method] as const),
    );
    expect(found).toMatchObject({ "0 spin": { code: "DEADLINE_EXCEEDED", limit: "cpuMs", value: 20 } });
  });

  test("memory and tables at their caps", async () => {
    expect(
      await compare({ source: GUEST, limits: { memory: 10 * 65_536 } }, [
        ["bomb"],
        ["table-bomb"],
        ["add", [1, 1]],
      ]),
    ).toMatchObject({ "0 bomb": 9, "2 add": 2 });
  });

  test("guests that are new to each call", async () => {
    const options: WasmModuleOptions = { source: GUEST, state: "fresh" };
    expect(
      await compare(options, [["count"], ["count"], ["boom"], ["count"], ["bomb"], ["bomb"]]),
    ).toMatchObject({
      "0 count": 1,
      "1 count": 1,
      "3 count": 1,
      "4 bomb": 1023,
      "5 bomb": 1023,
    });
  });

  test("modules that cannot start", async () => {
    const cases: readonly (readonly [string, WasmModuleOptions])[] = [
      ["INVALID_WASM", { source: new TextEncoder().encode("<html>") }],
      ["MISSING_IMPORT", { source: wat(`(module (import "a" "b" (func)) (func (export "f")))`) }],
      ["UNKNOWN_ABI", { source: wat("(module)") }],
      ["WASM_TRAP", { source: wat(`(module (func $s unreachable) (start $s) (func (export "f")))`) }],
      [
        "DEADLINE_EXCEEDED",
        {
          source: wat(`(module (func $s (loop br 0)) (start $s) (func (export "f")))`),
          limits: { cpuMs: 20 },
        },
      ],
    ];
    const { kernel } = await openKernel();
    for (const isolation of levels) {
      for (const [code, options] of cases) {
        const id = `${isolation}-${code.toLowerCase().replaceAll("_", "-")}`;
        await kernel.register(wasmModule({ id, ...options, isolation }));
        expect([id, await outcome(kernel.start(id) as Promise<never>)]).toEqual([
          id,
          expect.objectContaining({ code }),
        ]);
        expect(kernel.state(id)).toBe("failed");
      }
    }
  });

  test("log records and what a call used", async () => {
    const source = wat(
      keelsonGuest(
        ECHO + on("l", `(call $log (i32.const 2) (i32.const 64) (i32.const 8)) ${answer(0, 0, 0, 0)}`),
      ),
    );
    const fuel: (number | undefined)[] = [];
    for (const isolation of levels) {
      const { kernel, written } = await open(isolation, { source, abi: "keelson" });
      await kernel.invoke("guest", "log");
      expect(written).toContainEqual({ level: "warn", message: "it broke" });
      const { value, usage } = await kernel.measure("guest", "echo", "x");
      expect(value).toBe("x");
      expect(usage?.cpuMs).toBeGreaterThan(0);
      expect(usage?.memoryPeakBytes).toBe(65_536);
      fuel.push(usage?.fuel);
    }
    expect(new Set(fuel).size).toBe(1);
    expect(fuel[0]).toBeGreaterThan(0);
  });
});

test("the metrics of guests count the same work at each level", async () => {
  const found: number[] = [];
  for (const isolation of levels) {
    const { kernel } = await open(isolation, { source: GUEST, limits: { fuel: 300_000, cpuMs: 10_000 } });
    await kernel.invoke("guest", "add", [1, 1]);
    for (const method of ["spin", "boom", "recurse"]) await codeOf(kernel.invoke("guest", method));
    const [fuel, cpuSeconds] = ["fuel", "cpu_seconds"].map((name) => {
      const line = kernel.metrics
        .text()
        .split("\n")
        .find((text) => text.startsWith(`keelson_guest_${name}_total{module="guest"`));
      return Number(line?.split(" ").at(-1));
    });
    found.push(fuel as number);
    expect([isolation, cpuSeconds]).toEqual([isolation, expect.any(Number)]);
    expect(cpuSeconds).toBeGreaterThan(0);
  }
  expect(found[0]).toBeGreaterThan(300_000);
  expect(found).toEqual([found[0], found[0], found[0]]);
});

test.each(levels)(
  "a stop at the call's own deadline says what it was, and decides a trial (%s)",
  async (isolation) => {
    const quarantine = { stops: 2, initialMs: 50, minRunMs: 1 };
    const { kernel } = await open(isolation, { source: GUEST, quarantine });
    const stopped = {
      code: "DEADLINE_EXCEEDED",
      details: {
        module: "guest",
        method: "spin",
        limit: "deadline",
        usage: { fuel: expect.any(Number) as number, cpuMs: expect.any(Number) as number },
      },
    };
    // On a busy machine its time may be over before the guest has begun, which is nothing that it did.
    const spin = async (): Promise<unknown> => {
      for (let timeoutMs = 150; ; timeoutMs *= 2) {
        const error = await rejection(kernel.invoke("guest", "spin", undefined, { timeoutMs }));
        if (error.details?.["usage"] !== undefined || timeoutMs > 5_000) return error;
      }
    };
    expect(await spin()).toMatchObject(stopped);
    // A stop of which nothing was told counts, too, and may have been the second.
    const second = await spin();
    if (!isKeelsonError(second, "MODULE_QUARANTINED")) expect(second).toMatchObject(stopped);
    // A trial may be lost, and the next calls refused, before the guest has told what it used: then the one after it is looked at.
    let trial: unknown;
    do {
      await eventually(() => kernel.list()[0]?.quarantine?.trialInMs === 0);
      trial = await spin();
    } while (isKeelsonError(trial, "MODULE_QUARANTINED"));
    expect(trial).toMatchObject(stopped);
    const { failedTrials = 0, onTrial } = kernel.list()[0]?.quarantine ?? {};
    expect(failedTrials).toBeGreaterThan(0);
    expect(onTrial).toBe(false);
  },
);

test("a guest that is killed at its deadline was stopped, too, and that decides a trial", async () => {
  const quarantine = { stops: 1, initialMs: 50 };
  const { kernel } = await open("process", { source: GUEST, metering: "off", quarantine });
  // Time for another process to start, on a busy machine too.
  const spin = (): Promise<unknown> =>
    kernel.invoke("guest", "spin", undefined, { timeoutMs: 1500 }).catch((error: unknown) => error);
  const stopped = { code: "DEADLINE_EXCEEDED", details: { module: "guest", limit: "deadline" } };
  expect(await spin()).toMatchObject(stopped);
  await eventually(() => kernel.list()[0]?.quarantine?.trialInMs === 0);
  expect(await spin()).toMatchObject(stopped);
  await eventually(() => kernel.list()[0]?.quarantine?.failedTrials === 1);
});

test.each(levels)(
  "what is no name, and a text that is no text, is the same everywhere (%s)",
  async (isolation) => {
    const { kernel } = await open(isolation, { source: GUEST });
    for (const method of [undefined, 5, null, {}])
      expect(await codeOf(kernel.invoke("guest", method as never))).toBe("UNKNOWN_METHOD");
    expect(await codeOf(kernel.invoke("guest", "add", "\ud800".repeat(5_000_000)))).toBe("INVALID_PAYLOAD");
    expect(await kernel.invoke("guest", "count")).toBe(1);
  },
);

test.each(levels)("a module whose guest is stopped too often is quarantined (%s)", async (isolation) => {
  const { kernel } = await open(isolation, { source: GUEST, limits: { cpuMs: 5 }, quarantine: {} });
  const codes: string[] = [];
  for (let n = 0; n < 4; n++) codes.push(await codeOf(kernel.invoke("guest", "spin")));
  const stopped = "DEADLINE_EXCEEDED";
  expect(codes).toEqual([stopped, stopped, stopped, "MODULE_QUARANTINED"]);
});

test.each(levels)(
  "200 calls by 20 callers over a pool of 3, and a reload between, lose none (%s)",
  async (isolation) => {
    const { kernel } = await open(isolation, { source: GUEST, pool: { max: 3 } });
    const caller = async (kernel: Kernel, from: number): Promise<void> => {
      for (let n = 0; n < 10; n++) expect(await kernel.invoke("guest", "add", [from, n])).toBe(from + n);
    };
    const callers = Array.from({ length: 20 }, (_, from) => caller(kernel, from * 100));
    await kernel.reload("guest");
    await Promise.all(callers);
  },
);
