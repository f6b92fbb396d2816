import { describe, expect, test } from "vitest";
import { KeelsonError } from "../../src/contract/errors.ts";
import { processModule } from "../../src/boundary/index.ts";
import { isVariable } from "../../src/boundary/options.ts";
import { createKernel } from "../../src/index.ts";
import { createFakeProcesses, createTestPlatform, settle } from "../../src/testing/index.ts";
import { countListeners } from "../bus/harness.ts";
import { rejection } from "../support/errors.ts";
import { ready, scene } from "./harness.ts";

describe("definition of a process module", () => {
  test("is of kind process, without overlap, restarted on failure", () => {
    const definition = processModule({ id: "a", command: "x" });
    expect(definition.metadata).toEqual({ id: "a", name: "a", version: "0.0.0", kind: "process" });
    expect(definition).toMatchObject({ overlap: false, restart: { policy: "on-failure" } });
    expect(definition.deadlines?.startMs).toBeGreaterThan(10_000);
    expect(
      processModule({ id: "a", command: "x", restart: { intensity: { max: 1, withinMs: 1 } } }).restart,
    ).toEqual({
      policy: "on-failure",
      intensity: { max: 1, withinMs: 1 },
    });
  });

  test.each([
    { command: "" },
    { command: "a\0b" },
    { command: 3 as never },
    { command: "a", args: ["\0"] },
    { command: "a", args: "-x" as never },
    { command: "a", args: [1 as never] },
    { command: "a", env: { "A=": "1" } },
    { command: "a", handshakeMs: 0 },
    { command: "a", maxLineBytes: 0 },
    { command: "a", maxQueuedBytes: 0 },
    { command: "a", maxPending: 0 },
    { command: "a", graceMs: -1 },
    { command: "a", deadlineMs: Number.NaN },
  ])("%j is refused with INVALID_OPTIONS", (options) => {
    expect(() => processModule({ id: "a", ...options })).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS" }),
    );
  });

  test("the least of everything is enough", () => {
    const least = {
      handshakeMs: 1,
      maxLineBytes: 1,
      maxQueuedBytes: 1,
      maxPending: 1,
      graceMs: 0,
      deadlineMs: 0,
    };
    const definition = processModule({ id: "a", command: "x", args: ["", ""], ...least });
    expect(definition.deadlines).toEqual({ startMs: 10_001, stopMs: 2000 });
    const more = processModule({
      id: "a",
      command: "x",
      overlap: true,
      description: "d",
      deadlines: { stopMs: 3 },
    });
    expect(more).toMatchObject({
      overlap: true,
      metadata: { description: "d" },
      deadlines: { startMs: 20_000, stopMs: 3 },
    });
    expect(processModule({ id: "a", command: "x" }).deadlines).toEqual({ startMs: 20_000, stopMs: 7500 });
  });

  test.each<[string, unknown, boolean]>([
    ["A", "x", true],
    ["A", "", true],
    ["", "x", false],
    ["A=B", "x", false],
    ["A\0", "x", false],
    ["A", 1, false],
    ["A", undefined, false],
    ["A", "x\0", false],
  ])("the variable %j = %j: %s", (name, value, expected) => {
    expect(isVariable(name, value)).toBe(expected);
  });
});

describe("start", () => {
  test("spawns with the arguments and the environment, the variables made before the spawn winning", async () => {
    const asked: unknown[] = [];
    const { running, processes } = scene({
      args: ["-x"],
      env: { A: "1", B: "1" },
      cwd: new URL("file:///work/"),
      preSpawn: async ({ id, generation }) => {
        asked.push(id, generation);
        return { B: "2" };
      },
    });
    await running();
    expect(asked).toEqual(["child", 1]);
    expect(processes.last).toMatchObject({ command: "child", args: ["-x"] });
    expect(processes.last.options).toEqual({ env: { A: "1", B: "2" }, cwd: new URL("file:///work/") });
  });

  test.each(["work/", "file:///work/", new URL("file:///work/")])(
    "a working directory may be %s",
    async (cwd) => {
      const { running, processes } = scene({ cwd });
      await running();
      expect(processes.last.options.cwd?.href).toBe("file:///work/");
    },
  );

  test("a preSpawn function that fails starts nothing", async () => {
    const { module, context, processes } = scene({
      preSpawn: () => {
        throw undefined;
      },
    });
    expect((await rejection(module.start(context) as Promise<void>)).code).toBe("MODULE_FAILED");
    expect(processes.spawned).toHaveLength(0);
  });

  test.each([null, undefined, "A=1", 3, { A: 1 }, { "": "x" }])(
    "a preSpawn that gives %j is INVALID_OPTIONS, and nothing is started",
    async (given) => {
      const { module, context, processes } = scene({ preSpawn: () => given as never });
      expect((await rejection(module.start(context) as Promise<void>)).code).toBe("INVALID_OPTIONS");
      expect(processes.spawned).toHaveLength(0);
    },
  );

  test("a generation that has ended starts nothing", async () => {
    const { module, context, processes, abort } = scene();
    abort(new Error("enough"));
    expect((await rejection(module.start(context) as Promise<void>)).code).toBe("ABORTED");
    expect(processes.spawned).toHaveLength(0);
  });

  test("a path as working directory needs files to resolve it", async () => {
    const { module, context, processes } = scene({ cwd: "work/" });
    const { files: _, ...platform } = context.platform;
    const started = module.start({ ...context, platform }) as Promise<void>;
    expect((await rejection(started)).code).toBe("INVALID_OPTIONS");
    expect(processes.spawned).toHaveLength(0);
  });

  test("once it has started nothing listens to the generation's signal, and a child without arguments gets none", async () => {
    const { running, context, processes } = scene({ preSpawn: async () => ({}) });
    const listeners = countListeners(context.signal);
    await running();
    expect(listeners()).toBe(0);
    expect(processes.last.args).toEqual([]);
  });

  test("a child without standard error starts as any other", async () => {
    const { running } = scene(
      {},
      (child) => void Object.defineProperty(child, "stderr", { value: undefined }),
    );
    const child = await running();
    child.terminate = async () => ({ ended: [], orphans: [] });
    child.stdout.end();
  });

  test("a standard error that cannot be read does not fail the start; either pipe's failure is told later on", async () => {
    const { running, published } = scene({}, (child) => child.stderr.fail(new Error("EIO")));
    const child = await running();
    child.stdout.fail(new Error("EIO"));
    await settle();
    expect(published).toMatchObject([
      { topic: "boundary.child.error", data: { error: { code: "IO" } } },
      { topic: "boundary.child.ready" },
      { topic: "boundary.child.error", data: { error: { code: "IO" } } },
    ]);
  });

  test("after a first line that is no event nothing more is read", async () => {
    const { module, context, published } = scene({ maxLineBytes: 300 }, (child) => {
      child.say(`nonsense\n${JSON.stringify(ready)}\n${"y".repeat(301)}\n`);
      child.say(ready);
    });
    expect((await rejection(module.start(context) as Promise<void>)).code).toBe("INVALID_JSON");
    await settle();
    expect(published).toEqual([]);
  });

  test("a preSpawn function that never settles is left behind when the start is given up", async () => {
    const { module, context, processes, abort } = scene({ preSpawn: () => new Promise(() => {}) });
    const started = rejection(module.start(context) as Promise<void>);
    abort(new Error("enough"));
    expect((await started).code).toBe("ABORTED");
    expect(processes.spawned).toHaveLength(0);
  });

  test("resolves with the first event, which is published", async () => {
    const { running, published, platform } = scene();
    await running();
    const { event_id, source, timestamp_ms, ...event } = ready;
    expect(published).toEqual([
      {
        topic: "boundary.child.ready",
        data: { event_id, source, timestamp_ms, event: { kind: "module", ...event } },
      },
    ]);
    expect(platform.clock.pending).toBe(0);
  });

  test("a first event cut into chunks, or without a newline at the end of the output, counts", async () => {
    const first = scene({}, (child) => {
      for (const byte of new TextEncoder().encode(`${JSON.stringify(ready)}\r\n`))
        child.say(Uint8Array.of(byte));
    });
    await first.module.start(first.context);
    const second = scene({}, (child) => {
      child.say(JSON.stringify(ready));
      child.stdout.end();
    });
    await second.module.start(second.context);
    expect(second.published).toHaveLength(1);
  });

  test("without a port for processes it is UNSUPPORTED, with the platform's reason", async () => {
    const { module, context } = scene();
    const platform = createTestPlatform();
    const error = await rejection(module.start({ ...context, platform }) as Promise<void>);
    expect(error.code).toBe("UNSUPPORTED");
    expect(error.message).toContain("made without processes");
  });

  test("no event in time is HANDSHAKE_TIMEOUT with what it wrote to standard error", async () => {
    const { module, context, platform } = scene({ handshakeMs: 300 }, (child) => child.complain("loading\n"));
    const started = rejection(module.start(context) as Promise<void>);
    await platform.clock.advance(299);
    await platform.clock.advance(1);
    const error = await started;
    expect(error.code).toBe("HANDSHAKE_TIMEOUT");
    expect(error.details).toEqual({ timeoutMs: 300, stderr: ["loading"] });
    expect(platform.clock.pending).toBe(0);
  });

  test.each([
    ["hello\n", "INVALID_JSON"],
    ["[]\n", "INVALID_SCHEMA"],
    ["{}\n", "MISSING_FIELD"],
    [`${JSON.stringify({ ...ready, source: "child" })}\n`, "SOURCE_MISMATCH"],
    [Uint8Array.of(0xff, 10), "INVALID_UTF8"],
    [`${"x".repeat(200)}\n`, "LINE_TOO_LONG"],
    ["x".repeat(200), "LINE_TOO_LONG"],
  ])("a first line of %j is %s, and the error says whose", async (line, code) => {
    const { module, context, published } = scene({ maxLineBytes: 150 }, (child) => {
      child.say(line);
      child.say(ready);
    });
    const error = await rejection(module.start(context) as Promise<void>);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^child: |of child/);
    expect(published).toEqual([]);
  });

  test("an exit before the first line is told at once, with code and last words", async () => {
    const { module, context, platform } = scene({}, (child) => {
      child.complain("config\nmissing \u001b[31mkey\u001b[0m\n");
      child.exit({ code: 3 });
    });
    const error = await rejection(module.start(context) as Promise<void>);
    expect(platform.clock.now()).toBe(0);
    expect(error.code).toBe("PROCESS_EXITED");
    expect(error.message).toContain("exit code 3");
    expect(error.details).toEqual({ code: 3, stderr: ["config", "missing  [31mkey [0m"] });
  });

  test("an exit by a signal while a grandchild holds the output open is told within 100 ms", async () => {
    const { module, context, platform } = scene({}, (child) => child.exit({ signal: "SIGSEGV" }, true));
    const started = rejection(module.start(context) as Promise<void>);
    await platform.clock.advance(100);
    expect((await started).details).toEqual({ signal: "SIGSEGV", stderr: [] });
  });

  test("an output that ends just before a failing exit is PROCESS_EXITED, not EMPTY_OUTPUT", async () => {
    const { module, context, processes } = scene({}, (child) => child.stdout.end());
    const started = rejection(module.start(context) as Promise<void>);
    await settle();
    processes.last.exit({ code: 1 });
    expect((await started).code).toBe("PROCESS_EXITED");
  });

  test("an output closed by a child that lives is EMPTY_OUTPUT, as is a silent exit with code 0", async () => {
    const alive = scene({}, (child) => child.stdout.end());
    const started = rejection(alive.module.start(alive.context) as Promise<void>);
    await alive.platform.clock.advance(100);
    expect((await started).code).toBe("EMPTY_OUTPUT");
    const gone = scene({}, (child) => child.exit({ code: 0 }));
    expect((await rejection(gone.module.start(gone.context) as Promise<void>)).code).toBe("EMPTY_OUTPUT");
  });

  test("a child that prints its event and exits at once has started, then ended normally", async () => {
    const { module, context, exits } = scene({}, (child) => {
      child.say(ready);
      child.exit({ code: 0 });
    });
    await module.start(context);
    await settle();
    expect(exits).toMatchObject([{ reason: "normal", error: { code: "PROCESS_EXITED" } }]);
  });

  test("an output that cannot be read is IO", async () => {
    const { module, context } = scene({}, (child) => child.stdout.fail(new Error("EIO")));
    expect((await rejection(module.start(context) as Promise<void>)).code).toBe("IO");
  });

  test("a process without an output is MISSING_STDOUT, and is ended", async () => {
    const { module, context, processes } = scene({}, (child) => {
      Object.defineProperty(child, "stdout", { value: undefined });
      child.terminate = async (options) => {
        child.terminations.push({ ...options });
        return { ended: [], orphans: [] };
      };
    });
    expect((await rejection(module.start(context) as Promise<void>)).code).toBe("MISSING_STDOUT");
    expect(processes.last.terminations).toEqual([{ graceMs: 0 }]);
  });

  test("ending the generation gives the wait up and ends the process", async () => {
    const { module, context, scope, processes, abort, platform } = scene();
    const started = rejection(module.start(context) as Promise<void>);
    await settle();
    abort(new KeelsonError("ABORTED", "stopped"));
    expect((await started).code).toBe("ABORTED");
    expect(await scope.end()).toEqual([]);
    expect(processes.last.terminations).toHaveLength(1);
    expect(platform.clock.pending).toBe(0);
  });

  test("a process that comes up after the generation has ended is ended at once", async () => {
    const gate = Promise.withResolvers<void>();
    const { module, context, scope, processes, abort } = scene({}, () => gate.promise);
    const started = rejection(module.start(context) as Promise<void>);
    await settle();
    abort(new KeelsonError("ABORTED", "stopped"));
    await scope.end();
    gate.resolve();
    expect((await started).code).toBe("ABORTED");
    await settle();
    expect(processes.last.terminations).toHaveLength(1);
  });

  test("a process that comes up after the kernel has stopped its module is ended as well", async () => {
    const gate = Promise.withResolvers<void>();
    const processes = createFakeProcesses(() => gate.promise);
    await using kernel = createKernel({ platform: createTestPlatform({ processes }) });
    await kernel.register(processModule({ id: "child", command: "x" }));
    const started = rejection(kernel.start("child"));
    await settle();
    await kernel.stop("child");
    expect((await started).code).toBe("ABORTED");
    gate.resolve();
    await settle();
    expect(processes.last.terminations).toHaveLength(1);
  });
});
