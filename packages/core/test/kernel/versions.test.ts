import { describe, expect, test } from "vitest";
import type { Manifest } from "../../src/contract/manifest.ts";
import type { ModuleContext } from "../../src/contract/module.ts";
import { parseManifest } from "../../src/manifest/index.ts";
import { Deferred } from "../../src/primitives/deferred.ts";
import { settle } from "../../src/testing/index.ts";
import { rejection } from "../support/errors.ts";
import { echo, testKernel } from "./harness.ts";

function manifestOf(version: string, timeoutMs: number): Manifest {
  const manifest = { apiVersion: "keelson/v1", id: "a", name: "A", version, kind: "native", entry: "a.js" };
  return parseManifest(JSON.stringify({ ...manifest, limits: { timeoutMs } }));
}

describe("a version that was replaced and still has calls", () => {
  test("hears and filters nothing any more", async () => {
    const { kernel } = testKernel();
    const heard: string[] = [];
    const gate = new Deferred<null>();
    const listening = (version: string) =>
      echo("a", {
        version,
        methods: { wait: () => gate.promise },
        start(context) {
          context.bus.on("news", () => heard.push(version));
          context.hooks.filter("title", (value) => `${String(value)} ${version}`);
        },
      });
    await kernel.register(listening("1.0.0"));
    await kernel.start("a");
    const waiting = kernel.invoke("a", "wait");
    await kernel.reload("a", listening("2.0.0"));
    kernel.bus.publish("news", 1);
    expect(heard).toEqual(["2.0.0"]);
    expect(await kernel.hooks.applyFilters("title", "t")).toBe("t 2.0.0");
    gate.resolve(null);
    await waiting;
  });

  test("leaves no timer of its drain once they have ended", async () => {
    const { kernel, platform } = testKernel();
    const gate = new Deferred<null>();
    await kernel.register(echo("a", { methods: { wait: () => gate.promise } }));
    await kernel.start("a");
    const waiting = kernel.invoke("a", "wait", undefined, { timeoutMs: Infinity });
    await kernel.reload("a", echo("a", { version: "2.0.0" }));
    expect(platform.clock.pending).toBe(1);
    gate.resolve(null);
    await waiting;
    await settle();
    expect(platform.clock.pending).toBe(0);
  });

  test.each(["stop", "unload"] as const)("has ended before %s() answers", async (way) => {
    const { kernel } = testKernel();
    const stopping = new Deferred();
    await kernel.register(echo("a", { stop: () => stopping.promise }));
    await kernel.start("a");
    await kernel.reload("a", echo("a", { version: "2.0.0" }));
    let answered = false;
    const done = kernel[way]("a").then(() => (answered = true));
    await settle();
    expect(answered).toBe(false);
    stopping.resolve();
    await done;
  });

  test("keeps its module from resting as long as it ends, and no longer", async () => {
    const { kernel } = testKernel();
    const stopping = new Deferred();
    const app = (options: Parameters<typeof echo>[1]) =>
      echo("app", { depends: { base: "^1.0.0" }, ...options });
    await kernel.register(echo("base"));
    await kernel.register(app({ stop: () => stopping.promise }));
    await kernel.start();
    await kernel.reload("app", app({ version: "2.0.0" }));
    const stopped = kernel.stop("app");
    await settle();
    expect(kernel.state("app")).toBe("stopped");
    const next = echo("base", { version: "2.0.0" });
    // The old version of its dependent still uses what runs now.
    expect((await rejection(kernel.reload("base", next))).code).toBe("DEPENDENCY_MISSING");
    stopping.resolve();
    await stopped;
    await kernel.reload("base", next);
    expect(kernel.list()[0]?.metadata.version).toBe("2.0.0");
  });
});

test("a module that ended by itself is not at rest before its resources are released", async () => {
  const { kernel } = testKernel();
  const released = new Deferred();
  let context: ModuleContext | undefined;
  await kernel.register(
    echo("a", {
      start(given) {
        context = given;
        given.scope.defer(() => released.promise);
      },
    }),
  );
  await kernel.start("a");
  context?.exited({ reason: "normal" });
  expect(kernel.state("a")).toBe("stopped");
  let answered = false;
  const done = kernel.stop("a").then(() => (answered = true));
  await settle();
  expect(answered).toBe(false);
  released.resolve();
  await done;
});

test("calls of a new version take no longer than its own manifest says", async () => {
  const { kernel, platform } = testKernel();
  const hanging = (version: string, timeoutMs: number) => ({
    ...echo("a", { version, methods: { hang: () => new Promise<never>(() => {}) } }),
    manifest: manifestOf(version, timeoutMs),
  });
  await kernel.register(hanging("1.0.0", 10_000));
  await kernel.start("a");
  await kernel.reload("a", hanging("2.0.0", 200));
  const failed = rejection(kernel.invoke("a", "hang"));
  await platform.clock.advance(200);
  expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { timeoutMs: 200 } });
});

test("a reload of a module that does not run starts nothing that it depends on", async () => {
  const { kernel } = testKernel();
  await kernel.register(echo("base"));
  await kernel.register(echo("app"));
  await kernel.reload("app", echo("app", { version: "2.0.0", depends: { base: "*" } }));
  expect(kernel.list().map(({ state }) => state)).toEqual(["loaded", "loaded"]);
});

test("a reload to what is no definition is refused before anything happens", async () => {
  const { kernel } = testKernel();
  await kernel.register(echo("a"));
  await kernel.start("a");
  const next = echo("a", { version: "2.0.0" });
  for (const wrong of [{ create: undefined as never }, { metadata: { ...next.metadata, kind: "" } }])
    expect((await rejection(kernel.reload("a", { ...next, ...wrong }))).code).toBe("INVALID_OPTIONS");
  expect(kernel.events().some(({ topic }) => topic === "module.reload_failed")).toBe(false);
});

test("the list tells of each module's calls in flight, and why one failed", async () => {
  const { kernel } = testKernel();
  const gate = new Deferred<null>();
  await kernel.register(echo("busy", { methods: { wait: () => gate.promise } }));
  await kernel.register(echo("failed", { start: () => Promise.reject(new Error("no")) }));
  await kernel.register(echo("loaded"));
  await kernel.start("busy");
  await rejection(kernel.start("failed"));
  const waiting = kernel.invoke("busy", "wait");
  expect(kernel.list()).toMatchObject([
    { inFlight: 1, error: undefined },
    { inFlight: 0, error: { code: "MODULE_FAILED" } },
    { inFlight: 0, error: undefined },
  ]);
  gate.resolve(null);
  await waiting;
});

test.each([
  { callTimeoutMs: -1 },
  { logCapacity: Number.NaN },
  { maxParked: -1 },
  { drainMs: "soon" as never },
  { quarantine: { minRunMs: -1 } },
])("a kernel with %j is refused", (options) => {
  expect(() => testKernel(options)).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
});
