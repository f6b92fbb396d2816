import { describe, expect, test } from "vitest";
import type { RequestContext } from "../../src/contract/bus.ts";
import { KeelsonError } from "../../src/contract/errors.ts";
import type { Value } from "../../src/contract/value.ts";
import { createMetrics } from "../../src/metrics/index.ts";
import { settle } from "../../src/testing/index.ts";
import { rejection, thrownCode } from "../support/errors.ts";
import { countListeners, createTestBus, isPending } from "./harness.ts";

describe("request and respond", () => {
  test("a request is answered with a value or a promise of one", async () => {
    const { host, door, platform } = createTestBus();
    door("maths").respond("double", (data) => (data as number) * 2);
    door("maths").respond("later", async (data) => ({ data }));
    expect(await host.request("double", 21)).toBe(42);
    expect(await host.request("later", "x")).toEqual({ data: "x" });
    expect(platform.clock.pending).toBe(0);
  });

  test("replies that come in another order reach the one who asked", async () => {
    const { host } = createTestBus();
    const answers = new Map<Value, (value: Value) => void>();
    const ids = new Set<string>();
    host.respond("a", (data, { correlationId }) => {
      ids.add(correlationId);
      return new Promise((resolve) => answers.set(data, resolve));
    });
    const asked = [1, 2, 3].map((data) => host.request("a", data));
    for (const data of [3, 1, 2]) answers.get(data)?.(`answer ${data}`);
    expect(await Promise.all(asked)).toEqual(["answer 1", "answer 2", "answer 3"]);
    expect(ids.size).toBe(3);
  });

  test("the responder learns who asks", async () => {
    const { door } = createTestBus();
    let seen: RequestContext | undefined;
    door("server").respond("a", (_, request) => {
      seen = request;
      return null;
    });
    await door("client").request("a", 1);
    expect(seen?.source).toBe("client");
    expect(seen?.correlationId).toBe(seen?.correlationId);
    expect(seen?.signal.aborted).toBe(false);
  });

  test("a responder may give what it learns on as the options of a request of its own, which then ends with it", async () => {
    const { host, door } = createTestBus();
    const inside: RequestContext[] = [];
    door("inner").respond("inner", (data, request) => {
      inside.push(request);
      return data === 1 ? 2 : new Promise<never>(() => {});
    });
    const outer = door("outer");
    outer.respond("outer", (data, request) => outer.request("inner", data, request));
    expect(await host.request("outer", 1)).toBe(2);
    const controller = new AbortController();
    const asked = rejection(host.request("outer", 2, { signal: controller.signal }));
    await settle();
    expect(inside[1]?.signal.aborted).toBe(false);
    controller.abort();
    expect((await asked).code).toBe("ABORTED");
    expect(inside[1]?.signal.aborted).toBe(true);
  });

  test("nobody but the responder sees a request, and nobody but the asker the reply", async () => {
    const { host } = createTestBus();
    let heard = 0;
    host.on("**", () => void heard++);
    host.respond("a", () => 1);
    await host.request("a", 1);
    expect(heard).toBe(0);
  });

  test("without a responder it is NO_RESPONDER, and a topic that is none INVALID_TOPIC", async () => {
    const { host } = createTestBus();
    expect((await rejection(host.request("a", 1))).code).toBe("NO_RESPONDER");
    expect((await rejection(host.request("a.*", 1))).code).toBe("INVALID_TOPIC");
    const handle = host.respond("a", () => 1);
    handle[Symbol.dispose]();
    handle[Symbol.dispose]();
    expect((await rejection(host.request("a", 1))).code).toBe("NO_RESPONDER");
  });

  test("a responder that fails gives REQUEST_FAILED with the cause", async () => {
    const { host } = createTestBus();
    const cause = new KeelsonError("OUT_OF_MEMORY", "no room", { hint: "give it more" });
    host.respond("throws", () => {
      throw cause;
    });
    host.respond("rejects", () => Promise.reject(new Error("late")));
    host.respond("nothing", () => {
      // oxlint-disable-next-line no-throw-literal
      throw undefined;
    });
    expect(await rejection(host.request("throws", 1))).toMatchObject({
      code: "REQUEST_FAILED",
      // The hint of the cause stays with the cause.
      message: 'host failed to answer on "throws": no room\n  hint: the cause says why',
      cause,
      details: { code: "OUT_OF_MEMORY" },
    });
    expect(await rejection(host.request("rejects", 1))).toMatchObject({
      code: "REQUEST_FAILED",
      cause: { message: "late" },
    });
    expect((await rejection(host.request("nothing", 1))).code).toBe("REQUEST_FAILED");
  });

  test("an answer whose `then` throws is a failure like any other", async () => {
    const { host } = createTestBus();
    const hostile = {
      get then(): never {
        throw new Error("hostile");
      },
    };
    host.respond("a", () => hostile as unknown as Value);
    expect((await rejection(host.request("a", 1))).code).toBe("REQUEST_FAILED");
  });

  test("at the time-out the asker gets DEADLINE_EXCEEDED and the responder's signal fires", async () => {
    const { host, platform } = createTestBus();
    let request: RequestContext | undefined;
    let answer: (value: Value) => void = () => {};
    host.respond("a", (_, context) => {
      request = context;
      return new Promise((resolve) => (answer = resolve));
    });
    const failed = rejection(host.request("a", 1, { timeoutMs: 100 }));
    expect(request?.signal.aborted).toBe(false);
    await platform.clock.advance(100);
    expect((await failed).code).toBe("DEADLINE_EXCEEDED");
    expect(request?.signal.aborted).toBe(true);
    answer("too late");
    await settle();
    expect(platform.clock.pending).toBe(0);
  });

  test("the time-out is 30,000 ms unless told otherwise, and Infinity means none", async () => {
    const { host, platform } = createTestBus();
    host.respond("a", () => new Promise(() => {}));
    const endless = host.request("a", 1, { timeoutMs: Infinity });
    expect(platform.clock.pending).toBe(0);
    const usual = host.request("a", 1);
    const failed = rejection(usual);
    await platform.clock.advance(29_999);
    expect(await isPending(usual)).toBe(true);
    await platform.clock.advance(1);
    expect((await failed).code).toBe("DEADLINE_EXCEEDED");
    await platform.clock.advance(1_000_000);
    expect(await isPending(endless)).toBe(true);
  });

  test("a signal that is asked for only after the asker left has fired already", async () => {
    const { host, platform } = createTestBus();
    let request: RequestContext | undefined;
    host.respond("a", (_, context) => {
      request = context;
      return new Promise(() => {});
    });
    const failed = rejection(host.request("a", 1, { timeoutMs: 1 }));
    await platform.clock.advance(1);
    await failed;
    expect(request?.signal.aborted).toBe(true);
  });

  test("the caller's signal ends it with ABORTED; no listener is left on it, however it ends", async () => {
    const { host, platform } = createTestBus();
    let inside: AbortSignal | undefined;
    const controller = new AbortController();
    const { signal } = controller;
    const listeners = countListeners(signal);
    host.respond("at.once", () => 1);
    host.respond("soon", async () => 2);
    host.respond("fails", async () => Promise.reject(new Error("no")));
    host.respond("never", (_, request) => {
      inside = request.signal;
      return new Promise(() => {});
    });
    await host.request("at.once", 1, { signal });
    await host.request("soon", 1, { signal });
    await rejection(host.request("fails", 1, { signal }));
    const late = rejection(host.request("never", 1, { signal, timeoutMs: 5 }));
    await platform.clock.advance(5);
    expect((await late).code).toBe("DEADLINE_EXCEEDED");
    expect(listeners()).toBe(0);
    const failed = rejection(host.request("never", 1, { signal }));
    expect(listeners()).toBe(1);
    controller.abort(new Error("changed my mind"));
    expect(await failed).toMatchObject({ code: "ABORTED", cause: { message: "changed my mind" } });
    expect(inside?.aborted).toBe(true);
    expect([listeners(), platform.clock.pending]).toEqual([0, 0]);
  });

  test("a signal that has fired asks nobody", async () => {
    const { host } = createTestBus();
    let asked = 0;
    host.respond("a", () => ++asked);
    expect((await rejection(host.request("a", 1, { signal: AbortSignal.abort() }))).code).toBe("ABORTED");
    expect(asked).toBe(0);
  });

  test("a signal that fires while the responder runs ends the request", async () => {
    const { host, platform } = createTestBus();
    const controller = new AbortController();
    host.respond("a", () => {
      controller.abort();
      return new Promise(() => {});
    });
    expect((await rejection(host.request("a", 1, { signal: controller.signal }))).code).toBe("ABORTED");
    expect(platform.clock.pending).toBe(0);
  });

  test("a second responder on a topic is DUPLICATE_RESPONDER until the first has left", async () => {
    const { door, host, platform } = createTestBus();
    const first = door("one").respond("a", () => "one");
    expect(thrownCode(() => door("two").respond("a", () => "two"))).toBe("DUPLICATE_RESPONDER");
    expect(thrownCode(() => door("one").respond("a", () => "again"))).toBe("DUPLICATE_RESPONDER");
    expect(await host.request("a", null)).toBe("one");
    first[Symbol.dispose]();
    door("two").respond("a", () => "two");
    expect(await host.request("a", null)).toBe("two");
    // Nobody stood by.
    expect(platform.log.records).toEqual([]);
  });

  test("a responder that failed is not told to stop", async () => {
    const { host } = createTestBus();
    let signal: AbortSignal | undefined;
    host.respond("a", (_, request) => {
      signal = request.signal;
      return Promise.reject(new Error("no"));
    });
    expect((await rejection(host.request("a", 1))).code).toBe("REQUEST_FAILED");
    expect(signal?.aborted).toBe(false);
  });

  test("metrics count requests, and those without an answer", async () => {
    const metrics = createMetrics();
    const { host } = createTestBus({ metrics });
    host.respond("good", () => 1);
    host.respond("later", async () => 2);
    host.respond("bad", () => {
      throw new Error("no");
    });
    host.respond("worse", () => Promise.reject(new Error("no")));
    await host.request("good", 1);
    await host.request("later", 1);
    for (const topic of ["bad", "worse", "none"]) await rejection(host.request(topic, 1));
    await rejection(host.request("good", 1, { signal: AbortSignal.abort() }));
    const text = metrics.text();
    expect(text).toContain("keelson_bus_requests_total 6\n");
    expect(text).toContain("keelson_bus_request_failures_total 4\n");
  });

  test("what a responder was asked before it left is still answered", async () => {
    const { host } = createTestBus();
    let answer: (value: Value) => void = () => {};
    const handle = host.respond("a", () => new Promise((resolve) => (answer = resolve)));
    const asked = host.request("a", 1);
    handle[Symbol.dispose]();
    answer("done");
    expect(await asked).toBe("done");
  });

  test("requests of a source that is held wait for who answers next, in order, each for its own time", async () => {
    const { bus, host, door, platform } = createTestBus();
    const { clock } = platform;
    const old = door("m");
    for (const topic of ["a", "b"]) old.respond(topic, () => "old");
    const hold = bus.hold("m", 10);
    expect(await host.request("a", 0)).toBe("old");
    old.close();
    const controller = new AbortController();
    const listeners = countListeners(controller.signal);
    const late = rejection(host.request("a", 1, { timeoutMs: 10 }));
    const aborted = rejection(host.request("a", 2, { signal: controller.signal }));
    const answered = [3, 4].map((data) => host.request("a", data, { timeoutMs: 30 }));
    expect((await rejection(host.request("c", 0))).code).toBe("NO_RESPONDER");
    // It would wait for itself.
    expect((await rejection(door("m").request("a", 0))).code).toBe("NO_RESPONDER");
    controller.abort();
    expect((await aborted).code).toBe("ABORTED");
    await clock.advance(10);
    expect((await late).code).toBe("DEADLINE_EXCEEDED");
    const seen: Value[] = [];
    door("m").respond("a", (data) => {
      seen.push(data);
      return data === 3 ? "new" : new Promise<Value>(() => {});
    });
    hold[Symbol.dispose]();
    expect(await answered[0]).toBe("new");
    const slow = rejection(answered[1] as Promise<Value>);
    await clock.advance(19);
    expect(await isPending(slow)).toBe(true);
    await clock.advance(1);
    // All of its time is told, not what was left of it after the wait.
    expect(await slow).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { timeoutMs: 30 } });
    expect([seen, listeners(), clock.pending]).toEqual([[3, 4], 0, 0]);
  });

  test("what waits for a source that is held and answers no more is NO_RESPONDER, and so is what waits past the bound", async () => {
    const metrics = createMetrics();
    const { bus, host, door } = createTestBus({ metrics });
    const old = door("m");
    old.respond("a", () => "old");
    const hold = bus.hold("m", 1);
    old.close();
    const first = rejection(host.request("a", 1));
    expect(await rejection(host.request("a", 2))).toMatchObject({
      code: "NO_RESPONDER",
      hint: expect.stringContaining("being replaced") as unknown,
    });
    hold[Symbol.dispose]();
    expect((await first).code).toBe("NO_RESPONDER");
    expect((await rejection(host.request("a", 3))).code).toBe("NO_RESPONDER");
    expect(metrics.text()).toContain("keelson_bus_requests_total 3\n");
    expect(metrics.text()).toContain("keelson_bus_request_failures_total 3\n");
  });

  test("what waits for a source that is held is asked before all that comes later, and is there at once", async () => {
    const { bus, host, door } = createTestBus();
    const old = door("m");
    old.respond("a", () => "old");
    const hold = bus.hold("m", 10);
    old.close();
    const order: unknown[] = [];
    const answers = [host.request("a", 1), host.request("a", 2)];
    const next = door("m");
    next.respond("a", (data) => {
      order.push(data);
      // Somebody asks while the others are let go on.
      if (data === 1) answers.push(host.request("a", 4));
      return data;
    });
    // The new version answers already, and a listener to its coming up asks first.
    answers.push(host.request("a", 3));
    expect(order).toEqual([]);
    // The version itself would wait for its own start.
    expect(await next.request("a", "own")).toBe("own");
    hold[Symbol.dispose]();
    answers.push(host.request("a", 5));
    expect(order).toEqual(["own", 1, 2, 3, 4, 5]);
    expect(await Promise.all(answers)).toEqual([1, 2, 3, 4, 5]);
  });

  test("what waits for a source that is held, and is looked at by nobody, does not end the host", async () => {
    const { bus, host, door, platform } = createTestBus();
    const old = door("m");
    old.respond("a", () => "old");
    const hold = bus.hold("m", 10);
    old.close();
    void host.request("a", 1, { timeoutMs: 10 });
    void host.request("a", 2);
    await platform.clock.advance(10);
    hold[Symbol.dispose]();
    // Rejections that nobody handles are told after the microtasks of a turn.
    await new Promise(setImmediate);
    expect(platform.clock.pending).toBe(0);
  });

  test("what waits for a source that is held ends with its asker's door, and with the bus", async () => {
    const { bus, host, door, platform } = createTestBus();
    const old = door("m");
    old.respond("a", () => "old");
    const hold = bus.hold("m", 10);
    old.close();
    const asker = door("asker");
    const first = rejection(asker.request("a", 1));
    const second = rejection(host.request("a", 2));
    asker.close();
    expect((await first).code).toBe("DOOR_CLOSED");
    bus.close();
    expect((await second).code).toBe("KERNEL_CLOSED");
    hold[Symbol.dispose]();
    expect(platform.clock.pending).toBe(0);
  });

  test("closing the bus rejects what is asked, and every later request", async () => {
    const { bus, host, platform } = createTestBus();
    host.respond("a", () => new Promise(() => {}));
    const failed = rejection(host.request("a", 1));
    bus.close();
    expect((await failed).code).toBe("KERNEL_CLOSED");
    expect((await rejection(host.request("a", 1))).code).toBe("KERNEL_CLOSED");
    expect(platform.clock.pending).toBe(0);
  });

  test("patterns and things that are no function cannot respond", () => {
    const { host } = createTestBus();
    expect(thrownCode(() => host.respond("a.*", () => 1))).toBe("INVALID_TOPIC");
    expect(thrownCode(() => host.respond("a", null as never))).toBe("INVALID_OPTIONS");
  });

  test("time-outs that are none are refused with INVALID_OPTIONS", async () => {
    const { host } = createTestBus();
    host.respond("a", () => 1);
    expect((await rejection(host.request("a", 1, { timeoutMs: -5 }))).code).toBe("INVALID_OPTIONS");
    expect(await host.request("a", 1, { timeoutMs: 0 })).toBe(1);
  });
});
