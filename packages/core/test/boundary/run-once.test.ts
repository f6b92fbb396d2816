import { describe, expect, test } from "vitest";
import {
  type DiscoveryConfig,
  processLoader,
  type ProcessModuleOptions,
  runDiscoveredOnce,
  runOnce,
} from "../../src/boundary/index.ts";
import type { Manifest } from "../../src/contract/manifest.ts";
import type { Module } from "../../src/contract/module.ts";
import { createFakeProcesses, createTestPlatform, type FakeScript, settle } from "../../src/testing/index.ts";
import { countListeners } from "../bus/harness.ts";
import { rejection } from "../support/errors.ts";
import { answering, ready, scene, TestCall } from "./harness.ts";

function setUp(script: FakeScript = (child) => child.say(ready)) {
  const processes = createFakeProcesses(script);
  return { processes, platform: createTestPlatform({ processes }) };
}

describe("runOnce", () => {
  test("gives the first event and ends the child", async () => {
    const { processes, platform } = setUp();
    const event = await runOnce(platform, { command: "c", args: ["a"], env: { A: "1" } });
    expect(event).toMatchObject({ event_id: "1", event: { kind: "module", event_type: "ready" } });
    expect(processes.last.terminations).toHaveLength(1);
    expect(platform.clock.pending).toBe(0);
  });

  test("asks for more of the environment, logs standard error, and keeps its limits", async () => {
    const { processes, platform } = setUp((child) => {
      child.complain("hello\n");
      child.say(`${JSON.stringify(ready)}\n`);
    });
    const { signal } = new AbortController();
    const listeners = countListeners(signal);
    const asked: unknown[] = [];
    const preSpawn = (context: unknown): Record<string, string> => (asked.push(context), { A: "1" });
    await runOnce(platform, { command: "c", preSpawn, signal });
    expect(asked).toEqual([{ id: "c", generation: 1, signal }]);
    expect(listeners()).toBe(0);
    expect(processes.last).toMatchObject({ args: [], options: { env: { A: "1" } } });
    expect(platform.log.records).toMatchObject([{ level: "info", message: "hello" }]);
    const long = runOnce(platform, { command: "c", maxLineBytes: 100 });
    expect((await rejection(long)).code).toBe("LINE_TOO_LONG");
  });

  test("ends the child after a failure as well", async () => {
    const { processes, platform } = setUp((child) => child.say("nonsense\n"));
    expect((await rejection(runOnce(platform, { command: "c" }))).code).toBe("INVALID_JSON");
    expect(processes.last.terminations).toHaveLength(1);
  });

  test("a silent child is HANDSHAKE_TIMEOUT, an aborted wait ABORTED", async () => {
    const { platform } = setUp(() => {});
    const late = rejection(runOnce(platform, { command: "c", timeoutMs: 1 }));
    await platform.clock.advance(1);
    expect((await late).code).toBe("HANDSHAKE_TIMEOUT");
    const later = rejection(runOnce(platform, { command: "c" }));
    await platform.clock.advance(10_000);
    expect((await later).code).toBe("HANDSHAKE_TIMEOUT");
    const signal = AbortSignal.abort(new Error("enough"));
    expect((await rejection(runOnce(platform, { command: "c", signal }))).code).toBe("ABORTED");
  });

  test("what survives is PROCESS_SURVIVED", async () => {
    const { platform } = setUp((child) => {
      child.say(ready);
      child.orphans = [{ pid: 5, command: "x" }];
    });
    expect(await rejection(runOnce(platform, { command: "c" }))).toMatchObject({
      code: "PROCESS_SURVIVED",
      details: { orphans: [{ pid: 5, command: "x" }] },
    });
  });

  test("what survives a failed run is logged, and the run's own error told", async () => {
    const { platform } = setUp((child) => {
      child.say("nonsense\n");
      child.orphans = [{ pid: 5, command: "x" }];
    });
    expect((await rejection(runOnce(platform, { command: "c" }))).code).toBe("INVALID_JSON");
    expect(platform.log.records).toMatchObject([
      { level: "error", fields: { orphans: [{ pid: 5, command: "x" }] } },
    ]);
  });

  test("a process without an output is MISSING_STDOUT, and killed", async () => {
    const { processes, platform } = setUp((child) => {
      Object.defineProperty(child, "stdout", { value: undefined });
      child.terminate = async (options) => {
        child.terminations.push({ ...options });
        return { ended: [], orphans: [] };
      };
    });
    expect((await rejection(runOnce(platform, { command: "c" }))).code).toBe("MISSING_STDOUT");
    expect(processes.last.terminations).toEqual([{ graceMs: 0 }]);
  });

  test.each([{ timeoutMs: 0.5 }, { signal: 1 as unknown as AbortSignal }, { command: "" }])(
    "%j is refused before anything is started",
    async (options) => {
      const { processes, platform } = setUp();
      expect((await rejection(runOnce(platform, { command: "c", ...options }))).code).toBe("INVALID_OPTIONS");
      expect(processes.spawned).toHaveLength(0);
    },
  );
});

describe("runDiscoveredOnce", () => {
  const config: DiscoveryConfig = {
    modules: [
      { id: "a", command: "run-a", env: { A: "1" } },
      { id: "b", command: "run-b" },
    ],
    discovery: { modules: ["a"] },
    preSpawn: [{ moduleId: "a", env: { TOKEN: "t" } }],
  };

  test("runs a configured and discovered module with its variables", async () => {
    const { processes, platform } = setUp();
    await runDiscoveredOnce(platform, config, "a");
    expect(processes.last.command).toBe("run-a");
    expect(processes.last.options.env).toEqual({ A: "1", TOKEN: "t" });
  });

  test("takes its modules from a list that is one of modules that stay as well, but no mistyped option", async () => {
    const { processes, platform } = setUp();
    const stays: ProcessModuleOptions = { id: "a", command: "run-a", args: ["x"], health: true, restart: {} };
    await runDiscoveredOnce(platform, { ...config, modules: [stays] }, "a");
    expect(processes.last).toMatchObject({ command: "run-a", args: ["x"], options: { env: { TOKEN: "t" } } });
    const mistyped = { ...stays, graceMS: 5 };
    expect((await rejection(runDiscoveredOnce(platform, { ...config, modules: [mistyped] }, "a"))).code).toBe(
      "INVALID_OPTIONS",
    );
    expect(processes.spawned).toHaveLength(1);
  });

  test("an unknown id is MODULE_NOT_CONFIGURED, one not to be run MODULE_NOT_DISCOVERED; nothing is started", async () => {
    const { processes, platform } = setUp();
    expect((await rejection(runDiscoveredOnce(platform, config, "c"))).code).toBe("MODULE_NOT_CONFIGURED");
    expect((await rejection(runDiscoveredOnce(platform, config, "b"))).code).toBe("MODULE_NOT_DISCOVERED");
    expect(processes.spawned).toHaveLength(0);
  });
});

describe("processLoader", () => {
  const manifest: Manifest = {
    apiVersion: "keelson/v1",
    id: "p",
    name: "P",
    version: "1.2.3",
    kind: "process",
    command: ["./bin/run me#1", "-v"],
    env: { A: "1" },
    capabilities: [],
    limits: {},
    hooks: [],
    routes: [],
    depends: { q: "^1.0.0" },
  };
  const base = new URL("file:///plugins/p/manifest.json");

  test("makes a definition that runs in the manifest's folder", async () => {
    const { processes, platform } = setUp();
    const definition = await processLoader.load(manifest, base, platform);
    expect(definition).toMatchObject({
      metadata: { id: "p", name: "P", version: "1.2.3", kind: "process" },
      depends: { q: "^1.0.0" },
      restart: { policy: "on-failure" },
      overlap: false,
    });
    expect(definition.manifest).toBe(manifest);
    expect(processes.spawned).toHaveLength(0);
    const more = { description: "d", restart: { policy: "never" }, overlap: true } as const;
    expect(await processLoader.load({ ...manifest, ...more }, base, platform)).toMatchObject({
      metadata: { description: "d" },
      restart: { policy: "never" },
      overlap: true,
    });
  });

  test("a child whose manifest says so is asked for its health, and no other", async () => {
    for (const more of [{}, { health: false }, { health: true }]) {
      const asked: string[] = [];
      const { context } = scene(
        {},
        answering((method) => {
          asked.push(method);
          return false;
        }),
      );
      const definition = await processLoader.load({ ...manifest, ...more }, base, context.platform);
      const module = definition.create() as Module;
      await module.start?.(context);
      const wants = "health" in more && more.health;
      expect(await module.health?.(new TestCall("health"))).toEqual({ healthy: !wants });
      expect(asked).toEqual(wants ? ["health"] : []);
    }
  });

  test.each([
    ["./bin/run me#1", "/plugins/p/bin/run me#1"],
    ["./a%20b?c%", "/plugins/p/a%20b?c%"],
    ["./ü", "/plugins/p/ü"],
    ["../p/run", "/plugins/p/run"],
    [".hidden/run", ".hidden/run"],
    ["node", "node"],
    ["/bin/sh", "/bin/sh"],
  ])("the command %s runs %s, in the manifest's folder", async (command, expected) => {
    const { context, processes, platform } = scene();
    const changed = { ...manifest, command: [command, "-v"] };
    const module = (await processLoader.load(changed, base, platform)).create() as Module;
    const started = module.start?.(context);
    await settle();
    processes.last.say(ready);
    await started;
    const { args, options } = processes.last;
    expect([processes.last.command, args, options.cwd?.href]).toEqual([
      expected,
      ["-v"],
      "file:///plugins/p/",
    ]);
    expect(options.env).toEqual({ A: "1" });
    await module.stop?.(context);
  });

  test("a relative command may not leave the folder, and there has to be one", async () => {
    const { platform } = setUp();
    for (const command of ["./../../bin/sh", "../sh", "./../q/../../p"]) {
      const leaving = processLoader.load({ ...manifest, command: [command] }, base, platform);
      expect((await rejection(leaving)).code).toBe("INVALID_MANIFEST");
    }
    const { command: _, ...nothing } = manifest;
    expect((await rejection(processLoader.load(nothing, base, platform))).code).toBe("INVALID_MANIFEST");
    const none = processLoader.load({ ...manifest, command: [] }, base, platform);
    expect((await rejection(none)).code).toBe("INVALID_MANIFEST");
  });
});
