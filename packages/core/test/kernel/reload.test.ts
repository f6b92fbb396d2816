import { describe, expect, test } from "vitest";
import type { Kernel } from "../../src/contract/kernel.ts";
import type { NativeModuleOptions } from "../../src/kernel/index.ts";
import { nativeModule } from "../../src/kernel/index.ts";
import { Deferred } from "../../src/primitives/deferred.ts";
import { settle } from "../../src/testing/index.ts";
import { countListeners } from "../pool/subjects.ts";
import { rejection } from "../support/errors.ts";
import { echo, testKernel } from "./harness.ts";

const brokenWays: readonly [string, Partial<NativeModuleOptions>][] = [
  ["fails to start", { start: () => Promise.reject(new Error("no")) }],
  ["fails in init", { init: () => Promise.reject(undefined) }],
  ["is not healthy", { health: () => ({ healthy: false, message: "no database" }) }],
  ["fails its health check", { health: () => Promise.reject(new Error("no")) }],
];

test.each(["invoke", "invokeSync"] as const)(
  "without overlap %s inside a call that is drained reaches the old version, also by way of another module",
  async (way) => {
    const { kernel } = testKernel({ drainMs: 60_000 });
    const gate = Promise.withResolvers<void>();
    const version = (number: string) =>
      nativeModule({
        id: "a",
        version: number,
        overlap: false,
        methods: {
          inner: () => number,
          async outer(call) {
            await gate.promise;
            return [await call[way]("a", "inner"), await call.invoke("b", "back")];
          },
        },
      });
    await kernel.register(version("1.0.0"));
    await kernel.register(
      nativeModule({ id: "b", methods: { back: async (call) => call[way]("a", "inner") } }),
    );
    await kernel.start();
    const outer = kernel.invoke("a", "outer");
    const reload = kernel.reload("a", version("2.0.0"));
    const parked = kernel.invoke("a", "inner");
    gate.resolve();
    await reload;
    expect(await outer).toEqual(["1.0.0", "1.0.0"]);
    expect(await parked).toBe("2.0.0");
  },
);

describe.each([
  ["with overlap", true],
  ["without overlap", false],
])("reload %s", (_, overlap) => {
  test("serves the new version afterwards, in a new generation", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a", { overlap }));
    await kernel.start("a");
    await kernel.reload("a", echo("a", { version: "2.0.0", overlap }));
    expect(await kernel.invoke("a", "echo", 1)).toEqual({ version: "2.0.0", payload: 1 });
    expect(kernel.list()).toMatchObject([
      { state: "running", generation: 2, metadata: { version: "2.0.0" } },
    ]);
    expect(kernel.events().filter(({ topic }) => topic === "module.reloaded")).toMatchObject([
      { data: { from: "1.0.0", to: "2.0.0" } },
    ]);
  });

  test.each(brokenWays)(
    "a version that %s never serves: RELOAD_FAILED, the old one serves on",
    async (_how, broken) => {
      const { kernel } = testKernel();
      await kernel.register(echo("a", { overlap }));
      await kernel.start("a");
      const error = await rejection(kernel.reload("a", echo("a", { version: "2.0.0", overlap, ...broken })));
      expect(error).toMatchObject({ code: "RELOAD_FAILED", details: { version: "2.0.0", serving: true } });
      expect(await kernel.invoke("a", "echo")).toMatchObject({ version: "1.0.0" });
      expect(kernel.state("a")).toBe("running");
    },
  );

  test("a version that hangs in its start is given up at its deadline", async () => {
    const { kernel, platform } = testKernel();
    await kernel.register(echo("a", { overlap }));
    await kernel.start("a");
    const failed = rejection(
      kernel.reload("a", echo("a", { version: "2.0.0", overlap, start: () => new Promise(() => {}) })),
    );
    const during = kernel.invoke("a", "echo", "during");
    await platform.clock.advance(10_000);
    expect((await failed).code).toBe("RELOAD_FAILED");
    expect(await during).toEqual({ version: "1.0.0", payload: "during" });
  });

  test("loses no call: all in flight and all that come meanwhile are answered", async () => {
    const { kernel } = testKernel();
    const gate = new Deferred();
    const slow = (version: string, start?: () => Promise<void>): ReturnType<typeof nativeModule> =>
      nativeModule({
        id: "a",
        version,
        overlap,
        methods: { slow: async () => (await gate.promise, version), quick: () => version },
        ...(start === undefined ? {} : { start }),
      });
    await kernel.register(slow("1.0.0"));
    await kernel.start("a");
    const before = Array.from({ length: 10 }, () => kernel.invoke("a", "slow"));
    const startGate = new Deferred();
    const reloaded = kernel.reload(
      "a",
      slow("2.0.0", () => startGate.promise),
    );
    await settle();
    const during = Array.from({ length: 10 }, () => kernel.invoke("a", "quick"));
    await settle();
    startGate.resolve();
    gate.resolve();
    await reloaded;
    expect(await Promise.all(before)).toEqual(Array(10).fill("1.0.0"));
    expect(await Promise.all(during)).toEqual(Array(10).fill(overlap ? "1.0.0" : "2.0.0"));
    expect(await kernel.invoke("a", "quick")).toBe("2.0.0");
  });

  test("never do two serve" + (overlap ? "" : ", and never are two alive"), async () => {
    const { kernel } = testKernel();
    let alive = 0;
    let most = 0;
    const counted = (version: string) =>
      echo("a", {
        version,
        overlap,
        start: () => void (most = Math.max(most, ++alive)),
        stop: () => void alive--,
      });
    await kernel.register(counted("1.0.0"));
    await kernel.start("a");
    for (let n = 2; n < 10; n++) {
      const reloaded = kernel.reload("a", counted(`${n}.0.0`));
      const answers = await Promise.all(Array.from({ length: 5 }, () => kernel.invoke("a", "echo")));
      expect(new Set(answers.map((answer) => (answer as { version: string }).version)).size).toBe(1);
      await reloaded;
    }
    await settle();
    expect(alive).toBe(1);
    expect(most).toBe(overlap ? 2 : 1);
  });

  test("two at once come one after the other", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a", { overlap }));
    await kernel.start("a");
    await Promise.all([
      kernel.reload("a", echo("a", { version: "2.0.0", overlap })),
      kernel.reload("a", echo("a", { version: "3.0.0", overlap })),
    ]);
    expect(await kernel.invoke("a", "echo")).toMatchObject({ version: "3.0.0" });
    expect(kernel.list()[0]?.generation).toBe(3);
  });

  test("stop() gives up a reload under way", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a", { overlap }));
    await kernel.start("a");
    const failed = rejection(
      kernel.reload("a", echo("a", { version: "2.0.0", overlap, start: () => new Promise(() => {}) })),
    );
    await settle();
    await kernel.stop("a");
    expect((await failed).code).toBe("RELOAD_FAILED");
    expect(kernel.state("a")).toBe("stopped");
  });

  test.each(["stop", "unload", "shutdown"] as const)(
    "%s waits for no call that a reload waits for: it fails, and no version is left alive or begun",
    async (way) => {
      const { kernel, platform } = testKernel();
      let alive = 0;
      let begun = 0;
      const counted = (version: string) =>
        echo("a", {
          version,
          overlap,
          methods: { hang: () => new Promise<never>(() => {}) },
          start: () => void (alive++, begun++),
          stop: async () => void alive--,
        });
      await kernel.register(counted("1.0.0"));
      await kernel.start("a");
      const hung = rejection(kernel.invoke("a", "hang", null, { timeoutMs: Infinity }));
      const reload = kernel.reload("a", counted("2.0.0")).then(
        () => "done",
        (error: { cause: { code: string } }) => error.cause.code,
      );
      await settle();
      const report = await (way === "shutdown" ? kernel.shutdown() : kernel[way]("a"));
      if (way === "shutdown") expect(report).toEqual({ terminated: ["a"], orphans: [], errors: [] });
      expect((await hung).code).toBe("ABORTED");
      expect(await reload).toBe(overlap ? "done" : "ABORTED");
      expect({ alive, begun }).toEqual({ alive: 0, begun: overlap ? 2 : 1 });
      expect(platform.clock.now()).toBe(0);
    },
  );

  test("subscriptions and filters change over with the swap: each envelope is heard once", async () => {
    const { kernel } = testKernel();
    const heard: string[] = [];
    const listening = (version: string, gate?: Deferred) =>
      echo("a", {
        version,
        overlap,
        async start(context) {
          context.bus.on("news", () => heard.push(version));
          context.hooks.filter("title", (value) => `${String(value)} ${version}`);
          await gate?.promise;
        },
      });
    await kernel.register(listening("1.0.0"));
    await kernel.start("a");
    const gate = new Deferred();
    const reloaded = kernel.reload("a", listening("2.0.0", gate));
    await settle();
    kernel.bus.publish("news", 1);
    expect(heard).toEqual(overlap ? ["1.0.0"] : []);
    if (overlap) expect(await kernel.hooks.applyFilters("title", "t")).toBe("t 1.0.0");
    gate.resolve();
    await reloaded;
    heard.length = 0;
    kernel.bus.publish("news", 2);
    expect(heard).toEqual(["2.0.0"]);
    expect(await kernel.hooks.applyFilters("title", "t")).toBe("t 2.0.0");
  });
});

describe("reload", () => {
  /** Version 2.0.0 of "a" replaces the first without overlap, and starts when `gate` lets it. */
  async function reloadHeldAtStart(kernel: Kernel) {
    await kernel.register(echo("a", { overlap: false }));
    await kernel.start("a");
    const gate = new Deferred();
    const reloaded = kernel.reload(
      "a",
      echo("a", { version: "2.0.0", overlap: false, start: () => gate.promise }),
    );
    await settle();
    return { gate, reloaded };
  }

  test("calls parked beyond the limit are refused, those whose time passes are DEADLINE_EXCEEDED", async () => {
    const { kernel, platform } = testKernel({ maxParked: 2 });
    const { gate, reloaded } = await reloadHeldAtStart(kernel);
    const late = rejection(kernel.invoke("a", "echo", 1, { timeoutMs: 100 }));
    const patient = kernel.invoke("a", "echo", 2);
    expect((await rejection(kernel.invoke("a", "echo", 3))).code).toBe("MODULE_NOT_RUNNING");
    await platform.clock.advance(100);
    expect((await late).code).toBe("DEADLINE_EXCEEDED");
    gate.resolve();
    await reloaded;
    expect(await patient).toMatchObject({ version: "2.0.0" });
  });

  test("a parked call that is let go on when its time is just over is DEADLINE_EXCEEDED as well", async () => {
    const { kernel, platform } = testKernel();
    const { gate, reloaded } = await reloadHeldAtStart(kernel);
    const late = rejection(kernel.invoke("a", "echo", 1, { timeoutMs: 100 }));
    // The clock is read before its timers run.
    const { now } = platform.clock;
    platform.clock.now = () => now.call(platform.clock) + 1_000;
    gate.resolve();
    await reloaded;
    expect((await late).code).toBe("DEADLINE_EXCEEDED");
    platform.clock.now = now;
  });

  test("calls that wait for it end with their signal, at once if it has fired, and make room for others", async () => {
    const { kernel, platform } = testKernel({ maxParked: 1 });
    const { gate, reloaded } = await reloadHeldAtStart(kernel);
    expect(
      (await rejection(kernel.invoke("a", "echo", 1, { signal: AbortSignal.abort("never mind") }))).code,
    ).toBe("ABORTED");
    const controller = new AbortController();
    const listeners = countListeners(controller.signal);
    const given = rejection(kernel.invoke("a", "echo", 2, { signal: controller.signal }));
    await settle();
    expect(listeners()).toBe(1);
    controller.abort("enough");
    expect(await given).toMatchObject({ code: "ABORTED", cause: "enough" });
    expect(listeners()).toBe(0);
    const { signal } = new AbortController();
    const left = countListeners(signal);
    const patient = kernel.invoke("a", "echo", 3, { signal });
    await settle();
    gate.resolve();
    await reloaded;
    expect(await patient).toMatchObject({ version: "2.0.0", payload: 3 });
    expect(left()).toBe(0);
    await settle();
    expect(platform.clock.pending).toBe(0);
  });

  test("calls that waited for it keep the signal of options that are of a class", async () => {
    const { kernel } = testKernel();
    const methods = { hang: () => new Promise<never>(() => {}) };
    await kernel.register(echo("a", { overlap: false, methods }));
    await kernel.start("a");
    const reloaded = kernel.reload("a", echo("a", { version: "2.0.0", overlap: false, methods }));
    const controller = new AbortController();
    class Options {
      get signal(): AbortSignal {
        return controller.signal;
      }
    }
    const waiting = rejection(kernel.invoke("a", "hang", 1, new Options()));
    await reloaded;
    await settle();
    controller.abort("enough");
    expect(await waiting).toMatchObject({ code: "ABORTED", cause: "enough" });
  });

  test("of a module that does not run only changes its definition", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a"));
    await kernel.reload("a", echo("a", { version: "2.0.0" }));
    expect(kernel.list()).toMatchObject([{ state: "loaded", metadata: { version: "2.0.0" } }]);
  });

  test("of a failed module brings up the new version", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a", { start: () => Promise.reject(new Error("no")) }));
    await rejection(kernel.start("a"));
    await kernel.reload("a", echo("a", { version: "2.0.0" }));
    expect(await kernel.invoke("a", "echo")).toMatchObject({ version: "2.0.0" });
  });

  test("a version that dependents cannot use is refused before anything happens", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("base"));
    await kernel.register(echo("app", { depends: { base: "^1.0.0" } }));
    await kernel.start("app");
    expect((await rejection(kernel.reload("base", echo("base", { version: "2.0.0" })))).code).toBe(
      "DEPENDENCY_MISSING",
    );
    expect(kernel.list()[0]?.generation).toBe(1);
  });

  test("a version that finds no fitting dependency is refused before anything happens", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("base"));
    await kernel.register(echo("app"));
    await kernel.start();
    for (const depends of [{ base: "^2.0.0" }, { nobody: "*" }] as Record<string, string>[]) {
      const error = await rejection(kernel.reload("app", echo("app", { version: "2.0.0", depends })));
      expect(error.code).toBe("DEPENDENCY_MISSING");
    }
    expect(kernel.list()[1]?.generation).toBe(1);
  });

  test("dependents that are not up ask for nothing", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("base"));
    await kernel.register(echo("app", { depends: { base: "^1.0.0" } }));
    await kernel.start();
    await kernel.stop("app");
    await kernel.reload("base", echo("base", { version: "2.0.0" }));
    expect((await rejection(kernel.start("app"))).code).toBe("DEPENDENCY_MISSING");
  });

  test("starts what the new version depends on, also of a failed module, and nothing else", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("base"));
    await kernel.register(echo("stopped"));
    await kernel.register(echo("app", { start: () => Promise.reject(new Error("no")) }));
    await rejection(kernel.start("app"));
    await kernel.reload("app", echo("app", { version: "2.0.0", depends: { base: "*" } }));
    expect(kernel.list().map(({ state }) => state)).toEqual(["running", "loaded", "running"]);
    await kernel.reload("app", echo("app", { version: "3.0.0", depends: {} }));
    expect(kernel.list().map(({ state }) => state)).toEqual(["running", "loaded", "running"]);
  });

  test("another id is INVALID_OPTIONS", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a"));
    expect((await rejection(kernel.reload("a", echo("b")))).code).toBe("INVALID_OPTIONS");
  });

  test("without overlap, when both the new and the old version fail, both failures are told", async () => {
    const { kernel } = testKernel();
    let starts = 0;
    await kernel.register(
      echo("a", {
        overlap: false,
        start() {
          if (++starts > 1) throw new Error("not again");
        },
      }),
    );
    await kernel.start("a");
    const error = await rejection(
      kernel.reload(
        "a",
        echo("a", {
          version: "2.0.0",
          overlap: false,
          start: () => Promise.reject(new Error("new is broken")),
        }),
      ),
    );
    expect(error).toMatchObject({ code: "RELOAD_FAILED", details: { serving: false } });
    expect(kernel.state("a")).toBe("failed");
    const report = await kernel.shutdown();
    expect(report.errors.some(({ error: { message } }) => message.includes("not again"))).toBe(true);
  });

  test("the old version's calls drain before it stops; those beyond the drain time are ended", async () => {
    const { kernel, platform } = testKernel({ drainMs: 1_000 });
    let stopped = false;
    await kernel.register(
      echo("a", { methods: { hang: () => new Promise(() => {}) }, stop: () => void (stopped = true) }),
    );
    await kernel.start("a");
    const failed = rejection(kernel.invoke("a", "hang", undefined, { timeoutMs: 60_000 }));
    await kernel.reload("a", echo("a", { version: "2.0.0" }));
    expect(await kernel.invoke("a", "echo")).toMatchObject({ version: "2.0.0" });
    await platform.clock.advance(999);
    expect(stopped).toBe(false);
    await platform.clock.advance(1);
    expect(stopped).toBe(true);
    expect((await failed).code).toBe("ABORTED");
  });
});

test("a stop gives up a reload that waits for another as well", async () => {
  const { kernel } = testKernel();
  await kernel.register(echo("a"));
  await kernel.start("a");
  const hung = echo("a", { version: "2.0.0", start: () => new Promise(() => {}) });
  const reloads = [hung, echo("a", { version: "3.0.0" })].map((version) =>
    rejection(kernel.reload("a", version)),
  );
  await settle();
  await kernel.stop("a");
  for (const reload of reloads) expect((await reload).code).toBe("RELOAD_FAILED");
  await settle();
  expect(kernel.state("a")).toBe("stopped");
});

test("a stop in the event of a reload does not wait for the calls of the version that was replaced", async () => {
  const { kernel } = testKernel();
  await kernel.register(echo("a", { methods: { hang: () => new Promise(() => {}) } }));
  await kernel.start("a");
  const failed = rejection(kernel.invoke("a", "hang"));
  let stopped: Promise<void> | undefined;
  kernel.bus.on("module.reloaded", () => (stopped = kernel.stop("a")));
  await kernel.reload("a", echo("a", { version: "2.0.0" }));
  await stopped;
  expect((await failed).code).toBe("ABORTED");
});

test("200 reloads under load, half of them to broken versions: no call is lost", async () => {
  for (const overlap of [true, false]) {
    const { kernel, platform } = testKernel();
    const make = (version: string, broken: boolean) =>
      nativeModule({
        id: "a",
        version,
        overlap,
        methods: {
          work: ({ payload }) =>
            new Promise((resolve) =>
              platform.clock.after((payload as number) % 7, () => resolve([payload ?? null, version])),
            ),
        },
        start: () =>
          new Promise((resolve, reject) =>
            platform.clock.after(3, () => (broken ? reject(new Error("broken")) : resolve())),
          ),
      });
    let good = "1.0.0";
    await Promise.all([kernel.register(make(good, false)), settle()]);
    const started = kernel.start("a");
    await platform.clock.advance(3);
    await started;
    let asked = 0;
    const answers: Promise<unknown>[] = [];
    for (let round = 0; round < 100; round++) {
      const broken = round % 2 === 1;
      const version = `${round + 2}.0.0`;
      const reloaded = kernel.reload("a", make(version, broken)).then(
        () => (good = version),
        (error: { code: string }) => expect(error.code).toBe("RELOAD_FAILED"),
      );
      for (let step = 0; step < 6; step++) {
        for (let n = 0; n < 5; n++) answers.push(kernel.invoke("a", "work", asked++));
        await platform.clock.advance(2);
      }
      await platform.clock.advance(30);
      await reloaded;
      expect(kernel.list()[0]?.metadata.version).toBe(good);
    }
    const values = await Promise.all(answers);
    expect(values.map((value) => (value as [number])[0])).toEqual(Array.from({ length: asked }, (_, n) => n));
  }
});
