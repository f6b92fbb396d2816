import { describe, expect, test } from "vitest";
import type { Call } from "../../src/contract/call.ts";
import { KeelsonError } from "../../src/contract/errors.ts";
import type { ModuleDefinition } from "../../src/contract/module.ts";
import type { Usage } from "../../src/contract/usage.ts";
import { nativeModule } from "../../src/kernel/index.ts";
import { rejection } from "../support/errors.ts";
import { echo, testKernel } from "./harness.ts";

const usage: Usage = { fuel: 7, cpuMs: 1.5, memoryPeakBytes: 65_536 };

/** A module that measures itself, and records where it is asked to. */
function measuring(id: string, answer: (call: Call) => unknown): ModuleDefinition {
  const fill = (call: Call): never => {
    if (call.measurement !== undefined) call.measurement.usage = usage;
    return answer(call) as never;
  };
  return {
    metadata: { id, name: id, version: "1.0.0", kind: "measuring" },
    create: () => ({
      call: fill,
      record(call) {
        if (call.measurement !== undefined)
          call.measurement.recorded = { version: 1, kind: "measuring", method: call.method };
        return fill(call);
      },
    }),
  };
}

describe("measure", () => {
  test.each([
    ["at once", () => 42],
    ["later", async () => 42],
  ])("answers the value and what the module says the call used, %s", async (_, answer) => {
    const { kernel } = testKernel();
    await kernel.register(measuring("a", answer));
    await kernel.start("a");
    expect(await kernel.measure("a", "x")).toEqual({ value: 42, usage });
    expect(kernel.metrics.text()).toContain('keelson_call_duration_seconds_count{module="a"} 1');
  });

  test("a plain call is not measured, nor is one inside a measured one", async () => {
    const { kernel } = testKernel();
    const seen: unknown[] = [];
    const look = (call: Call): number => seen.push(call.measurement);
    await kernel.register(nativeModule({ id: "inner", methods: { look } }));
    await kernel.register(
      nativeModule({ id: "outer", methods: { look: (call) => call.invoke("inner", "look") } }),
    );
    await kernel.start();
    await kernel.invoke("inner", "look");
    await kernel.measure("outer", "look");
    expect(seen).toEqual([undefined, undefined]);
  });

  test("a module that cannot tell answers without usage", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a"));
    await kernel.start("a");
    const { value, usage: none, record } = await kernel.measure("a", "echo", 1);
    expect([value, none, record]).toEqual([{ version: "1.0.0", payload: 1 }, undefined, undefined]);
  });

  test.each([
    [
      "at once",
      () => {
        throw new KeelsonError("GUEST_ERROR", "no", { hint: "ask again", details: { why: "no" } });
      },
    ],
    [
      "later",
      async () => {
        throw new KeelsonError("GUEST_ERROR", "no", { hint: "ask again", details: { why: "no" } });
      },
    ],
  ])("an error carries the usage, and what it said before, %s", async (_, answer) => {
    const { kernel } = testKernel();
    await kernel.register(measuring("a", answer));
    await kernel.start("a");
    const error = await rejection(kernel.measure("a", "x"));
    expect(error).toMatchObject({
      code: "GUEST_ERROR",
      message: "no\n  hint: ask again",
      hint: "ask again",
      details: { why: "no", usage },
    });
    expect((await rejection(kernel.invoke("a", "x"))).details).toEqual({ why: "no" });
  });

  test("a record comes with the value when it was asked for, else with the error", async () => {
    const { kernel } = testKernel();
    let fails = false;
    const answer = (): number => {
      if (fails) throw new KeelsonError("WASM_TRAP", "trap");
      return 1;
    };
    await kernel.register(measuring("a", answer));
    await kernel.start("a");
    const record = { version: 1, kind: "measuring", method: "x" };
    expect(await kernel.measure("a", "x", undefined, { record: true })).toEqual({ value: 1, usage, record });
    fails = true;
    const error = await rejection(kernel.measure("a", "x", undefined, { record: true }));
    expect(error).toMatchObject({ code: "WASM_TRAP", details: { usage, record } });
  });

  test("a record that is asked of a module that cannot make one is UNSUPPORTED, and nothing is called", async () => {
    const { kernel } = testKernel();
    let calls = 0;
    await kernel.register(nativeModule({ id: "a", methods: { x: () => ++calls } }));
    await kernel.start("a");
    const error = await rejection(kernel.measure("a", "x", undefined, { record: true }));
    expect(error).toMatchObject({ code: "UNSUPPORTED", details: { id: "a", kind: "native" } });
    expect(calls).toBe(0);
  });

  test("is refused where invoke is: unknown and stopped modules, no time, an abort", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a"));
    expect((await rejection(kernel.measure("b", "echo"))).code).toBe("UNKNOWN_MODULE");
    expect((await rejection(kernel.measure("a", "echo"))).code).toBe("MODULE_NOT_RUNNING");
    await kernel.start("a");
    const timeoutMs = Number.NaN;
    expect((await rejection(kernel.measure("a", "echo", 1, { timeoutMs }))).code).toBe("INVALID_OPTIONS");
    expect((await rejection(kernel.measure("a", "echo", 1, { timeoutMs: 0 }))).code).toBe(
      "DEADLINE_EXCEEDED",
    );
    expect((await rejection(kernel.measure("a", "echo", 1, { signal: AbortSignal.abort() }))).code).toBe(
      "ABORTED",
    );
  });

  test("waits while the module is replaced, and is answered by the new version", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a", { overlap: false }));
    await kernel.start("a");
    const gate = Promise.withResolvers<void>();
    const reloaded = kernel.reload(
      "a",
      echo("a", { version: "2.0.0", overlap: false, init: () => gate.promise }),
    );
    await Promise.resolve();
    const measured = kernel.measure("a", "echo");
    gate.resolve();
    await reloaded;
    expect((await measured).value).toMatchObject({ version: "2.0.0" });
  });
});
