import { isKeelsonError, type Platform, type Processes } from "@keelson/core";
import { describe, expect, test } from "vitest";
import { GUEST, ENDLESS } from "./guests.ts";
import {
  children,
  codeOf,
  eventually,
  holdings,
  expectHoldings,
  expectIdle,
  isAlive,
  looping,
  onlyChild,
  open,
  openKernel,
  startEach,
} from "./harness.ts";
import { wasmModule } from "../../src/index.ts";

const away = ["worker", "process"] as const;

/** Waits until a call has surely reached its guest: nothing tells it, but the processor's time. */
const underWay = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

describe.each(away)("a guest at isolation %s", (isolation) => {
  test("that loops leaves the host's thread free, and is stopped at its deadline", async () => {
    const { kernel } = await open(isolation, { source: GUEST });
    for (const method of ENDLESS) {
      let turns = 0;
      const timer = setInterval(() => turns++, 5);
      // On a busy machine the host has little of the core meanwhile, whoever has it.
      for (let timeoutMs = 100; turns <= 1 && timeoutMs < 2_000; timeoutMs *= 4) {
        turns = 0;
        const code = await codeOf(kernel.invoke("guest", method, undefined, { timeoutMs }));
        expect([method, code]).toEqual([method, "DEADLINE_EXCEEDED"]);
      }
      clearInterval(timer);
      // Of a thread that was held up, none or one.
      expect(turns).toBeGreaterThan(1);
      expect(await kernel.invoke("guest", "add", [1, 1])).toBe(2);
    }
  });

  test("is stopped at once when its caller aborts, and half a second later no core is used", async () => {
    const { kernel, written } = await open(isolation, { source: GUEST, pool: { max: 2 } });
    for (const method of ENDLESS) {
      const abort = new AbortController();
      const call = codeOf(kernel.invoke("guest", method, undefined, { signal: abort.signal }));
      await underWay();
      abort.abort();
      expect([method, await call]).toEqual([method, "ABORTED"]);
      expect(await kernel.invoke("guest", "add", [1, 1])).toBe(2);
    }
    // None had to be given up, which is what happens to one that does not see that it is to stop.
    expect(written).toEqual([]);
    await expectIdle();
  });

  test("is ended when memory is short and nobody uses it, and the next call gets another", async () => {
    const { kernel } = await open(isolation, { source: GUEST, pool: { max: 2 } });
    expect(await kernel.invoke("guest", "count")).toBe(1);
    expect(await kernel.invoke("guest", "count")).toBe(2);
    expect(kernel.relieve().instances).toBe(1);
    expect(await kernel.invoke("guest", "count")).toBe(1);
  });

  test("whose payload cannot be sent is not touched", async () => {
    const { kernel } = await open(isolation, { source: GUEST });
    await kernel.invoke("guest", "count");
    for (const payload of [() => 1, Symbol("x"), new Map(), [[new (class Own {})()]]])
      expect(await codeOf(kernel.invoke("guest", "add", payload as never))).toBe("INVALID_PAYLOAD");
    const circle: unknown[] = [];
    circle.push(circle);
    expect(await codeOf(kernel.invoke("guest", "add", circle as never))).toBe("INVALID_PAYLOAD");
    expect(await kernel.invoke("guest", "count")).toBe(2);
  });

  test("answers by promise only", async () => {
    const { kernel } = await open(isolation, { source: GUEST });
    await expect(async () => kernel.invokeSync("guest", "add", [1, 1])).rejects.toMatchObject({
      code: "WOULD_BLOCK",
    });
    await eventually(() => true);
  });

  test("is refused what only the host's own thread has", () => {
    const refused = expect.objectContaining({ code: "INVALID_OPTIONS" });
    const base = { id: "guest", source: GUEST, isolation };
    expect(() => wasmModule({ ...base, source: new WebAssembly.Module(GUEST) })).toThrow(refused);
    expect(() => wasmModule({ ...base, abi: { name: "own" } as never })).toThrow(refused);
    const interrupt = new Int32Array(new SharedArrayBuffer(4));
    expect(() => wasmModule({ ...base, interrupt })).toThrow(refused);
  });

  test("is refused where the platform has none of it, with the reason", async () => {
    const lacking = {
      supports: { workers: false, fork: false },
      reasons: { workers: "not today", fork: "not today" },
    };
    const { kernel } = await openKernel((platform) => ({ ...platform, ...lacking }));
    await kernel.register(wasmModule({ id: "guest", source: GUEST, isolation }));
    const error: unknown = await kernel.start("guest").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "UNSUPPORTED", hint: "not today" });
  });
});

test("guests are stopped by the stop of their modules, and nothing of them is left", async () => {
  const before = holdings();
  const { kernel } = await openKernel();
  await startEach(kernel, away, () => ({ source: GUEST, pool: { max: 2 }, deadlines: { stopMs: 500 } }));
  const calls = [...away, ...away].map((id) => codeOf(kernel.invoke(id, "spin")));
  await underWay();
  expect(await kernel.shutdown()).toMatchObject({ orphans: [], errors: [] });
  for (const code of await Promise.all(calls))
    expect(["MODULE_NOT_RUNNING", "ABORTED", "KERNEL_CLOSED", "POOL_CLOSED"]).toContain(code);
  await expectHoldings(before);
  await expectIdle();
});

test("what cannot be stopped by its meter may not be in a thread, and unknown levels are refused", () => {
  const refused = expect.objectContaining({ code: "INVALID_OPTIONS" });
  expect(() => wasmModule({ id: "g", source: GUEST, isolation: "worker", metering: "off" })).toThrow(refused);
  expect(() => wasmModule({ id: "g", source: GUEST, isolation: "thread" as never })).toThrow(refused);
  expect(() => wasmModule({ id: "g", source: GUEST, isolation: "process", limits: { process: 0 } })).toThrow(
    refused,
  );
});

describe("a guest in a process", () => {
  test("that is not metered is killed at its deadline and at an abort", async () => {
    const { kernel } = await open("process", { source: GUEST, metering: "off" });
    for (const round of [1, 2]) {
      const pid = onlyChild();
      const abort = new AbortController();
      const timeoutMs = round === 1 ? 60 : 10_000;
      const spin = (): { code: Promise<string> } => ({
        code: codeOf(kernel.invoke("guest", "spin", undefined, { timeoutMs, signal: abort.signal })),
      });
      const { code } = round === 1 ? spin() : await looping([pid], spin);
      if (round === 2) abort.abort();
      expect(await code).toBe(round === 1 ? "DEADLINE_EXCEEDED" : "ABORTED");
      await eventually(() => !isAlive(pid));
      expect(await kernel.invoke("guest", "add", [1, 1])).toBe(2);
      expect(onlyChild()).not.toBe(pid);
    }
  });

  test("that is killed from outside fails its own call alone", async () => {
    const { kernel } = await open("process", { source: GUEST, pool: { min: 2, max: 2 } });
    const abort = new AbortController();
    const { calls } = await looping(children(), () => ({
      calls: [1, 2].map(() => codeOf(kernel.invoke("guest", "spin", undefined, { signal: abort.signal }))),
    }));
    process.kill(children()[0] as number, "SIGKILL");
    expect(await Promise.race(calls)).toBe("PROCESS_EXITED");
    abort.abort();
    expect((await Promise.all(calls)).sort()).toEqual(["ABORTED", "PROCESS_EXITED"]);
    expect(kernel.state("guest")).toBe("running");
    expect(await kernel.invoke("guest", "add", [1, 1])).toBe(2);
  });

  test("that is killed while nobody uses it is replaced, and the next call does not fail", async () => {
    // Its host is told once its pipes have ended, and then looks whether all of it is gone.
    const told = Promise.withResolvers<void>();
    const { kernel } = await open("process", { source: GUEST }, (platform) => {
      const { processes } = platform;
      const fork: Processes["fork"] = async (program) => {
        const child = await processes!.fork!(program);
        const terminate = child.terminate.bind(child);
        return Object.assign(child, {
          terminate: (...given: Parameters<typeof terminate>) => (told.resolve(), terminate(...given)),
        });
      };
      return { ...platform, processes: { ...(processes as Processes), fork } };
    });
    await kernel.invoke("guest", "count");
    process.kill(onlyChild(), "SIGKILL");
    await told.promise;
    expect(await kernel.invoke("guest", "count")).toBe(1);
  });

  test("is killed when its process holds more memory than it may", async (context) => {
    const { kernel } = await open("process", {
      source: GUEST,
      limits: { memory: 300 * 2 ** 20, process: 160 * 2 ** 20 },
    });
    if (kernel.platform.supports["processMemory"] !== true)
      context.skip(kernel.platform.reasons["processMemory"]);
    const pid = onlyChild();
    const error: unknown = await kernel
      .invoke("guest", "hog", undefined, { timeoutMs: 5_000 })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "OUT_OF_MEMORY", details: { limitBytes: 160 * 2 ** 20 } });
    await eventually(() => !isAlive(pid));
  });

  test("whose process cannot be watched is run all the same, and the host is told once, if it asked for the limit", async () => {
    const blind = (platform: Platform): Platform => ({
      ...platform,
      supports: { ...platform.supports, processMemory: false },
    });
    for (const limits of [{ process: 160 * 2 ** 20 }, {}]) {
      const { kernel, written } = await open("process", { source: GUEST, limits }, blind);
      expect(await kernel.invoke("guest", "count")).toBe(1);
      const warned = written.filter(({ message }) => message.includes("limits.process"));
      expect(warned.map(({ level }) => level)).toEqual("process" in limits ? ["warn"] : []);
      await kernel.shutdown();
    }
  });

  test("says how its process ended", async () => {
    const { kernel } = await open("process", { source: GUEST });
    const { call } = await looping([onlyChild()], () => ({
      call: kernel.invoke("guest", "spin").catch((thrown: unknown) => thrown),
    }));
    process.kill(onlyChild(), "SIGTERM");
    const error = await call;
    expect(isKeelsonError(error, "PROCESS_EXITED") && error.details).toMatchObject({ module: "guest" });
  });
});
