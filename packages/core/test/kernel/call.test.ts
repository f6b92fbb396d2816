import { describe, expect, test } from "vitest";
import type { Call } from "../../src/contract/call.ts";
import { nativeModule } from "../../src/kernel/index.ts";
import { settle } from "../../src/testing/index.ts";
import { rejection } from "../support/errors.ts";
import { echo, testKernel } from "./harness.ts";

const never = (): Promise<never> => new Promise(() => {});

describe("invoke", () => {
  test("answers what the module answers, value or promise, and counts it", async () => {
    const { kernel } = testKernel();
    await kernel.register(
      nativeModule({ id: "a", methods: { now: () => 1, later: async () => 2, nothing: () => undefined } }),
    );
    await kernel.start("a");
    expect(await kernel.invoke("a", "now")).toBe(1);
    expect(await kernel.invoke("a", "later")).toBe(2);
    expect(await kernel.invoke("a", "nothing")).toBeUndefined();
    expect(kernel.metrics.text()).toContain('keelson_call_duration_seconds_count{module="a"} 3');
  });

  test("options that are undefined are as absent ones, so that a wrapper can pass on what it was given", async () => {
    const { kernel } = testKernel();
    await kernel.register(nativeModule({ id: "a", methods: { work: async () => 1 } }));
    await kernel.start("a");
    const none = { timeoutMs: undefined, signal: undefined };
    expect(await kernel.invoke("a", "work", null, none)).toBe(1);
    expect((await kernel.measure("a", "work", null, { ...none, record: undefined })).value).toBe(1);
    kernel.bus.respond("ask", () => 2);
    expect(await kernel.bus.request("ask", null, none)).toBe(2);
    await kernel.bus.send("news", 1, none);
  });

  test("a signal that is none is INVALID_OPTIONS before the module begins", async () => {
    const { kernel } = testKernel();
    const seen: string[] = [];
    const work = async (): Promise<never> => {
      seen.push("began");
      throw new Error("too late for anybody to hear");
    };
    await kernel.register(nativeModule({ id: "a", methods: { work } }));
    await kernel.start("a");
    for (const signal of [{}, "SIGINT", 5] as unknown as AbortSignal[]) {
      expect((await rejection(kernel.invoke("a", "work", null, { signal }))).code).toBe("INVALID_OPTIONS");
      expect((await rejection(kernel.measure("a", "work", null, { signal }))).code).toBe("INVALID_OPTIONS");
    }
    expect(seen).toEqual([]);
    expect(kernel.list()[0]?.inFlight).toBe(0);
  });

  test("a module that is not running is MODULE_NOT_RUNNING and the hint says what to do", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a"));
    const error = await rejection(kernel.invoke("a", "echo"));
    expect(error).toMatchObject({ code: "MODULE_NOT_RUNNING", details: { state: "loaded" } });
    expect(error.hint).toContain('start("a")');
  });

  test.each([
    ["undefined", undefined],
    ["a string", "no"],
    ["an error", new Error("no")],
    ["null", null],
  ])(
    "a handler that throws %s is CALL_FAILED, with the cause and an event, and the kernel goes on",
    async (_, thrown) => {
      const { kernel } = testKernel();
      await kernel.register(
        nativeModule({
          id: "a",
          methods: {
            sync() {
              throw thrown;
            },
            async: () => Promise.reject(thrown),
            ok: () => 1,
          },
        }),
      );
      await kernel.start("a");
      for (const method of ["sync", "async"]) {
        const error = await rejection(kernel.invoke("a", method));
        expect(error.code).toBe("CALL_FAILED");
        expect(error.cause).toBe(thrown);
      }
      expect(kernel.events().filter(({ topic }) => topic === "module.call_failed")).toHaveLength(2);
      expect(kernel.metrics.text()).toContain('keelson_call_errors_total{code="CALL_FAILED",module="a"} 2');
      expect(await kernel.invoke("a", "ok")).toBe(1);
    },
  );

  test("an unknown method names those that exist", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a"));
    await kernel.start("a");
    const error = await rejection(kernel.invoke("a", "eco"));
    expect(error).toMatchObject({ code: "UNKNOWN_METHOD", details: { methods: ["echo"] } });
  });

  test("a method that is no text is a KeelsonError and ends no program, however the module answers and the call fails", async () => {
    const { kernel } = testKernel();
    const fail = (): never => {
      throw new Error("no such thing");
    };
    await kernel.register({
      metadata: { id: "sync", name: "Sync", kind: "native", version: "1.0.0" },
      create: () => ({ call: fail }),
    });
    await kernel.register({
      metadata: { id: "later", name: "Later", kind: "native", version: "1.0.0" },
      create: () => ({ call: async () => fail() }),
    });
    await kernel.register(nativeModule({ id: "silent" }));
    for (const id of ["sync", "later", "silent"]) {
      await kernel.start(id);
      for (const method of [Symbol("m"), { toString: fail }, null, 5] as unknown as string[]) {
        const error = await rejection(kernel.invoke(id, method));
        expect(error.code).toBe(id === "silent" ? "UNKNOWN_METHOD" : "CALL_FAILED");
        const aborted = await rejection(
          kernel.invoke(id, method, undefined, { signal: AbortSignal.abort() }),
        );
        expect(aborted.code).toBe(id === "silent" ? "UNKNOWN_METHOD" : "ABORTED");
      }
    }
  });

  test("a call that takes too long is DEADLINE_EXCEEDED, its signal fires, and no timer is left", async () => {
    const { kernel, platform } = testKernel();
    let seen: Call | undefined;
    await kernel.register(
      nativeModule({ id: "a", methods: { hang: (call) => ((seen = call), void call.signal, never()) } }),
    );
    await kernel.start("a");
    const failed = rejection(kernel.invoke("a", "hang", undefined, { timeoutMs: 50 }));
    await platform.clock.advance(49);
    expect(seen?.signal.aborted).toBe(false);
    await platform.clock.advance(1);
    expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { timeoutMs: 50 } });
    expect(seen?.signal.aborted).toBe(true);
    expect(kernel.list()[0]?.inFlight).toBe(0);
    expect(platform.clock.pending).toBe(0);
  });

  test("the default time is 30 s", async () => {
    const { kernel, platform } = testKernel();
    await kernel.register(nativeModule({ id: "a", methods: { hang: never } }));
    await kernel.start("a");
    const failed = rejection(kernel.invoke("a", "hang"));
    await platform.clock.advance(30_000);
    expect((await failed).code).toBe("DEADLINE_EXCEEDED");
  });

  test("the caller's signal ends the call and keeps no listener afterwards", async () => {
    const { kernel } = testKernel();
    await kernel.register(nativeModule({ id: "a", methods: { hang: never, quick: async () => 1 } }));
    await kernel.start("a");
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = ((...args: Parameters<typeof add>) => (
      listeners++,
      add(...args)
    )) as typeof add;
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => (
      listeners--,
      remove(...args)
    )) as typeof remove;
    await kernel.invoke("a", "quick", undefined, { signal });
    expect(listeners).toBe(0);
    const failed = rejection(kernel.invoke("a", "hang", undefined, { signal }));
    expect(listeners).toBe(1);
    controller.abort("enough");
    expect(await failed).toMatchObject({ code: "ABORTED", cause: "enough" });
    expect(listeners).toBe(0);
    expect((await rejection(kernel.invoke("a", "quick", undefined, { signal }))).code).toBe("ABORTED");
  });

  test("a call inside a call gets at most its parent's time and ends with it", async () => {
    const { kernel, platform } = testKernel();
    let inner: Call | undefined;
    await kernel.register(
      nativeModule({ id: "in", methods: { hang: (call) => ((inner = call), void call.signal, never()) } }),
    );
    await kernel.register(
      nativeModule({
        id: "out",
        methods: { go: (call) => call.invoke("in", "hang", undefined, { timeoutMs: 10_000 }) },
      }),
    );
    await kernel.start();
    const controller = new AbortController();
    const failed = rejection(
      kernel.invoke("out", "go", undefined, { timeoutMs: 100, signal: controller.signal }),
    );
    await settle();
    expect(inner?.parent?.module).toBe("out");
    expect(inner?.deadline).toBe(platform.clock.now() + 100);
    controller.abort();
    expect((await failed).code).toBe("ABORTED");
    await settle();
    expect(inner?.signal.aborted).toBe(true);
    expect(kernel.list().map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  });

  test("stopping the module ends its calls with ABORTED", async () => {
    const { kernel } = testKernel();
    await kernel.register(nativeModule({ id: "a", methods: { hang: never } }));
    await kernel.start("a");
    const failed = rejection(kernel.invoke("a", "hang"));
    await kernel.stop("a");
    expect((await failed).code).toBe("ABORTED");
  });
});

describe("invokeSync", () => {
  test("gives the value at once, and WOULD_BLOCK for a promise", async () => {
    const { kernel } = testKernel();
    await kernel.register(
      nativeModule({
        id: "a",
        methods: { now: () => 1, later: async () => 2, nested: (call) => call.invokeSync("a", "now") },
      }),
    );
    await kernel.start("a");
    expect(kernel.invokeSync("a", "now")).toBe(1);
    expect(kernel.invokeSync("a", "nested")).toBe(1);
    expect(() => kernel.invokeSync("a", "later")).toThrow(expect.objectContaining({ code: "WOULD_BLOCK" }));
    await settle();
    expect(kernel.list()[0]?.inFlight).toBe(0);
  });
});

describe("stream", () => {
  const counting = (cleaned: string[]) =>
    nativeModule({
      id: "s",
      create: () => ({
        async *stream({ payload }) {
          try {
            for (let n = 0; n < (payload as number); n++) yield n;
          } finally {
            cleaned.push("clean");
          }
        },
      }),
    });

  test("gives the values, and ends early with the module's own clean-up", async () => {
    const { kernel } = testKernel();
    const cleaned: string[] = [];
    await kernel.register(counting(cleaned));
    await kernel.start();
    const seen: unknown[] = [];
    for await (const value of kernel.stream("s", "count", 3)) seen.push(value);
    expect(seen).toEqual([0, 1, 2]);
    for await (const value of kernel.stream("s", "count", 100)) if (value === 1) break;
    await settle();
    expect(cleaned).toEqual(["clean", "clean"]);
    expect(kernel.list()[0]?.inFlight).toBe(0);
  });

  test("a stream under way fails when the module is stopped", async () => {
    const { kernel } = testKernel();
    await kernel.register(counting([]));
    await kernel.start();
    const iterator = kernel.stream("s", "count", 100)[Symbol.asyncIterator]();
    await iterator.next();
    await kernel.stop("s");
    expect((await rejection(iterator.next())).code).toBe("ABORTED");
  });
});
