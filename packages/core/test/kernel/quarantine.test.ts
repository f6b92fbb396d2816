import { describe, expect, test } from "vitest";
import type { Call } from "../../src/contract/call.ts";
import { KeelsonError, type ErrorCode } from "../../src/contract/errors.ts";
import type { Kernel } from "../../src/contract/kernel.ts";
import type { ModuleDefinition } from "../../src/contract/module.ts";
import type { QuarantineOptions } from "../../src/contract/quarantine.ts";
import type { StopReason } from "../../src/contract/usage.ts";
import type { Value } from "../../src/contract/value.ts";
import { nativeModule } from "../../src/kernel/index.ts";
import { pooled } from "../../src/pool/index.ts";
import { rejection } from "../support/errors.ts";
import { testKernel } from "./harness.ts";

const codes: Readonly<Record<StopReason, ErrorCode>> = {
  fuel: "FUEL_EXHAUSTED",
  cpuMs: "DEADLINE_EXCEEDED",
  deadline: "DEADLINE_EXCEEDED",
  signal: "ABORTED",
  stackBytes: "STACK_EXHAUSTED",
  memoryBytes: "OUT_OF_MEMORY",
};

function stop(limit: StopReason = "cpuMs", cpuMs = 50, module = "a"): KeelsonError {
  const usage = { fuel: 1, cpuMs, memoryPeakBytes: 0 };
  return new KeelsonError(codes[limit], "stopped", { details: { module, limit, usage } });
}

/** A module that does what its payload says. */
function guest(
  options: { quarantine?: QuarantineOptions | false; version?: string; overlap?: boolean } = {},
): ModuleDefinition {
  return nativeModule({
    id: "a",
    methods: {
      spin: ({ payload }) => {
        throw stop(...((payload as [StopReason?, number?, string?] | undefined) ?? []));
      },
      fine: () => 1,
      fail: () => {
        throw new KeelsonError("GUEST_ERROR", "no");
      },
      later: ({ payload }) => payload as never,
      chain: (call: Call) => call.invoke("b", "spin"),
    },
    ...options,
  });
}

async function open(
  options: Parameters<typeof guest>[0] = {},
  kernelOptions: Parameters<typeof testKernel>[0] = {},
): Promise<ReturnType<typeof testKernel>> {
  const made = testKernel(kernelOptions);
  await made.kernel.register(guest(options));
  await made.kernel.start("a");
  return made;
}

async function spin(kernel: Kernel, times = 1, payload?: Value): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = [];
  for (let time = 0; time < times; time++)
    found.push((await rejection(kernel.invoke("a", "spin", payload))).code);
  return found;
}

const topics = (kernel: Kernel): string[] =>
  kernel
    .events()
    .map(({ topic }) => topic)
    .filter((topic) => topic === "module.quarantined" || topic === "module.released");

describe("quarantine", () => {
  test("tells the module to refuse those who wait when it begins, and nothing when it ends", async () => {
    const { kernel, platform } = testKernel();
    const refused: (string | undefined)[] = [];
    const definition = guest();
    await kernel.register({
      ...definition,
      create: async () => ({
        ...(await definition.create()),
        refuseWaiting: (error: KeelsonError) => void refused.push(error?.code),
      }),
    });
    await kernel.start("a");
    await spin(kernel, 3);
    await platform.clock.advance(1_000);
    expect(await kernel.invoke("a", "fine")).toBe(1);
    expect(topics(kernel)).toEqual(["module.quarantined", "module.released"]);
    expect(refused).toEqual(["MODULE_QUARANTINED"]);
  });

  test("is not ended by a new version that does not come up", async () => {
    const { kernel } = await open();
    await spin(kernel, 3);
    const failing = { ...guest({ version: "2.0.0" }), create: () => Promise.reject(new Error("no")) };
    expect((await rejection(kernel.reload("a", failing))).code).toBe("RELOAD_FAILED");
    expect((await rejection(kernel.invoke("a", "fine"))).code).toBe("MODULE_QUARANTINED");
    expect(topics(kernel)).toEqual(["module.quarantined"]);
  });

  test("of a module that was stopped, or is being replaced, is not asked: MODULE_NOT_RUNNING", async () => {
    const { kernel } = await open({ quarantine: { minRunMs: 0 }, overlap: false });
    await spin(kernel, 3);
    const gate = Promise.withResolvers<void>();
    const slow = kernel.phase("pre-stop", () => gate.promise);
    const replaced = kernel.reload("a", guest({ version: "2.0.0", overlap: false }));
    expect(() => kernel.invokeSync("a", "fine")).toThrow(
      expect.objectContaining({ code: "MODULE_NOT_RUNNING" }),
    );
    gate.resolve();
    slow[Symbol.dispose]();
    await replaced;
    await spin(kernel, 3);
    expect((await rejection(kernel.invoke("a", "fine"))).code).toBe("MODULE_QUARANTINED");
    await kernel.stop("a");
    expect((await rejection(kernel.invoke("a", "fine"))).code).toBe("MODULE_NOT_RUNNING");
  });

  test("after three stops in ten seconds the module is refused at once, for a second", async () => {
    const { kernel, platform } = await open();
    expect(await spin(kernel, 3)).toEqual(Array(3).fill("DEADLINE_EXCEEDED"));
    const error = await rejection(kernel.invoke("a", "fine"));
    expect(error).toMatchObject({ code: "MODULE_QUARANTINED", details: { id: "a", trialInMs: 1_000 } });
    expect(kernel.list()[0]?.quarantine).toEqual({
      trialInMs: 1_000,
      onTrial: false,
      lastsMs: 1_000,
      failedTrials: 0,
      refused: 1,
    });
    expect(kernel.state("a")).toBe("running");
    await platform.clock.advance(999);
    expect((await rejection(kernel.invoke("a", "fine"))).code).toBe("MODULE_QUARANTINED");
    await platform.clock.advance(1);
    expect(await kernel.invoke("a", "fine")).toBe(1);
    expect(kernel.list()[0]?.quarantine).toBeUndefined();
    expect(topics(kernel)).toEqual(["module.quarantined", "module.released"]);
    expect(await spin(kernel, 2)).not.toContain("MODULE_QUARANTINED");
    expect(await kernel.invoke("a", "fine")).toBe(1);
  });

  test("the metrics tell of stops by reason, quarantines, refusals and who is in it", async () => {
    const { kernel } = await open();
    await spin(kernel, 2);
    await spin(kernel, 1, ["fuel"]);
    await spin(kernel, 4);
    const text = kernel.metrics.text();
    expect(text).toContain('keelson_guest_stops_total{module="a",reason="cpuMs"} 2');
    expect(text).toContain('keelson_guest_stops_total{module="a",reason="fuel"} 1');
    expect(text).toContain('keelson_quarantines_total{module="a"} 1');
    expect(text).toContain('keelson_quarantine_refusals_total{module="a"} 4');
    expect(text).toContain("keelson_modules_quarantined 1");
  });

  test("a trial that is stopped doubles the time, to a minute at most, and nothing else counts meanwhile", async () => {
    const { kernel, platform } = await open();
    await spin(kernel, 3);
    const lasted: number[] = [];
    for (let trial = 0; trial < 8; trial++) {
      const { lastsMs = 0 } = kernel.list()[0]?.quarantine ?? {};
      lasted.push(lastsMs);
      await platform.clock.advance(lastsMs);
      expect(await spin(kernel, 2)).toEqual(["DEADLINE_EXCEEDED", "MODULE_QUARANTINED"]);
    }
    expect(lasted).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    await platform.clock.advance(60_000);
    expect(await kernel.invoke("a", "fine")).toBe(1);
    await spin(kernel, 3);
    expect(kernel.list()[0]?.quarantine?.lastsMs).toBe(1_000);
  });

  test("one trial passes at a time, and its outcome decides when it is there", async () => {
    const { kernel, platform } = await open();
    await spin(kernel, 3);
    await platform.clock.advance(1_000);
    const gate = Promise.withResolvers<number>();
    const trial = kernel.invoke("a", "later", gate.promise as never);
    expect(kernel.list()[0]?.quarantine?.onTrial).toBe(true);
    for (let call = 0; call < 3; call++)
      expect((await rejection(kernel.invoke("a", "fine"))).code).toBe("MODULE_QUARANTINED");
    gate.resolve(7);
    expect(await trial).toBe(7);
    expect(await kernel.invoke("a", "fine")).toBe(1);
  });

  test("a trial that its caller gives up decides nothing: the next one does", async () => {
    const { kernel, platform } = await open();
    await spin(kernel, 3);
    await platform.clock.advance(1_000);
    const controller = new AbortController();
    const trial = rejection(
      kernel.invoke("a", "later", new Promise(() => {}) as never, { signal: controller.signal }),
    );
    controller.abort();
    expect((await trial).code).toBe("ABORTED");
    expect(kernel.list()[0]?.quarantine?.onTrial).toBe(false);
    expect(await spin(kernel)).toEqual(["DEADLINE_EXCEEDED"]);
    expect(kernel.list()[0]?.quarantine?.lastsMs).toBe(2_000);
  });

  test("a trial that fails by itself came back: the module is taken back", async () => {
    const { kernel, platform } = await open();
    await spin(kernel, 3);
    await platform.clock.advance(1_000);
    expect((await rejection(kernel.invoke("a", "fail"))).code).toBe("GUEST_ERROR");
    expect(await kernel.invoke("a", "fine")).toBe(1);
  });

  test("stops further apart than the window do not add up", async () => {
    const { kernel, platform } = await open();
    for (let time = 0; time < 6; time++) {
      expect(await spin(kernel)).toEqual(["DEADLINE_EXCEEDED"]);
      await platform.clock.advance(5_000);
    }
    expect(topics(kernel)).toEqual([]);
  });

  test.each([
    ["a caller's abort", ["signal"]],
    ["a deadline that left the guest no time", ["deadline", 9]],
    ["a stop of another module's guest that passes through", ["cpuMs", 50, "b"]],
  ])("%s is no stop of it", async (_, payload) => {
    const { kernel } = await open();
    await spin(kernel, 5, payload);
    expect(topics(kernel)).toEqual([]);
  });

  test.each([["fuel"], ["cpuMs"], ["stackBytes"], ["memoryBytes"], ["deadline"]] satisfies [StopReason][])(
    "a stop at %s counts",
    async (limit) => {
      const { kernel } = await open();
      await spin(kernel, 3, [limit]);
      expect(topics(kernel)).toEqual(["module.quarantined"]);
    },
  );

  test("a stop that is told after its caller was answered counts; an abort that is does not", async () => {
    const { kernel, platform } = await open();
    const late = async (thrown: KeelsonError): Promise<void> => {
      const guest = Promise.withResolvers<never>();
      const call = rejection(kernel.invoke("a", "later", guest.promise as never, { timeoutMs: 20 }));
      await platform.clock.advance(20);
      expect((await call).code).toBe("DEADLINE_EXCEEDED");
      guest.reject(thrown);
      await guest.promise.catch(() => {});
    };
    for (let time = 0; time < 5; time++) await late(stop("signal"));
    expect(topics(kernel)).toEqual([]);
    for (let time = 0; time < 3; time++) await late(stop("deadline"));
    expect(topics(kernel)).toEqual(["module.quarantined"]);
  });

  test("plain failures and slow promises never count", async () => {
    const { kernel, platform } = await open();
    for (let time = 0; time < 5; time++) await rejection(kernel.invoke("a", "fail"));
    const slow = Array.from({ length: 5 }, () =>
      rejection(kernel.invoke("a", "later", new Promise(() => {}) as never, { timeoutMs: 20 })),
    );
    await platform.clock.advance(20);
    for (const error of await Promise.all(slow)) expect(error.code).toBe("DEADLINE_EXCEEDED");
    expect(topics(kernel)).toEqual([]);
  });

  test.each([
    ["the definition", { quarantine: false } as const, {}],
    ["the kernel", {}, { quarantine: false } as const],
  ])("can be turned off by %s; stops are counted all the same", async (_, own, all) => {
    const { kernel } = await open(own, all);
    expect(await spin(kernel, 10)).not.toContain("MODULE_QUARANTINED");
    expect(kernel.metrics.text()).toContain('keelson_guest_stops_total{module="a",reason="cpuMs"} 10');
  });

  test("a definition's own options go before the kernel's", async () => {
    const { kernel } = await open(
      { quarantine: { stops: 1, initialMs: 5 } },
      { quarantine: { stops: 9, initialMs: 9 } },
    );
    await spin(kernel);
    expect(kernel.list()[0]?.quarantine?.lastsMs).toBe(5);
  });

  test.each([
    { stops: 0 },
    { stops: 1.5 },
    { withinMs: 0 },
    { initialMs: -1 },
    { maxMs: Number.NaN },
    { minRunMs: "1" as never },
    true as never,
  ])("options that make no sense are INVALID_OPTIONS: %j", async (quarantine) => {
    const { kernel } = testKernel();
    expect((await rejection(kernel.register(guest({ quarantine })))).code).toBe("INVALID_OPTIONS");
    expect(() => testKernel({ quarantine })).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
  });

  test.each([true, false])("a reload begins anew, overlap %s", async (overlap) => {
    const { kernel } = await open({ overlap });
    await spin(kernel, 3);
    await kernel.reload("a", guest({ version: "2.0.0", overlap }));
    expect(await kernel.invoke("a", "fine")).toBe(1);
    expect(topics(kernel)).toEqual(["module.quarantined", "module.released"]);
    expect(await spin(kernel, 2)).not.toContain("MODULE_QUARANTINED");
    expect(await kernel.invoke("a", "fine")).toBe(1);
  });

  test("a stop and start begins anew as well", async () => {
    const { kernel } = await open();
    await spin(kernel, 3);
    await kernel.stop("a");
    await kernel.start("a");
    expect(await kernel.invoke("a", "fine")).toBe(1);
  });

  test("a call of the version before that is stopped after the swap says nothing of the new one", async () => {
    const { kernel, platform } = await open({ quarantine: { stops: 1 } });
    const gate = Promise.withResolvers<never>();
    const old = rejection(kernel.invoke("a", "later", gate.promise as never));
    await platform.clock.advance(5);
    await kernel.reload("a", guest({ version: "2.0.0", quarantine: { stops: 1 } }));
    gate.reject(stop());
    expect((await old).code).toBe("DEADLINE_EXCEEDED");
    expect(topics(kernel)).toEqual([]);
  });

  test("invokeSync, stream and measure are refused, and can be the trial", async () => {
    const { kernel, platform } = await open({ quarantine: { stops: 1 } });
    const sync = (): unknown => {
      try {
        return kernel.invokeSync("a", "fine");
      } catch (error) {
        return (error as KeelsonError).code;
      }
    };
    const measured = (): Promise<unknown> =>
      kernel.measure("a", "fine").then(
        ({ value }) => value,
        (error: KeelsonError) => error.code,
      );
    for (const call of [sync, measured]) {
      await spin(kernel);
      expect(await call()).toBe("MODULE_QUARANTINED");
      const streamed = kernel.stream("a", "fine")[Symbol.asyncIterator]().next();
      expect((await rejection(streamed)).code).toBe("MODULE_QUARANTINED");
      await platform.clock.advance(1_000);
      expect(await call()).toBe(1);
      expect(await call()).toBe(1);
    }
  });

  test("a stream on trial whose reader never comes back decides nothing: the next call is the trial when its time is over", async () => {
    const { kernel, platform } = testKernel();
    const stopped = guest({ quarantine: { stops: 1 } });
    let ended = 0;
    async function* numbers(): AsyncGenerator<Value> {
      try {
        for (let number = 0; ; number++) yield number;
      } finally {
        ended++;
      }
    }
    await kernel.register({
      ...stopped,
      create: async () => Object.assign(await stopped.create(), { stream: numbers }),
    });
    await kernel.start("a");
    await spin(kernel);
    await platform.clock.advance(1_000);
    const reader = kernel.stream("a", "numbers", null, { timeoutMs: 200 })[Symbol.asyncIterator]();
    expect((await reader.next()).value).toBe(0);
    await platform.clock.advance(199);
    expect((await rejection(kernel.invoke("a", "fine"))).code).toBe("MODULE_QUARANTINED");
    expect({ ended, inFlight: kernel.list()[0]?.inFlight }).toEqual({ ended: 0, inFlight: 1 });
    await platform.clock.advance(1);
    expect({ ended, inFlight: kernel.list()[0]?.inFlight }).toEqual({ ended: 1, inFlight: 0 });
    expect(topics(kernel)).toEqual(["module.quarantined"]);
    expect(await kernel.invoke("a", "fine")).toBe(1);
    expect(topics(kernel)).toEqual(["module.quarantined", "module.released"]);
    expect((await rejection(reader.next())).code).toBe("DEADLINE_EXCEEDED");
  });

  test("calls that wait for an instance are refused too when it begins; the time that is burnt is bounded", async () => {
    const { kernel } = testKernel();
    let ran = 0;
    await kernel.register({
      metadata: { id: "a", name: "a", version: "1.0.0", kind: "test" },
      create: () =>
        pooled(
          {
            // made in a while, so that all of them wait
            instantiate: async () => ({
              dead: false,
              memoryBytes: 0,
              call: () => {
                ran++;
                throw stop();
              },
              [Symbol.dispose]() {},
            }),
          },
          { max: 2 },
        ),
    });
    await kernel.start("a");
    const codes = await Promise.all(
      Array.from({ length: 32 }, () => kernel.invoke("a", "spin").catch((error: KeelsonError) => error.code)),
    );
    expect(codes.filter((code) => code === "MODULE_QUARANTINED").length).toBe(32 - ran);
    expect(ran).toBeLessThanOrEqual(4);
  });
});
