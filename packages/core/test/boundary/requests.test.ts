import { describe, expect, test, vi } from "vitest";
import type { Value } from "../../src/contract/value.ts";
import { KeelsonError } from "../../src/contract/errors.ts";
import { stopOf, usageOf } from "../../src/contract/usage.ts";
import { settle } from "../../src/testing/index.ts";
import { countListeners } from "../bus/harness.ts";
import { rejection } from "../support/errors.ts";
import { calling, answering, scene, TestCall } from "./harness.ts";

const parsed = (lines: readonly string[]): unknown[] => lines.map((line) => JSON.parse(line) as unknown);

describe("host → child", () => {
  test("a call is a request line and its reply the result, bytes and bigints included", async () => {
    const { running, call } = scene();
    const child = await running();
    const result = call("render", { text: "é", raw: Uint8Array.of(9), big: 5n }, 1500.2);
    await settle();
    expect(parsed(child.received)).toEqual([
      {
        request_id: "1",
        method: "render",
        payload: { text: "é", raw: { $bytes: "CQ==" }, big: { $bigint: "5" } },
        timeout_ms: 1501,
      },
    ]);
    child.say({ reply_id: "1", result: [{ $bytes: "AQ==" }, { $bigint: "-7" }, "$"] });
    expect(await result).toEqual([Uint8Array.of(1), -7n, "$"]);
  });

  test("a call without payload or deadline sends neither, and a reply without a result is undefined", async () => {
    const { running, call } = scene();
    const child = await running();
    const result = call("ping");
    await settle();
    expect(child.received).toEqual(['{"request_id":"1","method":"ping"}']);
    child.say({ reply_id: "1" });
    expect(await result).toBeUndefined();
  });

  test("many calls in flight are sent at once, and find their own replies in any order", async () => {
    const { running, call } = scene();
    const child = await running();
    const results = Array.from({ length: 64 }, (_, index) => call("n", index));
    expect(child.received).toHaveLength(64);
    for (const line of child.received.toReversed()) {
      const { request_id, payload } = JSON.parse(line) as { request_id: string; payload: number };
      child.say({ reply_id: request_id, result: payload * 2 });
    }
    expect(await Promise.all(results)).toEqual(Array.from({ length: 64 }, (_, index) => index * 2));
  });

  test("calls that wait long keep their replies while many others come and go", async () => {
    const { running, call } = scene();
    const child = await running();
    const long = Array.from({ length: 20 }, (_, index) => call("long", index));
    await settle();
    const asked = child.received.length;
    for (let n = 0; n < 300; n++) {
      const quick = call("quick", n);
      await settle();
      const { request_id } = JSON.parse(child.received.at(-1) as string) as { request_id: string };
      child.say({ reply_id: request_id, result: n });
      expect(await quick).toBe(n);
    }
    const ids = child.received.map((line) => (JSON.parse(line) as { request_id: string }).request_id);
    expect(new Set(ids).size).toBe(320);
    for (const [index, reply_id] of ids.slice(0, asked).entries()) child.say({ reply_id, result: index });
    expect(await Promise.all(long)).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });

  test.each(["01", "1.0", " 1", "17", "0", "", "x"])(
    "a reply to %j answers nothing that waits",
    async (id) => {
      const { running, call } = scene();
      const child = await running();
      const result = call("a");
      await settle();
      child.say({ reply_id: id, result: "not this" });
      child.say({ reply_id: "1", result: "this" });
      expect(await result).toBe("this");
    },
  );

  test("an error reply rejects with its code; an unknown code is CALL_FAILED", async () => {
    const { running, call } = scene();
    const child = await running();
    const known = rejection(call("a"));
    const unknown = rejection(call("b"));
    await settle();
    child.say({ reply_id: "1", error: { code: "NOT_FOUND", message: "no page", details: { path: "/" } } });
    child.say({ reply_id: "2", error: { code: "E42", message: "odd" } });
    expect(await known).toMatchObject({ code: "NOT_FOUND", message: "no page", details: { path: "/" } });
    expect(await unknown).toMatchObject({ code: "CALL_FAILED", details: { code: "E42" } });
  });

  test("an error reply tells nothing of usage, of a record or of whose guest was stopped: the host alone can", async () => {
    const { running, call } = scene();
    const child = await running();
    const failed = rejection(call("a"));
    await settle();
    const usage = { fuel: 1, cpuMs: 1, memoryPeakBytes: 1 };
    const details = {
      usage,
      record: { version: 1, kind: "wasm" },
      module: "other",
      limit: "fuel",
      path: "/",
    };
    child.say({ reply_id: "1", error: { code: "FUEL_EXHAUSTED", message: "no", details } });
    const error = await failed;
    expect(error).toMatchObject({ code: "FUEL_EXHAUSTED" });
    expect(error.details).toEqual({ limit: "fuel", path: "/" });
    expect(usageOf(error)).toBeUndefined();
    expect(stopOf(error, "other")).toBeUndefined();
  });

  test("a reply that holds broken bytes rejects that call alone", async () => {
    const { running, call } = scene();
    const child = await running();
    const broken = rejection(call("a"));
    const fine = call("b");
    await settle();
    child.say({ reply_id: "1", result: { $bytes: "?" } });
    child.say({ reply_id: "2", result: 1 });
    expect((await broken).code).toBe("INVALID_PAYLOAD");
    expect(await fine).toBe(1);
  });

  test("a payload that cannot be sent is INVALID_PAYLOAD and nothing goes out", async () => {
    const { running, call } = scene();
    const child = await running();
    expect((await rejection(call("a", { f: (() => 1) as never }))).code).toBe("INVALID_PAYLOAD");
    await settle();
    expect(child.received).toEqual([]);
  });

  test("a call answered at once never makes its signal, and leaves no timer behind", async () => {
    const { module, context, platform } = scene(
      {},
      answering(() => 1),
    );
    await module.start(context);
    const call = new TestCall("a", 1, 5000);
    expect(await module.call(call)).toBe(1);
    await platform.clock.advance(20);
    expect(call.signalsMade).toBe(0);
    expect(platform.clock.pending).toBe(0);
  });

  test("a call answered late takes its listener off the signal, which may live as long as the host", async () => {
    const { running, module, platform } = scene();
    const child = await running();
    const call = new TestCall("a", 1, 5000);
    const added = vi.spyOn(call.signal, "addEventListener");
    const removed = vi.spyOn(call.signal, "removeEventListener");
    const answer = module.call(call);
    await platform.clock.advance(500);
    child.say({ reply_id: "1", result: "late" });
    expect(await answer).toBe("late");
    expect(added).toHaveBeenCalledOnce();
    expect(removed.mock.calls).toEqual([added.mock.calls[0]?.slice(0, 2)]);
  });

  test.each([0, 15, 500])("an abort after %i ms sends a cancel line and rejects", async (ms) => {
    const { running, module, platform } = scene();
    const child = await running();
    const call = new TestCall("a", 1, 5000);
    const pending = rejection(module.call(call) as Promise<Value>);
    await platform.clock.advance(ms);
    call.abort(new KeelsonError("ABORTED", "enough"));
    await platform.clock.advance(20);
    expect((await pending).code).toBe("ABORTED");
    expect(parsed(child.received).at(-1)).toEqual({ cancel_id: "1" });
    child.say({ reply_id: "1", result: "late" });
    await settle();
    expect(platform.clock.pending).toBe(0);
  });

  test("a call whose time is over is cancelled with the error of its signal", async () => {
    const { running, module, platform } = scene();
    const child = await running();
    const call = new TestCall("a", 1, platform.clock.now() + 10);
    const pending = rejection(module.call(call) as Promise<Value>);
    await platform.clock.advance(10);
    const late = new KeelsonError("DEADLINE_EXCEEDED", "not within 10 ms");
    call.abort(late);
    await platform.clock.advance(10);
    expect(await pending).toBe(late);
    expect(parsed(child.received).at(-1)).toEqual({ cancel_id: "1" });
    expect((await rejection((async () => module.call(new TestCall("a", 1, 5)))())).code).toBe(
      "DEADLINE_EXCEEDED",
    );
    await settle();
    expect(child.received).toHaveLength(2);
  });

  test("a call has its time to the millisecond, and one without is not sent", async () => {
    const { running, module, platform } = scene();
    const child = await running();
    const now = platform.clock.now();
    const late = rejection((async () => module.call(new TestCall("a", 1, now)))());
    expect((await late).code).toBe("DEADLINE_EXCEEDED");
    void (module.call(new TestCall("a", 1, now + 20)) as Promise<Value>).catch(() => {});
    void (module.call(new TestCall("a", 1, now + 0.5)) as Promise<Value>).catch(() => {});
    expect(parsed(child.received)).toMatchObject([{ timeout_ms: 20 }, { timeout_ms: 1 }]);
  });

  test("a signal is listened to once, however long the call waits, and left when it ends in any way", async () => {
    const { running, module, platform, processes } = scene({ maxPending: 3 });
    const child = await running();
    const calls = [1, 2, 3].map((payload) => new TestCall("a", payload));
    const listeners = calls.map(({ signal }) => countListeners(signal));
    const counts = (): number[] => listeners.map((count) => count());
    const before = platform.clock.pending;
    const first = module.call(calls[0] as TestCall);
    const second = rejection(module.call(calls[1] as TestCall) as Promise<Value>);
    expect(platform.clock.pending).toBe(before + 1);
    await platform.clock.advance(20);
    expect(counts()).toEqual([1, 1, 0]);
    // One more that waits makes another look at all.
    const third = rejection(module.call(calls[2] as TestCall) as Promise<Value>);
    await platform.clock.advance(20);
    expect(counts()).toEqual([1, 1, 1]);
    child.say({ reply_id: "1", error: null, result: "fine" });
    expect(await first).toBe("fine");
    calls[1]?.abort(new KeelsonError("ABORTED", "enough"));
    expect((await second).code).toBe("ABORTED");
    expect(counts()).toEqual([0, 0, 1]);
    // What has ended makes room.
    const more = [module.call(new TestCall("b")), module.call(new TestCall("b"))] as Promise<Value>[];
    const ends = more.map(rejection);
    processes.last.exit({ code: 1 });
    for (const end of [third, ...ends]) expect((await end).code).toBe("PROCESS_EXITED");
    expect(counts()).toEqual([0, 0, 0]);
    expect(platform.clock.pending).toBe(0);
    expect(calls.map(({ signalsMade }) => signalsMade)).toEqual([1, 1, 1]);
  });

  test("for a child that does not read, what waits is bounded: QUEUE_FULL, and all is sent when it reads on", async () => {
    const { running, call } = scene({ maxQueuedBytes: 1000 });
    const child = await running();
    child.holdStdin();
    const calls = [call("first")];
    await settle();
    while (calls.length < 100) calls.push(call("x", "y".repeat(50)));
    const results = await Promise.race([Promise.allSettled(calls.slice(20)), settle(20)]);
    expect(results?.every((result) => result.status === "rejected")).toBe(true);
    expect((await rejection(calls.at(-1) as Promise<Value>)).code).toBe("QUEUE_FULL");
    child.drainStdin();
    await settle();
    expect(child.writes).toBe(2);
    for (const line of child.received)
      child.say({ reply_id: (JSON.parse(line) as { request_id: string }).request_id });
    const settled = await Promise.allSettled(calls);
    const sent = settled.filter(({ status }) => status === "fulfilled").length;
    expect(sent).toBe(child.received.length);
    expect(sent).toBeLessThan(20);
  });

  test("a burst in one turn that passes the queue is sent, as long as the child reads", async () => {
    const { running, call } = scene({ maxQueuedBytes: 1000 });
    const child = await running();
    const calls = Array.from({ length: 100 }, () => call("x", "y".repeat(200)));
    await settle();
    expect(child.received).toHaveLength(100);
    for (const line of child.received)
      child.say({ reply_id: (JSON.parse(line) as { request_id: string }).request_id });
    await Promise.all(calls);
  });

  test("a call larger than the whole queue is INVALID_PAYLOAD", async () => {
    const frame = '{"request_id":"1","method":"x","payload":""}\n'.length;
    const { running, call } = scene({ maxQueuedBytes: 1000 });
    const child = await running();
    void call("x", "y".repeat(1000 - frame)).catch(() => {});
    expect((await rejection(call("x", "y".repeat(1001 - frame)))).code).toBe("INVALID_PAYLOAD");
    expect(child.received).toHaveLength(1);
  });

  test("no more than maxPending calls wait for replies", async () => {
    const { running, call } = scene({ maxPending: 2 });
    const child = await running();
    const first = call("a");
    void call("b").catch(() => {});
    expect((await rejection(call("c"))).code).toBe("QUEUE_FULL");
    child.say({ reply_id: "1", result: 1 });
    expect(await first).toBe(1);
    void call("d").catch(() => {});
    await settle();
    expect(child.received).toHaveLength(3);
  });

  test("unless told otherwise 10,000 calls may wait, of 16 Mi characters each, and a line has 1 MiB", async () => {
    const { running, call, published, platform } = scene();
    const child = await running();
    for (let count = 0; count < 10_000; count++) void call("a").catch(() => {});
    expect((await rejection(call("a"))).code).toBe("QUEUE_FULL");
    child.say({ reply_id: "1" });
    await settle();
    expect((await rejection(call("a", "x".repeat(16 * 2 ** 20)))).code).toBe("INVALID_PAYLOAD");
    child.say(`{${" ".repeat(2 ** 20)}}\n`);
    // So much is not read in one turn.
    await platform.clock.advance(1);
    expect(published.at(-1)?.data).toMatchObject({ error: { code: "LINE_TOO_LONG" } });
  });

  test("a reply that cannot be read fails its call at once, and no other", async () => {
    const { running, call } = scene({ maxLineBytes: 300 });
    const child = await running();
    const calls = Array.from({ length: 4 }, () => call("a"));
    const codes = calls.map((one) =>
      one.then(
        () => "answered",
        ({ code }: KeelsonError) => code,
      ),
    );
    await settle();
    child.say(`{"reply_id":"1","result":"${"x".repeat(300)}"}\n`);
    child.say(Uint8Array.of(...new TextEncoder().encode(' { "reply_id" : "2", "result": "'), 0xff, 0x0a));
    child.say('{"reply_id":"3","result":\n');
    // Nobody's: one that never was, and one that is answered already.
    child.say('{"reply_id":"99","result":\n{"reply_id":"3","result":\n');
    child.say({ reply_id: "4", result: 1 });
    expect(await Promise.all(codes)).toEqual(["LINE_TOO_LONG", "INVALID_UTF8", "INVALID_JSON", "answered"]);
  });

  test("a child that closes its input but lives makes calls fail with IO", async () => {
    const { running, call, platform, exits } = scene();
    const child = await running();
    child.breakStdin();
    const pending = rejection(call("a"));
    await platform.clock.advance(100);
    expect((await pending).code).toBe("IO");
    expect((await rejection(call("b"))).code).toBe("IO");
    expect(exits).toEqual([]);
  });

  test("a child whose input broke because it died makes calls fail with PROCESS_EXITED", async () => {
    const { running, call } = scene();
    const child = await running();
    child.breakStdin();
    const pending = rejection(call("a"));
    await settle();
    child.exit({ code: 9 });
    expect(await pending).toMatchObject({ code: "PROCESS_EXITED", details: { code: 9 } });
  });

  test("until it is known why the input broke, further calls fail with IO, not as if a queue were full", async () => {
    const { running, call } = scene();
    const child = await running();
    child.breakStdin();
    const pending = rejection(call("a"));
    await settle();
    expect((await rejection(call("b"))).code).toBe("IO");
    child.exit({ code: 9 });
    expect((await pending).code).toBe("PROCESS_EXITED");
  });

  test("a child that closed its output but lives cannot answer: IO", async () => {
    const { running, call, platform } = scene();
    const child = await running();
    const pending = rejection(call("before"));
    child.stdout.end();
    await platform.clock.advance(100);
    expect((await rejection(call("after"))).code).toBe("IO");
    expect((await pending).code).toBe("IO");
  });
});

describe("child → host", () => {
  test("a request invokes the module it names and brings the reply back", async () => {
    const self = scene();
    const seen: unknown[] = [];
    self.invoke = async (id, method, payload, options) => {
      seen.push(id, method, payload, options?.timeoutMs);
      return { sum: 3n };
    };
    const child = await self.running();
    child.say({
      request_id: "r1",
      module: "math",
      method: "add",
      payload: [{ $bigint: "1" }],
      timeout_ms: 50,
    });
    await settle();
    expect(seen).toEqual(["math", "add", [1n], 50]);
    expect(parsed(child.received)).toEqual([{ reply_id: "r1", result: { sum: { $bigint: "3" } } }]);
  });

  test("errors go back as wire errors, whatever was thrown", async () => {
    const self = scene();
    const thrown: unknown[] = [
      new KeelsonError("DENIED", "no", { details: { why: 1 } }),
      undefined,
      new Error("oops"),
    ];
    self.invoke = () => Promise.reject(thrown.shift());
    const child = await self.running();
    for (const id of ["a", "b", "c"]) child.say({ request_id: id, module: "m", method: "x" });
    await settle();
    expect(parsed(child.received)).toEqual([
      { reply_id: "a", error: { code: "DENIED", message: "no", details: { why: 1 } } },
      { reply_id: "b", error: { code: "CALL_FAILED", message: "thrown undefined" } },
      { reply_id: "c", error: { code: "CALL_FAILED", message: "oops" } },
    ]);
  });

  test("an answer that cannot be sent, or details that cannot, still make a reply", async () => {
    const self = scene();
    const answers = [
      async () => (() => 1) as never,
      () => Promise.reject(new KeelsonError("DENIED", "no", { details: { f: () => 1 } })),
    ];
    self.invoke = () => answers.shift()?.() as never;
    const child = await self.running();
    child.say({ request_id: "a", module: "m", method: "x" });
    child.say({ request_id: "b", module: "m", method: "x" });
    await settle();
    expect(parsed(child.received)).toMatchObject([
      { reply_id: "a", error: { code: "INVALID_PAYLOAD" } },
      { reply_id: "b", error: { code: "DENIED", message: "no" } },
    ]);
  });

  test("a request without a module goes to the host's handler, or is UNKNOWN_METHOD", async () => {
    const own = scene({ onRequest: (module, method) => `${String(module)} ${method}` });
    const child = await own.running();
    child.say({ request_id: "a", method: "now" });
    await settle();
    expect(parsed(child.received)).toEqual([{ reply_id: "a", result: "undefined now" }]);
    const none = scene();
    const other = await none.running();
    other.say({ request_id: "a", method: "now" });
    await settle();
    expect(parsed(other.received)).toMatchObject([{ reply_id: "a", error: { code: "UNKNOWN_METHOD" } }]);
  });

  test("a cancel line aborts the call made for the child, and no reply is sent", async () => {
    const gate = Promise.withResolvers<Value>();
    const { child, signal } = await calling(scene(), gate.promise);
    expect(signal.aborted).toBe(false);
    child.say({ cancel_id: "a" });
    await settle();
    expect(signal.aborted).toBe(true);
    gate.resolve(1);
    await settle();
    expect(child.received).toEqual([]);
  });

  test("what was cancelled counts until it has ended: a child cannot have more of the host at work than maxPending", async () => {
    const gate = Promise.withResolvers<Value>();
    let working = 0;
    const { running } = scene({ maxPending: 3, onRequest: () => (working++, gate.promise) });
    const child = await running();
    for (let n = 0; n < 10; n++) {
      child.say({ request_id: `r${n}`, method: "slow" });
      child.say({ cancel_id: `r${n}` });
    }
    await settle();
    expect(working).toBe(3);
    expect(parsed(child.received)).toMatchObject(
      Array.from({ length: 7 }, (_, n) => ({ reply_id: `r${n + 3}`, error: { code: "QUEUE_FULL" } })),
    );
    gate.resolve(1);
    await settle();
    child.say({ request_id: "r0", method: "slow" });
    await settle();
    expect(parsed(child.received).at(-1)).toEqual({ reply_id: "r0", result: 1 });
    expect(child.received).toHaveLength(8);
  });

  test("the end of the child aborts what runs for it", async () => {
    const { child, signal } = await calling(scene());
    child.exit({ code: 1 });
    await settle();
    expect(signal.aborted).toBe(true);
  });

  test.each([
    [{ method: 3 }, "INVALID_FIELD_TYPE"],
    [{ method: "x", module: 3 }, "INVALID_FIELD_TYPE"],
    [{ method: "x", timeout_ms: "1" }, "INVALID_FIELD_TYPE"],
    [{ method: "x", timeout_ms: 0 }, "INVALID_FIELD_TYPE"],
    [{ method: "x", payload: { $bytes: "?" } }, "INVALID_PAYLOAD"],
  ])("a request with %j is answered with %s", async (request, code) => {
    const { running } = scene();
    const child = await running();
    child.say({ request_id: "a", module: "m", ...request });
    await settle();
    expect(parsed(child.received)).toMatchObject([{ reply_id: "a", error: { code } }]);
  });

  test("what a handler is given besides may be given on as the options of a call", async () => {
    const given: unknown[] = [];
    const self = scene({
      onRequest: (_module, _method, _payload, options) => {
        given.push(Object.keys(options).toSorted(), { ...options });
        return options.next();
      },
    });
    self.invoke = () => Promise.resolve(1);
    const child = await self.running();
    child.say({ request_id: "a", module: "m", method: "x", timeout_ms: 50 });
    await settle();
    expect(given).toEqual([["signal", "timeoutMs"], { timeoutMs: 50, signal: expect.any(AbortSignal) }]);
    expect(parsed(child.received)).toMatchObject([{ reply_id: "a", result: 1 }]);
  });

  test("the host's handler sees requests that name a module too, and lets pass what it likes", async () => {
    const asked: unknown[] = [];
    const self = scene({
      onRequest: (module, method, payload, { next, timeoutMs }) => {
        asked.push([module, method, payload, timeoutMs]);
        if (module === "vault") throw new KeelsonError("DENIED", "not you");
        return next();
      },
    });
    self.invoke = (id, method, payload) => Promise.resolve(`${id}.${method} ${String(payload)}`);
    const child = await self.running();
    child.say({ request_id: "a", module: "vault", method: "open", payload: 1, timeout_ms: 50 });
    child.say({ request_id: "b", module: "m", method: "x", payload: 2 });
    child.say({ request_id: "c", method: "now" });
    await settle();
    expect(asked).toEqual([
      ["vault", "open", 1, 50],
      ["m", "x", 2, undefined],
      [undefined, "now", undefined, undefined],
    ]);
    expect(parsed(child.received)).toMatchObject([
      { reply_id: "a", error: { code: "DENIED", message: "not you" } },
      { reply_id: "b", result: "m.x 2" },
      { reply_id: "c", error: { code: "UNKNOWN_METHOD" } },
    ]);
  });

  test("what was answered makes room, whatever the answer, and its id is free again", async () => {
    const { running } = scene({
      maxPending: 1,
      onRequest: (_module, method) => (method === "x" ? 1 : undefined),
    });
    const child = await running();
    for (const method of ["x", "nothing", "x"]) {
      child.say({ request_id: "a", method, timeout_ms: 0.5 });
      await settle();
    }
    expect(parsed(child.received)).toEqual([1, null, 1].map((result) => ({ reply_id: "a", result })));
  });

  test("an answer too large for the queue is QUEUE_FULL", async () => {
    const { running } = scene({ maxQueuedBytes: 1000, onRequest: () => "x".repeat(1000) });
    const child = await running();
    child.say({ request_id: "a", method: "x" });
    await settle();
    expect(parsed(child.received)).toMatchObject([{ reply_id: "a", error: { code: "QUEUE_FULL" } }]);
  });

  test("a second request under a living id, and one too many, are refused", async () => {
    const self = scene({ maxPending: 2 });
    self.invoke = () => new Promise(() => {});
    const child = await self.running();
    for (const id of ["a", "a", "b", "c"]) child.say({ request_id: id, module: "m", method: "x" });
    await settle();
    expect(parsed(child.received)).toMatchObject([
      { reply_id: "a", error: { code: "INVALID_SCHEMA" } },
      { reply_id: "c", error: { code: "QUEUE_FULL" } },
    ]);
  });

  test("a child that asks for ever and never reads costs a bounded queue", async () => {
    const self = scene({ maxQueuedBytes: 10_000 });
    self.invoke = async () => "x".repeat(400);
    const child = await self.running();
    child.holdStdin();
    for (let round = 0; round < 20; round++) {
      for (let index = 0; index < 50; index++)
        child.say({ request_id: `${round}.${index}`, module: "m", method: "x" });
      await settle(200);
    }
    child.drainStdin();
    await settle();
    expect(child.received.join("\n").length).toBeLessThan(10_000 + 100 * 500);
    expect(child.writes).toBeLessThan(5);
  });
});
