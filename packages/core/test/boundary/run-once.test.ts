import { describe, expect, test } from "vitest";
import { type DiscoveryConfig, processLoader, runDiscoveredOnce, runOnce } from "../../src/boundary/index.ts";
import type { Manifest } from "../../src/contract/manifest.ts";
import { createFakeProcesses, createTestPlatform, type FakeScript } from "../../src/testing/index.ts";
import { rejection } from "../support/errors.ts";
import { ready } from "./harness.ts";

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

  test("ends the child after a failure as well", async () => {
    const { processes, platform } = setUp((child) => child.say("nonsense\n"));
    expect((await rejection(runOnce(platform, { command: "c" }))).code).toBe("INVALID_JSON");
    expect(processes.last.terminations).toHaveLength(1);
  });

  test("a silent child is HANDSHAKE_TIMEOUT, an aborted wait ABORTED", async () => {
    const { platform } = setUp(() => {});
    const late = rejection(runOnce(platform, { command: "c", timeoutMs: 50 }));
    await platform.clock.advance(50);
    expect((await late).code).toBe("HANDSHAKE_TIMEOUT");
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
  });

  test("a relative command is looked up in the folder and may not leave it", async () => {
    const { platform } = setUp();
    const leaving = processLoader.load({ ...manifest, command: ["./../../bin/sh"] }, base, platform);
    expect((await rejection(leaving)).code).toBe("INVALID_MANIFEST");
    const none = processLoader.load({ ...manifest, command: [] }, base, platform);
    expect((await rejection(none)).code).toBe("INVALID_MANIFEST");
  });
});
