import { describe, expect, test } from "vitest";
import type { ModuleContext, ModuleDefinition } from "../../src/contract/module.ts";
import { Deferred } from "../../src/primitives/deferred.ts";
import { settle } from "../../src/testing/index.ts";
import { rejection } from "../support/errors.ts";
import { echo, testKernel } from "./harness.ts";

/** Versions of one module that count how many of them live. */
function living(): {
  make(version: string, options?: Partial<ModuleDefinition> & { gate?: Promise<void> }): ModuleDefinition;
  alive(): readonly string[];
  most(): number;
  context(): ModuleContext;
} {
  const alive: string[] = [];
  let most = 0;
  let last: ModuleContext | undefined;
  return {
    make: (version, { gate, ...options } = {}) =>
      echo("a", {
        version,
        overlap: false,
        async start(context) {
          last = context;
          alive.push(version);
          most = Math.max(most, alive.length);
          context.scope.defer(() => void alive.splice(alive.indexOf(version), 1));
          await gate;
        },
        ...options,
      }),
    alive: () => alive,
    most: () => most,
    context: () => last as ModuleContext,
  };
}

/** A kernel on which the first of {@link living} runs. */
async function running(
  options: Partial<ModuleDefinition> = {},
): Promise<ReturnType<typeof testKernel> & ReturnType<typeof living>> {
  const versions = living();
  const test = testKernel();
  await test.kernel.register(versions.make("1.0.0", options));
  await test.kernel.start("a");
  return { ...test, ...versions };
}

describe("while a module without overlap is replaced", () => {
  test("a start by hand waits for the outcome, and never are two alive", async () => {
    const gate = new Deferred();
    const { kernel, make, alive, most } = await running();
    const reloaded = kernel.reload("a", make("2.0.0", { gate: gate.promise }));
    await settle();
    expect(alive()).toEqual(["2.0.0"]);
    const started = kernel.start("a");
    await settle();
    gate.resolve();
    await Promise.all([reloaded, started]);
    expect(alive()).toEqual(["2.0.0"]);
    expect(most()).toBe(1);
    await kernel.shutdown();
    expect(alive()).toEqual([]);
  });

  test("a restart that its supervisor had in mind waits, too", async () => {
    const restart = { policy: "always", backoff: { initialMs: 50, jitter: 0 } } as const;
    const gate = new Deferred();
    const { kernel, platform, make, alive, most, context } = await running({ restart });
    context().exited({ reason: "crash" });
    await settle();
    const reloaded = kernel.reload("a", make("2.0.0", { restart, gate: gate.promise }));
    await settle();
    await platform.clock.advance(100);
    await settle();
    expect(alive()).toEqual(["2.0.0"]);
    gate.resolve();
    await reloaded;
    await platform.clock.advance(1000);
    expect(alive()).toEqual(["2.0.0"]);
    expect(most()).toBe(1);
    await kernel.shutdown();
    expect(alive()).toEqual([]);
  });

  test("it is not asked for its health, and not restarted for want of it", async () => {
    const restart = {
      policy: "always",
      health: { everyMs: 10, failures: 1 },
      backoff: { initialMs: 1, jitter: 0 },
    } as const;
    const gate = new Deferred();
    const { kernel, platform, make, alive, most } = await running({ restart });
    const reloaded = kernel.reload("a", make("2.0.0", { restart, gate: gate.promise }));
    await settle();
    for (let step = 0; step < 10; step++) await platform.clock.advance(10);
    gate.resolve();
    await reloaded;
    expect(alive()).toEqual(["2.0.0"]);
    expect(most()).toBe(1);
    expect(kernel.transitions().map(({ to }) => to)).not.toContain("failed");
  });

  test("a start that waits is ABORTED when the module is stopped", async () => {
    const { kernel, make, alive } = await running();
    const reloaded = rejection(kernel.reload("a", make("2.0.0", { gate: new Promise(() => {}) })));
    await settle();
    const started = rejection(kernel.start("a"));
    await settle();
    await kernel.stop("a");
    expect((await reloaded).code).toBe("RELOAD_FAILED");
    expect((await started).code).toBe("ABORTED");
    expect(kernel.state("a")).toBe("stopped");
    // Nothing was begun for it.
    expect(kernel.list()[0]?.generation).toBe(1);
    expect(alive()).toEqual([]);
  });

  test("another reload waits, and never are two alive", async () => {
    const { kernel, make, alive, most } = await running();
    await Promise.all(
      ["2.0.0", "3.0.0", "4.0.0"].map((version) => kernel.reload("a", make(version, { gate: settle() }))),
    );
    expect(alive()).toEqual(["4.0.0"]);
    expect(most()).toBe(1);
    await kernel.shutdown();
    expect(alive()).toEqual([]);
  });
});

test("a reload waits for a start that is queued behind a stop", async () => {
  const gate = new Deferred();
  const { kernel, make, alive, most } = await running({ deadlines: { stopMs: 1000 } });
  const slow = kernel.phase("pre-stop", () => gate.promise);
  const stopped = kernel.stop("a");
  const started = kernel.start("a");
  const reloaded = kernel.reload("a", make("2.0.0"));
  await settle();
  slow[Symbol.dispose]();
  gate.resolve();
  await Promise.all([stopped, started, reloaded]);
  await settle();
  expect(alive()).toEqual(["2.0.0"]);
  expect(most()).toBe(1);
  await kernel.shutdown();
  expect(alive()).toEqual([]);
});

test("a reload of a module that is about to be restarted brings the new version up", async () => {
  const restart = { policy: "always", backoff: { initialMs: 1000, jitter: 0 } } as const;
  const { kernel, platform, make, alive, context } = await running({ restart });
  context().exited({ reason: "normal" });
  await settle();
  expect(kernel.state("a")).toBe("stopped");
  await kernel.reload("a", make("2.0.0", { restart }));
  expect(kernel.state("a")).toBe("running");
  await platform.clock.advance(5000);
  expect(alive()).toEqual(["2.0.0"]);
});

test.each([true, false])(
  "after a reload that failed (overlap: %s) the old version's health is looked at, and it is restarted, as before",
  async (overlap) => {
    const { kernel, platform } = testKernel();
    const { clock } = platform;
    let healthy = true;
    let starts = 0;
    const restart = {
      policy: "on-failure",
      health: { everyMs: 1000, failures: 1 },
      backoff: { initialMs: 50, jitter: 0 },
    } as const;
    await kernel.register(
      echo("a", {
        overlap,
        restart,
        start() {
          starts++;
          healthy = true;
        },
        health: () => ({ healthy }),
      }),
    );
    await kernel.start("a");
    const broken = echo("a", {
      version: "2.0.0",
      overlap,
      start() {
        throw new Error("no");
      },
    });
    expect((await rejection(kernel.reload("a", broken))).details?.["serving"]).toBe(true);
    // What came and went beside it, or in its place for a while, is not its supervisor's matter.
    expect(kernel.transitions().map(({ to }) => to)).toEqual(["starting", "healthy"]);
    const before = starts;
    await clock.advance(5000);
    expect(starts).toBe(before);
    healthy = false;
    await clock.advance(1050);
    expect(starts).toBe(before + 1);
    expect(kernel.list()[0]?.supervisor).toMatchObject({ state: "healthy", attempt: 1 });
  },
);

const restart = {
  policy: "always",
  health: { everyMs: 1000, failures: 1 },
  backoff: { initialMs: 50, jitter: 0 },
} as const;

test.each([true, false])(
  "after a reload that succeeded (overlap: %s) the new version's health is looked at, and it is restarted",
  async (overlap) => {
    const { kernel, platform } = testKernel();
    let healthy = true;
    let starts = 0;
    await kernel.register(echo("a", { overlap, restart }));
    await kernel.start("a");
    const next = echo("a", {
      version: "2.0.0",
      overlap,
      restart,
      start() {
        starts++;
        healthy = true;
      },
      health: () => ({ healthy }),
    });
    await kernel.reload("a", next);
    expect(kernel.list()[0]?.supervisor?.state).toBe("healthy");
    healthy = false;
    await platform.clock.advance(1050);
    expect(starts).toBe(2);
  },
);

test("a supervised module whose reload is given up by a stop is stopped for its supervisor, too", async () => {
  const { kernel, platform, make } = await running({ restart });
  const reloaded = rejection(kernel.reload("a", make("2.0.0", { restart, gate: new Promise(() => {}) })));
  await settle();
  await kernel.stop("a");
  await reloaded;
  expect(kernel.list()[0]?.supervisor?.state).toBe("stopped");
  await platform.clock.advance(60_000);
  expect(kernel.state("a")).toBe("stopped");
});

test.each([
  ["crash", 500],
  // Meanwhile its supervisor finds it unhealthy, and stops it.
  ["crash", 1000],
  ["crash", 1100],
  ["normal", 500],
] as const)(
  "a %s of the old version while a new one fails beside it for %i ms more ends in its restart",
  async (reason, ms) => {
    const { kernel, platform } = testKernel();
    const contexts: ModuleContext[] = [];
    await kernel.register(echo("a", { restart, start: (context) => void contexts.push(context) }));
    await kernel.start("a");
    const gate = new Deferred();
    const reloaded = rejection(
      kernel.reload("a", echo("a", { version: "2.0.0", restart, start: () => gate.promise })),
    );
    await settle();
    contexts[0]?.exited({ reason });
    await platform.clock.advance(ms);
    expect(contexts).toHaveLength(1);
    gate.reject(new Error("no"));
    expect(await reloaded).toMatchObject({ details: { serving: false } });
    await platform.clock.advance(50);
    expect(contexts).toHaveLength(2);
    expect(kernel.list()[0]?.supervisor?.state).toBe("healthy");
    await platform.clock.advance(60_000);
    expect(contexts).toHaveLength(2);
    expect(await kernel.invoke("a", "echo")).toMatchObject({ version: "1.0.0" });
  },
);

test("a replaced version that crashes while its last calls run is nobody's crash any more", async () => {
  const { kernel, platform } = testKernel();
  const contexts: ModuleContext[] = [];
  const make = (version: string) =>
    echo("a", {
      version,
      restart,
      methods: { hang: () => new Promise<never>(() => {}) },
      start: (context) => void contexts.push(context),
    });
  await kernel.register(make("1.0.0"));
  await kernel.start("a");
  const hung = rejection(kernel.invoke("a", "hang", undefined, { timeoutMs: Infinity }));
  await kernel.reload("a", make("2.0.0"));
  contexts[0]?.exited({ reason: "crash" });
  await hung;
  await platform.clock.advance(60_000);
  expect(contexts).toHaveLength(2);
  expect(kernel.list()).toMatchObject([{ state: "running", supervisor: { state: "healthy", attempt: 0 } }]);
});
