import { describe, expect, test } from "vitest";
import { nativeModule } from "../../src/kernel/index.ts";
import { Deferred } from "../../src/primitives/deferred.ts";
import { settle } from "../../src/testing/index.ts";
import { rejection } from "../support/errors.ts";
import { echo, testKernel } from "./harness.ts";

describe("register", () => {
  test("an id twice is DUPLICATE_MODULE and the first stays", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a", { version: "1.0.0" }));
    expect((await rejection(kernel.register(echo("a", { version: "2.0.0" })))).code).toBe("DUPLICATE_MODULE");
    expect(kernel.list().map(({ metadata }) => metadata.version)).toEqual(["1.0.0"]);
  });

  test.each([
    ["an id with a slash", { id: "../x" }],
    ["an empty id", { id: "" }],
    ["a bad version", { id: "a", version: "one" }],
    ["a dependency that is no id", { id: "a", depends: { "../b": "*" } }],
    ["a bad range", { id: "a", depends: { b: "not a range" } }],
    ["itself as dependency", { id: "a", depends: { a: "*" } }],
    ["a negative deadline", { id: "a", deadlines: { startMs: -1 } }],
    ["an unknown policy", { id: "a", restart: { policy: "sometimes" as never } }],
  ])("%s is INVALID_OPTIONS", async (_, options) => {
    const { kernel } = testKernel();
    const error = await rejection(kernel.register(nativeModule(options)));
    expect(error.code).toBe("INVALID_OPTIONS");
    expect(error.hint).toBeTruthy();
    expect(kernel.list()).toEqual([]);
  });

  test("unknown ids are UNKNOWN_MODULE in every operation", async () => {
    const { kernel } = testKernel();
    for (const work of [
      kernel.init("x"),
      kernel.start("x"),
      kernel.stop("x"),
      kernel.reload("x"),
      kernel.unload("x"),
      kernel.invoke("x", "m"),
      kernel.health("x"),
      kernel.reconcile(["x"]),
    ]) {
      expect((await rejection(work)).code).toBe("UNKNOWN_MODULE");
    }
    expect(kernel.state("x")).toBeUndefined();
  });
});

describe("dependencies", () => {
  test("start() starts what a module depends on first, and independent modules at the same time", async () => {
    const { kernel } = testKernel();
    const order: string[] = [];
    const gate = new Deferred();
    const slow = (id: string, depends?: Record<string, string>) =>
      nativeModule({
        id,
        version: "1.0.0",
        ...(depends === undefined ? {} : { depends }),
        async start() {
          order.push(`${id} begins`);
          await gate.promise;
          order.push(`${id} up`);
        },
      });
    await kernel.register(slow("app", { left: "^1.0.0", right: "*" }));
    await kernel.register(slow("left"));
    await kernel.register(slow("right"));
    const started = kernel.start("app");
    await settle();
    expect(order).toEqual(["left begins", "right begins"]);
    expect(kernel.state("app")).toBe("loaded");
    gate.resolve();
    await started;
    expect(order.slice(4)).toEqual(["app begins", "app up"]);
  });

  test("a slow start blocks nobody: other modules start, and state and list answer", async () => {
    const { kernel } = testKernel();
    await kernel.register(nativeModule({ id: "slow", start: () => new Promise(() => {}) }));
    await kernel.register(echo("quick"));
    const slow = rejection(kernel.start("slow"));
    await kernel.start("quick");
    expect(kernel.state("slow")).toBe("starting");
    expect(await kernel.invoke("quick", "echo", 1)).toEqual({ version: "1.0.0", payload: 1 });
    await kernel.stop("slow");
    expect((await slow).code).toBe("ABORTED");
  });

  test("a circle is refused before anything starts, and named", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a", { depends: { b: "*" } }));
    await kernel.register(echo("b", { depends: { c: "*" } }));
    await kernel.register(echo("c", { depends: { a: "*" } }));
    const error = await rejection(kernel.start("a"));
    expect(error).toMatchObject({ code: "DEPENDENCY_CYCLE", details: { cycle: ["a", "b", "c", "a"] } });
    expect(error.message).toContain("a → b → c → a");
    expect(kernel.list().every(({ state }) => state === "loaded")).toBe(true);
  });

  test("an absent dependency or one of the wrong version is DEPENDENCY_MISSING", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a", { depends: { b: "^2.0.0" } }));
    expect((await rejection(kernel.start("a"))).details).toMatchObject({ missing: "b" });
    await kernel.register(echo("b", { version: "1.9.0" }));
    expect((await rejection(kernel.start("a"))).details).toMatchObject({
      missing: "b",
      range: "^2.0.0",
      version: "1.9.0",
    });
  });

  test("a dependency that fails leaves its dependents unstarted, with the cause", async () => {
    const { kernel } = testKernel();
    await kernel.register(
      nativeModule({
        id: "base",
        start() {
          throw new Error("no disk");
        },
      }),
    );
    await kernel.register(echo("app", { depends: { base: "*" } }));
    const error = await rejection(kernel.start("app"));
    expect(error.code).toBe("MODULE_FAILED");
    expect(error.details?.["failed"]).toEqual([
      { id: "base", code: "MODULE_FAILED" },
      { id: "app", code: "DEPENDENCY_FAILED" },
    ]);
    expect(kernel.state("app")).toBe("loaded");
  });

  test("stop() stops dependents first; a chain of 10,000 does not overflow the stack", async () => {
    const { kernel } = testKernel();
    const stopped: number[] = [];
    const count = 10_000;
    for (let n = 0; n < count; n++) {
      await kernel.register(
        nativeModule({
          id: `m${n}`,
          stop: () => void stopped.push(n),
          ...(n === 0 ? {} : { depends: { [`m${n - 1}`]: "*" } }),
        }),
      );
    }
    await kernel.start(`m${count - 1}`);
    await kernel.stop("m0");
    expect(stopped).toEqual(Array.from({ length: count }, (_, n) => count - 1 - n));
  });
});

describe("a start during a stop that waits for dependents", () => {
  const slow = (id: string, seen: string[], depends = {}): ReturnType<typeof nativeModule> =>
    nativeModule({
      id,
      depends,
      start: () => void seen.push(`${id} starts`),
      stop: async () => {
        seen.push(`${id} stops`);
        await settle();
        seen.push(`${id} stopped`);
      },
    });

  test("begins once it is done: no dependent runs without what it depends on", async () => {
    const { kernel } = testKernel();
    const seen: string[] = [];
    await kernel.register(slow("base", seen));
    await kernel.register(slow("app", seen, { base: "*" }));
    await kernel.start();
    seen.length = 0;
    await Promise.all([kernel.stop("base"), kernel.start("app")]);
    expect(seen).toEqual([
      "app stops",
      "app stopped",
      "base stops",
      "base stopped",
      "base starts",
      "app starts",
    ]);
    expect(kernel.list().map(({ state }) => state)).toEqual(["running", "running"]);
  });

  test("is taken back by another stop", async () => {
    const { kernel } = testKernel();
    const seen: string[] = [];
    await kernel.register(slow("base", seen));
    await kernel.register(slow("app", seen, { base: "*" }));
    await kernel.start();
    const first = kernel.stop("base");
    const start = rejection(kernel.start("app", "base"));
    await Promise.all([first, kernel.stop("base")]);
    expect((await start).code).toBe("ABORTED");
    expect(kernel.list().map(({ state }) => state)).toEqual(["stopped", "stopped"]);
  });
});

describe("health", () => {
  test("an answer that says neither yes nor no is not healthy, and says what is wanted", async () => {
    const { kernel } = testKernel();
    for (const [index, answer] of [
      undefined,
      null,
      "yes",
      {},
      { healthy: "yes" },
      Promise.resolve(),
    ].entries()) {
      const id = `m${index}`;
      await kernel.register(nativeModule({ id, health: () => answer as never }));
      await kernel.start(id);
      expect(await kernel.health(id)).toEqual({
        healthy: false,
        message: `The health function of "${id}" says neither yes nor no`,
      });
      const error = await rejection(kernel.reload(id));
      expect(error.details).toMatchObject({ serving: true, cause: "UNHEALTHY" });
      expect(error.message.match(/hint: /g)).toHaveLength(1);
    }
  });
});

describe("unload", () => {
  test("removes the module and returns what went wrong", async () => {
    const { kernel } = testKernel();
    await kernel.register(
      nativeModule({
        id: "a",
        stop() {
          throw new Error("no");
        },
      }),
    );
    await kernel.start("a");
    const errors = await kernel.unload("a");
    expect(errors.map(({ code }) => code)).toEqual(["MODULE_FAILED"]);
    expect(kernel.state("a")).toBeUndefined();
    await kernel.register(echo("a"));
  });

  test("twice at the same time is done once", async () => {
    const { kernel } = testKernel();
    const phases: string[] = [];
    kernel.phase("pre-unload", ({ phase }) => void phases.push(phase));
    kernel.phase("post-unload", ({ phase }) => void phases.push(phase));
    await kernel.register(nativeModule({ id: "a", stop: () => Promise.reject(new Error("no")) }));
    await kernel.start("a");
    const [first, second] = await Promise.all([kernel.unload("a"), kernel.unload("a")]);
    expect(first).toMatchObject([{ code: "MODULE_FAILED" }]);
    expect(second).toBe(first);
    expect(phases).toEqual(["pre-unload", "post-unload"]);
    expect(kernel.events().filter(({ topic }) => topic === "module.unloaded")).toHaveLength(1);
  });

  test("rejects a start that waits for the stop", async () => {
    const { kernel } = testKernel();
    const gate = new Deferred();
    await kernel.register(nativeModule({ id: "a", stop: () => gate.promise }));
    await kernel.start("a");
    const stopped = kernel.stop("a");
    const queued = rejection(kernel.start("a"));
    await settle();
    const unloaded = kernel.unload("a");
    gate.resolve();
    await Promise.all([stopped, unloaded]);
    expect((await queued).code).toBe("UNKNOWN_MODULE");
  });
});

describe("phases", () => {
  test("refuse a phase that there is not, and a hook that is no function", () => {
    const { kernel } = testKernel();
    const log = (): void => {};
    for (const [phase, hook] of [
      ["pre-strat", log],
      [Symbol("pre-start"), log],
      ["pre-start", "log"],
    ] as const) {
      expect(() => kernel.phase(phase as never, hook as never)).toThrow(
        /is no phase, or its hook no function/,
      );
    }
  });

  test("run around every operation, higher priority first", async () => {
    const { kernel } = testKernel();
    const seen: string[] = [];
    for (const phase of [
      "pre-load",
      "post-load",
      "pre-start",
      "post-start",
      "pre-stop",
      "post-stop",
      "pre-unload",
      "post-unload",
    ] as const) {
      kernel.phase(phase, () => void seen.push(`${phase} low`), { priority: 1 });
      kernel.phase(phase, async () => void seen.push(`${phase} high`), { priority: 2 });
    }
    await kernel.register(echo("a"));
    await kernel.start("a");
    await kernel.unload("a");
    expect(seen).toEqual(
      [
        "pre-load",
        "post-load",
        "pre-start",
        "post-start",
        "pre-unload",
        "pre-stop",
        "post-stop",
        "post-unload",
      ].flatMap((phase) => [`${phase} high`, `${phase} low`]),
    );
  });

  test("a failing one that is not critical becomes an event and a metric", async () => {
    const { kernel } = testKernel();
    kernel.phase("pre-start", () => {
      throw undefined;
    });
    await kernel.register(echo("a"));
    await kernel.start("a");
    expect(kernel.events().some(({ topic }) => topic === "module.phase_failed")).toBe(true);
    expect(kernel.metrics.text()).toContain('keelson_phase_failures_total{phase="pre-start"} 1');
  });

  test("a failing critical one ends the operation: a load is undone, a start failed", async () => {
    const { kernel } = testKernel();
    const hook = kernel.phase(
      "post-load",
      () => {
        throw new Error("no");
      },
      { critical: true },
    );
    expect((await rejection(kernel.register(echo("a")))).code).toBe("PHASE_FAILED");
    expect(kernel.list()).toEqual([]);
    hook[Symbol.dispose]();
    kernel.phase("post-start", () => Promise.reject(new Error("no")), { critical: true });
    await kernel.register(echo("a"));
    expect((await rejection(kernel.start("a"))).code).toBe("PHASE_FAILED");
    expect(kernel.state("a")).toBe("failed");
  });

  test("a load that is refused late is undone, also when somebody has started the module meanwhile", async () => {
    const { kernel } = testKernel();
    const refusal = Promise.withResolvers<void>();
    kernel.phase("post-load", () => refusal.promise, { critical: true });
    const seen: string[] = [];
    const loading = rejection(
      kernel.register(
        nativeModule({
          id: "a",
          start: ({ scope }) => scope.defer(() => void seen.push("undone")),
          stop: () => void seen.push("stopped"),
        }),
      ),
    );
    await kernel.start("a");
    refusal.reject(new Error("no"));
    expect((await loading).code).toBe("PHASE_FAILED");
    expect(seen).toEqual(["stopped", "undone"]);
    expect(kernel.list()).toEqual([]);
  });
});

describe("reconcile", () => {
  test("refuses unknown ids before anything changes", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a"));
    await kernel.start("a");
    await rejection(kernel.reconcile([echo("b"), "nobody"]));
    expect(kernel.list().map(({ metadata, state }) => [metadata.id, state])).toEqual([["a", "running"]]);
  });

  test("converges both ways and reports it", async () => {
    const { kernel } = testKernel();
    for (const id of ["a", "b", "c"]) await kernel.register(echo(id));
    await kernel.start("a", "b");
    const report = await kernel.reconcile(["b", "c", echo("d"), echo("b", { version: "1.0.0" })]);
    expect(report).toEqual({ added: ["c", "d"], removed: ["a"], kept: ["b"], reloaded: [], errors: [] });
    const again = await kernel.reconcile([echo("b", { version: "2.0.0" }), "a"]);
    expect(again).toMatchObject({ added: ["a"], reloaded: ["b"], errors: [] });
    expect([...again.removed].sort()).toEqual(["c", "d"]);
    expect(await kernel.invoke("b", "echo")).toMatchObject({ version: "2.0.0" });
  });

  test("a module that fails to start is reported and does not keep the others", async () => {
    const { kernel } = testKernel();
    const broken = nativeModule({
      id: "broken",
      start() {
        throw new Error("no");
      },
    });
    const report = await kernel.reconcile([broken, echo("a")]);
    expect(report.added).toEqual(["a"]);
    expect(report.errors).toMatchObject([{ id: "broken", error: { code: "MODULE_FAILED" } }]);
  });

  test("refuses what cannot come about before anything changes", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a"));
    await kernel.start("a");
    const refused = async (...desired: Parameters<typeof kernel.reconcile>[0][number][]): Promise<string> =>
      (await rejection(kernel.reconcile(desired))).code;
    expect(await refused(echo("b", { depends: { nobody: "*" } }))).toBe("DEPENDENCY_MISSING");
    expect(await refused(echo("b", { depends: { a: "^2.0.0" } }))).toBe("DEPENDENCY_MISSING");
    expect(await refused(echo("b", { depends: { c: "*" } }), echo("c", { depends: { b: "*" } }))).toBe(
      "DEPENDENCY_CYCLE",
    );
    expect(await refused(echo("b"), echo("b", { version: "2.0.0" }))).toBe("DUPLICATE_MODULE");
    expect(kernel.list().map(({ metadata, state }) => [metadata.id, state])).toEqual([["a", "running"]]);
  });

  test("brings modules that depend on each other to versions that only fit together", async () => {
    const { kernel } = testKernel();
    const base = (version: string): ReturnType<typeof echo> => echo("base", { version });
    const app = (version: string, range: string): ReturnType<typeof echo> =>
      echo("app", {
        version,
        depends: { base: range },
        start() {
          const { metadata } = kernel.list().find((one) => one.metadata.id === "base") ?? {};
          expect(metadata?.version).toBe(version);
        },
      });
    await kernel.reconcile([app("1.0.0", "^1.0.0"), base("1.0.0")]);
    const report = await kernel.reconcile([app("2.0.0", "^2.0.0"), base("2.0.0")]);
    expect(report).toEqual({ added: [], removed: [], kept: [], reloaded: ["base", "app"], errors: [] });
    expect(await kernel.invoke("app", "echo")).toMatchObject({ version: "2.0.0" });
    expect(await kernel.reconcile([base("3.0.0")])).toMatchObject({
      removed: ["app"],
      reloaded: ["base"],
      errors: [],
    });
  });

  test("what could not be changed goes on as it was, and so does what needed the change", async () => {
    const { kernel } = testKernel();
    await kernel.reconcile([echo("base"), echo("app", { depends: { base: "^1.0.0" } })]);
    const report = await kernel.reconcile([
      echo("base", { version: "2.0.0", health: () => ({ healthy: false }) }),
      echo("app", { version: "2.0.0", depends: { base: "^2.0.0" } }),
    ]);
    expect(report).toMatchObject({ added: [], kept: [], reloaded: [] });
    expect(report.errors.map(({ id, error }) => [id, error.code])).toEqual([
      ["base", "RELOAD_FAILED"],
      ["app", "DEPENDENCY_MISSING"],
    ]);
    expect(await kernel.invoke("app", "echo")).toMatchObject({ version: "1.0.0" });
  });

  test("what had failed and comes up in its new version is added", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("a", { start: () => Promise.reject(new Error("no")) }));
    await rejection(kernel.start("a"));
    expect(await kernel.reconcile([echo("a", { version: "2.0.0" })])).toMatchObject({ added: ["a"] });
  });

  test("what wanted modules depend on is kept", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("base"));
    await kernel.register(echo("app", { depends: { base: "*" } }));
    await kernel.start("app");
    expect(await kernel.reconcile(["app"])).toMatchObject({ kept: ["app"], removed: [] });
    expect(kernel.state("base")).toBe("running");
  });
});

describe("shutdown", () => {
  test("stops everything, dependents first, reports it, and refuses what comes after", async () => {
    const { kernel } = testKernel();
    const order: string[] = [];
    await kernel.register(nativeModule({ id: "base", stop: () => void order.push("base") }));
    await kernel.register(
      nativeModule({ id: "app", depends: { base: "*" }, stop: () => void order.push("app") }),
    );
    await kernel.register(echo("idle"));
    await kernel.start("app");
    const [report, same] = await Promise.all([kernel.shutdown(), kernel.shutdown()]);
    expect(report).toBe(same);
    expect(order).toEqual(["app", "base"]);
    expect(report).toEqual({ terminated: ["app", "base"], orphans: [], errors: [] });
    for (const work of [
      kernel.start("base"),
      kernel.register(echo("new")),
      kernel.init("base"),
      kernel.reconcile([]),
    ]) {
      expect((await rejection(work)).code).toBe("KERNEL_CLOSED");
    }
  });

  test("what had failed was not ended by it", async () => {
    const { kernel } = testKernel();
    await kernel.register(echo("up"));
    await kernel.register(echo("failed", { start: () => Promise.reject(new Error("no")) }));
    await rejection(kernel.start());
    expect(await kernel.shutdown()).toEqual({ terminated: ["up"], orphans: [], errors: [] });
  });

  test("a stop that never settles is reported and holds up nothing else", async () => {
    const { kernel, platform } = testKernel();
    await kernel.register(nativeModule({ id: "hung", stop: () => new Promise(() => {}) }));
    await kernel.register(echo("a"));
    await kernel.start();
    const shutdown = kernel.shutdown();
    await platform.clock.advance(5_000);
    const report = await shutdown;
    expect(report.terminated).toEqual(["a"]);
    expect(report.errors).toMatchObject([{ id: "hung", error: { code: "STOP_TIMEOUT" } }]);
  });

  test.each([Number.NaN, -1, "5", null])(
    "a time-out of %s is INVALID_OPTIONS, and nothing is ended",
    async (timeoutMs) => {
      const { kernel } = testKernel();
      await kernel.register(echo("a"));
      await kernel.start("a");
      expect((await rejection(kernel.shutdown({ timeoutMs: timeoutMs as number }))).code).toBe(
        "INVALID_OPTIONS",
      );
      expect(kernel.state("a")).toBe("running");
      expect((await kernel.shutdown()).terminated).toEqual(["a"]);
    },
  );

  test("is bounded by its own time-out", async () => {
    const { kernel, platform } = testKernel();
    await kernel.register(
      nativeModule({ id: "hung", deadlines: { stopMs: 60_000 }, stop: () => new Promise(() => {}) }),
    );
    await kernel.start();
    const shutdown = kernel.shutdown({ timeoutMs: 100 });
    await platform.clock.advance(100);
    expect((await shutdown).errors).toMatchObject([{ id: "hung", error: { code: "STOP_TIMEOUT" } }]);
  });
});
