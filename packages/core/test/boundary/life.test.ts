import { describe, expect, test } from "vitest";
import { boundaryTopic } from "../../src/boundary/index.ts";
import { KeelsonError } from "../../src/contract/errors.ts";
import { settle } from "../../src/testing/index.ts";
import { rejection } from "../support/errors.ts";
import { calling, answering, ready, scene } from "./harness.ts";

describe("events", () => {
  test("each event is published, its type made into one word, marked bytes decoded", async () => {
    const { running, published } = scene();
    const child = await running();
    child.say({ ...ready, event_type: "file.saved now", payload: { hash: { $bytes: "AQI=" } } });
    child.say({ event_id: "2", source: "agent", timestamp_ms: 2, agent_id: "a", event_type: "hi" });
    await settle();
    expect(published.slice(1)).toMatchObject([
      { topic: "boundary.child.file_saved_now", data: { event: { payload: { hash: Uint8Array.of(1, 2) } } } },
      { topic: "boundary.child.hi", data: { event: { kind: "agent", agent_id: "a" } } },
    ]);
  });

  test("the first event's bytes are decoded too, and an event that names a reply is an event", async () => {
    const { processes, module, context, published } = scene();
    const started = module.start(context);
    await settle();
    const payload = { $bigint: "12" };
    processes.last.say({ ...ready, payload });
    await started;
    processes.last.say({ ...ready, reply_id: "1", request_id: "2", cancel_id: "3", payload });
    await settle();
    expect(published.map(({ topic }) => topic)).toEqual(["boundary.child.ready", "boundary.child.ready"]);
    expect(published).toMatchObject([
      { data: { event: { payload: 12n } } },
      { data: { event: { payload: 12n } } },
    ]);
  });

  test("topics are well formed whatever the child calls its events", () => {
    expect(boundaryTopic("a.b", "")).toBe("boundary.a_b._");
    expect(boundaryTopic("a", "x".repeat(101))).toBe(`boundary.a.${"x".repeat(100)}`);
    expect(boundaryTopic("a", "*.\n\u{1f600}".repeat(100))).toMatch(/^boundary\.a\.[A-Za-z0-9_-]+$/);
  });

  test("bad lines become error events and are counted, and the next good line is read", async () => {
    const { running, published, context } = scene({ maxLineBytes: 200 });
    const child = await running();
    child.say("garbage\n");
    child.say(Uint8Array.of(0xc3, 10));
    child.say(`${"y".repeat(300)}\n`);
    child.say({ reply_id: 7 });
    child.say({ request_id: 7 });
    child.say({ cancel_id: 7 });
    child.say(ready);
    await settle();
    expect(published.slice(1).map(({ topic }) => topic)).toEqual([
      ...Array.from({ length: 6 }, () => "boundary.child.error"),
      "boundary.child.ready",
    ]);
    expect(published.slice(1, 7)).toMatchObject(
      [
        "INVALID_JSON",
        "INVALID_UTF8",
        "LINE_TOO_LONG",
        "MISSING_FIELD",
        "INVALID_FIELD_TYPE",
        "INVALID_FIELD_TYPE",
      ].map((code) => ({ data: { error: { code } } })),
    );
    const help = { help: "" };
    expect(context.metrics.counter("keelson_boundary_bad_lines_total", help).value).toBe(6);
    expect(context.metrics.counter("keelson_boundary_events_total", help).value).toBe(2);
  });

  test("of ten thousand bad lines in a second a hundred are published and all are counted", async () => {
    const { running, published, context, platform } = scene();
    const child = await running();
    child.say("x\n".repeat(10_000));
    await settle();
    expect(published).toHaveLength(101);
    // What is understood is heard all the same, with white space before it as well.
    child.say(ready);
    child.say(` ${JSON.stringify(ready)}\n`);
    await settle();
    expect(published.splice(101)).toMatchObject([{ data: { event_id: "1" } }, { data: { event_id: "1" } }]);
    expect(context.metrics.counter("keelson_boundary_bad_lines_total", { help: "" }).value).toBe(10_000);
    await platform.clock.advance(1000);
    child.say("x\n");
    await settle();
    expect(published).toHaveLength(102);
  });

  test("a closed door to the bus ends nothing", async () => {
    const { running, context, call } = scene(
      {},
      answering(() => 1),
    );
    await running();
    context.bus.publish = () => {
      throw new KeelsonError("DOOR_CLOSED", "closed");
    };
    expect(await call("a")).toBe(1);
  });
});

describe("standard error", () => {
  test("its lines become log records", async () => {
    const { running, platform } = scene();
    const child = await running();
    child.complain("one\ntwo\xff");
    child.complain(Uint8Array.of(0xff, 10));
    await settle();
    expect(platform.log.records).toEqual([
      { level: "info", message: "one", fields: { stream: "stderr", pid: child.pid } },
      { level: "info", message: "twoÿ\ufffd", fields: { stream: "stderr", pid: child.pid } },
    ]);
  });

  test("a line without an end is cut, and a flood is left out and told", async () => {
    const { running, platform } = scene();
    const child = await running();
    child.complain("z".repeat(200_000));
    child.complain("\n");
    await settle();
    expect(platform.log.records[0]?.message).toHaveLength(65_536);
    child.complain("flood\n".repeat(5000));
    await settle();
    expect(platform.log.records).toHaveLength(1000);
    await platform.clock.advance(1000);
    child.complain("calm\n");
    await settle();
    expect(platform.log.records.slice(1000).map(({ message }) => message)).toEqual([
      "4001 lines of standard error were left out",
      "calm",
    ]);
  });
});

describe("end", () => {
  test("a crash rejects the calls in flight and tells the kernel, both with code and last words", async () => {
    const { running, call, exits, published } = scene();
    const child = await running();
    const pending = rejection(call("slow"));
    child.say({ ...ready, event_type: "last" });
    child.complain("out of memory\n");
    child.exit({ signal: "SIGKILL" });
    const error = await pending;
    expect(error.code).toBe("PROCESS_EXITED");
    expect(error.details).toEqual({ signal: "SIGKILL", stderr: ["out of memory"] });
    expect(exits).toHaveLength(1);
    expect(exits[0]).toMatchObject({ reason: "crash", error: { code: "PROCESS_EXITED" } });
    expect(published.at(-1)?.topic).toBe("boundary.child.last");
    expect((await rejection(call("late"))).code).toBe("PROCESS_EXITED");
  });

  test("an exit with code 0 is normal", async () => {
    const { running, exits } = scene();
    (await running()).exit({ code: 0 });
    await settle();
    expect(exits).toMatchObject([{ reason: "normal", error: { code: "PROCESS_EXITED" } }]);
  });

  test("a reply still in the pipe at the end is delivered, also when a grandchild holds the pipe", async () => {
    const { running, call, platform, exits } = scene();
    const child = await running();
    const pending = call("x");
    await settle();
    child.say({ reply_id: "1", result: "made it" });
    child.exit({ code: 1 }, true);
    expect(await pending).toBe("made it");
    expect(exits).toHaveLength(0);
    await platform.clock.advance(100);
    expect(exits).toHaveLength(1);
  });

  test("stop closes stdin, ends the tree with the grace asked for, and is no exit", async () => {
    const { running, module, context, exits, scope, platform } = scene({ graceMs: 70, deadlineMs: 700 });
    const child = await running();
    await module.stop(context);
    expect(child.stdinClosed).toBe(true);
    expect(child.terminations).toEqual([{ graceMs: 70, deadlineMs: 700 }]);
    expect(await scope.end()).toEqual([]);
    await settle();
    expect(child.terminations).toHaveLength(1);
    expect(exits).toEqual([]);
    expect(platform.clock.pending).toBe(0);
  });

  test("stdin closes before the tree is ended, and what the child says then is heard", async () => {
    const { running, module, context, published } = scene();
    const child = await running();
    const terminationsThen: number[] = [];
    child.onEnd = () => {
      terminationsThen.push(child.terminations.length);
      child.say({ ...ready, event_type: "bye" });
    };
    await module.stop(context);
    expect(terminationsThen).toEqual([0]);
    expect(published.at(-1)?.topic).toBe("boundary.child.bye");
  });

  test("what survives is PROCESS_SURVIVED, told by stop, and only once", async () => {
    const { running, module, context, scope } = scene();
    const child = await running();
    child.orphans = [{ pid: 77, command: "sleep 1000" }];
    const error = await rejection(module.stop(context) as Promise<void>);
    expect(error.code).toBe("PROCESS_SURVIVED");
    expect(error.details).toEqual({ orphans: child.orphans });
    expect(await scope.end()).toEqual([]);
  });

  test("calls in flight at a stop are told that it was one, and no exit is told", async () => {
    const { running, call, module, context, exits } = scene();
    await running();
    const pending = rejection(call("x"));
    await (module.stop(context) as Promise<void>);
    const error = await pending;
    expect(error.code).toBe("PROCESS_EXITED");
    expect(error.message).not.toContain("unexpectedly");
    expect(exits).toEqual([]);
  });

  test("without a stop, the end of the generation ends the tree and tells what survives", async () => {
    const { running, scope } = scene();
    const child = await running();
    child.orphans = [{ pid: 77, command: "" }];
    child.exit({ code: 1 });
    await settle();
    expect((await scope.end()).map(({ code }) => code)).toEqual(["PROCESS_SURVIVED"]);
    expect(child.terminations).toHaveLength(1);
    expect(child.stdout.left).toBe(true);
  });

  test("the end of the generation without a stop is no exit, and ends what runs for a child that survives", async () => {
    const self = scene();
    const { child, signal } = await calling(self);
    child.orphans = [{ pid: child.pid, command: "deaf" }];
    await self.scope.end();
    expect(signal.aborted).toBe(true);
    child.orphans = [];
    child.exit({ code: 1 });
    await settle();
    expect(self.exits).toEqual([]);
  });

  test("a pipe that cannot be left does not fail the stop", async () => {
    let left = 0;
    const { running, module, context } = scene({}, (child) => {
      const pipe = child.stdout[Symbol.asyncIterator].bind(child.stdout);
      child.stdout[Symbol.asyncIterator] = () => ({
        ...pipe(),
        return: () => {
          left++;
          return Promise.reject(new Error("EBADF"));
        },
      });
    });
    await running();
    await module.stop(context);
    await settle();
    expect(left).toBe(1);
  });

  test("a call right after the exit is told of it, while something else holds the pipes", async () => {
    const { running, call } = scene();
    const child = await running();
    child.exit({ code: 3 }, true);
    await settle();
    expect(await rejection(call("x"))).toMatchObject({ code: "PROCESS_EXITED", details: { code: 3 } });
    child.stdout.end();
    child.stderr.end();
  });

  test("calls in flight are rejected when the generation ends, even if the process survives", async () => {
    const { running, call, module, context, scope } = scene();
    const child = await running();
    child.orphans = [{ pid: child.pid, command: "deaf" }];
    const pending = rejection(call("x"));
    await rejection(module.stop(context) as Promise<void>);
    await scope.end();
    expect((await pending).code).toBe("PROCESS_EXITED");
  });
});

describe("health", () => {
  test("is good while the process lives and its output is open", async () => {
    const { running, health } = scene();
    expect((await health()).healthy).toBe(false);
    const child = await running();
    expect(await health()).toEqual({ healthy: true });
    child.stdout.end();
    await settle();
    expect((await health()).healthy).toBe(false);
    child.exit({ code: 0 });
    await settle();
    expect((await health()).healthy).toBe(false);
  });

  test.each([
    [true, { healthy: true }],
    [false, { healthy: false }],
    [
      { healthy: false, message: "full" },
      { healthy: false, message: "full" },
    ],
    [{ healthy: true, message: 3 }, { healthy: true }],
    [null, { healthy: false }],
    ["fine", { healthy: false }],
  ])("with the option the child's answer %j counts", async (answer, expected) => {
    const asked: string[] = [];
    const { module, context, health } = scene(
      { health: true },
      answering((method) => {
        asked.push(method);
        return answer;
      }),
    );
    await module.start(context);
    expect(await health()).toEqual(expected);
    expect(asked).toEqual(["health"]);
  });
});
