import { describe, expect, test } from "vitest";
import { createBusDoor, type KernelBus } from "../../src/bus/index.ts";
import type { Exchange } from "../../src/bus/exchange.ts";
import type { Cursor, Envelope } from "../../src/contract/bus.ts";
import type { Value } from "../../src/contract/value.ts";
import { UndoScope } from "../../src/primitives/scope.ts";
import { rejection, thrown, thrownCode } from "../support/errors.ts";
import { countListeners, createTestBus, drain } from "./harness.ts";

describe("a door to the bus", () => {
  test.each(["kernel.closed", "module.started", "supervisor.gave.up", "kernel"])(
    "may not publish on %s: DENIED",
    async (topic) => {
      const { host, bus } = createTestBus();
      let heard = 0;
      bus.on("**", () => void heard++);
      bus.on(topic, () => void heard++);
      expect(thrownCode(() => host.publish(topic, 1))).toBe("DENIED");
      expect((await rejection(host.send(topic, 1))).code).toBe("DENIED");
      expect(thrownCode(() => host.respond(topic, () => 1))).toBe("DENIED");
      expect(heard).toBe(0);
    },
  );

  test("may listen to them and ask there", async () => {
    const { host, bus } = createTestBus();
    const heard: Value[] = [];
    host.on("module.*", ({ data }) => heard.push(data));
    bus.publish("module.started", "m");
    bus.respond("kernel.status", () => "fine");
    expect(heard).toEqual(["m"]);
    expect(await host.request("kernel.status", null)).toBe("fine");
  });

  test("once closed answers everything with DOOR_CLOSED", async () => {
    const { door } = createTestBus();
    const closed = door("mod");
    expect(closed.open).toBe(true);
    closed.close();
    closed.close();
    expect(closed.open).toBe(false);
    expect(thrownCode(() => closed.publish("a", 1))).toBe("DOOR_CLOSED");
    expect(thrownCode(() => closed.on("a", () => {}))).toBe("DOOR_CLOSED");
    expect(thrownCode(() => closed.subscribe("a"))).toBe("DOOR_CLOSED");
    expect(thrownCode(() => closed.respond("a", () => 1))).toBe("DOOR_CLOSED");
    expect((await rejection(closed.send("a", 1))).code).toBe("DOOR_CLOSED");
    expect((await rejection(closed.request("a", 1))).code).toBe("DOOR_CLOSED");
    closed.activate();
    expect(closed.live).toBe(false);
  });

  test("closing ends listeners, subscriptions and responders, and nobody else's", async () => {
    const { door, host } = createTestBus();
    const mod = door("mod");
    const heard: string[] = [];
    mod.on("a", () => heard.push("mod"));
    host.on("a", () => heard.push("host"));
    const subscription = mod.subscribe("a");
    const reader = subscription[Symbol.asyncIterator]();
    mod.respond("ask", () => 1);
    host.publish("a", 1);
    mod.close();
    host.publish("a", 2);
    expect(heard).toEqual(["mod", "host", "host"]);
    expect(await reader.next()).toEqual({ value: undefined, done: true });
    expect([subscription.take(), subscription.size]).toEqual([undefined, 0]);
    expect((await rejection(host.request("ask", 1))).code).toBe("NO_RESPONDER");
  });

  test("closing inside its own listener is safe", () => {
    const { door, host } = createTestBus();
    const mod = door("mod");
    const heard: string[] = [];
    mod.on("a", () => {
      heard.push("first");
      mod.close();
    });
    mod.on("a", () => heard.push("second"));
    host.publish("a", 1);
    host.publish("a", 2);
    expect(heard).toEqual(["first"]);
  });

  test("closing rejects what it waits for with DOOR_CLOSED", async () => {
    const { door, host, platform } = createTestBus();
    const mod = door("mod");
    using full = host.subscribe("a", { capacity: 1, overflow: "back-pressure" });
    let inside: AbortSignal | undefined;
    host.respond("ask", (_, { signal }) => {
      inside = signal;
      return new Promise(() => {});
    });
    await mod.send("a", 1);
    const controller = new AbortController();
    const listeners = countListeners(controller.signal);
    const failed = [
      rejection(mod.send("a", 2, { signal: controller.signal })),
      rejection(mod.request("ask", 1, { signal: controller.signal })),
    ];
    mod.close();
    expect((await Promise.all(failed)).map(({ code }) => code)).toEqual(["DOOR_CLOSED", "DOOR_CLOSED"]);
    expect(inside?.aborted).toBe(true);
    expect(full.take()?.data).toBe(1);
    expect(full.take()).toBeUndefined();
    expect([listeners(), platform.clock.pending]).toEqual([0, 0]);
  });

  test("closing fails what it was asked and has not answered, and its signal fires", async () => {
    const { door, host, platform } = createTestBus();
    const mod = door("mod");
    let inside: AbortSignal | undefined;
    mod.respond("ask", (_, { signal }) => {
      inside = signal;
      return new Promise(() => {});
    });
    const failed = rejection(host.request("ask", 1));
    mod.close();
    expect(await failed).toMatchObject({
      code: "REQUEST_FAILED",
      details: { code: "DOOR_CLOSED", source: "mod" },
    });
    expect(inside?.aborted).toBe(true);
    expect(platform.clock.pending).toBe(0);
  });

  test("a send or request nobody looks at does not become an unhandled rejection when the door closes", async () => {
    const { door, host } = createTestBus();
    const mod = door("mod");
    using _ = host.subscribe("a", { capacity: 1, overflow: "back-pressure" });
    host.respond("ask", () => new Promise(() => {}));
    await mod.send("a", 1);
    void mod.send("a", 2);
    void mod.request("ask", 1);
    mod.close();
    // An unhandled rejection fails the run.
    await new Promise<void>((resolve) => queueMicrotask(resolve));
  });

  test("sends that wait for its full queue are rejected with SUBSCRIPTION_CLOSED when it closes", async () => {
    const { door, host } = createTestBus();
    const mod = door("mod");
    mod.subscribe("a", { capacity: 1, overflow: "back-pressure" });
    await host.send("a", 1);
    const failed = rejection(host.send("a", 2));
    mod.close();
    expect((await failed).code).toBe("SUBSCRIPTION_CLOSED");
  });

  test("closes with the scope it was given", async () => {
    const { bus } = createTestBus();
    const scope = new UndoScope(() => {});
    const door = createBusDoor(bus, { source: "mod", scope });
    expect([door.open, door.live]).toEqual([true, false]);
    await scope.end();
    expect([door.open, door.live]).toEqual([false, false]);
    const disposed = createBusDoor(bus, { source: "mod" });
    disposed[Symbol.dispose]();
    expect(disposed.open).toBe(false);
  });

  test("is opened to a bus made by createBus only", () => {
    expect(thrown(() => createBusDoor({} as KernelBus, { source: "mod" }))).toMatchObject({
      code: "INVALID_OPTIONS",
    });
  });

  test("leaves nothing on the bus when it closes, live or not", () => {
    const { bus, door } = createTestBus();
    const { parties } = (bus as unknown as { exchange: Exchange }).exchange;
    const before = parties.size;
    for (const live of [true, false]) {
      const mod = door("mod", live);
      mod.on("a", () => {});
      mod.on("b.*", () => {});
      mod.subscribe("c.**");
      mod.respond("d", () => 1);
      mod.close();
    }
    let heard = 0;
    bus.on("a", () => void heard++);
    bus.publish("a", 1);
    bus.respond("d", () => 2);
    expect(heard).toBe(1);
    expect(parties.size).toBe(before);
  });
});

describe("a pending door", () => {
  test("publishes and asks, but receives nothing until it is activated", async () => {
    const { door, host } = createTestBus();
    const mod = door("mod", false);
    const heard: Value[] = [];
    const outside: Value[] = [];
    mod.on("a", ({ data }) => heard.push(data));
    using subscription = mod.subscribe("a");
    mod.respond("ask", () => "mod");
    host.on("news", ({ data }) => outside.push(data));
    host.respond("who", () => "host");
    host.publish("a", 1);
    mod.publish("news", "from mod");
    expect(await mod.request("who", null)).toBe("host");
    expect((await rejection(host.request("ask", null))).code).toBe("NO_RESPONDER");
    mod.activate();
    mod.activate();
    host.publish("a", 2);
    expect([heard, subscription.size, outside]).toEqual([[2], 1, ["from mod"]]);
    expect(await host.request("ask", null)).toBe("mod");
  });

  test("what was withdrawn before it is activated never goes live", () => {
    const { door, host } = createTestBus();
    const mod = door("mod", false);
    const heard: Value[] = [];
    const handle = mod.on("a", ({ data }) => heard.push(data));
    const subscription = mod.subscribe("a");
    const responder = mod.respond("ask", () => 1);
    handle[Symbol.dispose]();
    subscription.close();
    responder[Symbol.dispose]();
    mod.activate();
    host.publish("a", 1);
    expect([heard, subscription.size]).toEqual([[], 0]);
    host.respond("ask", () => 2);
  });

  test("a swap hands over between two envelopes: none is heard twice, none by nobody", async () => {
    const { door, host } = createTestBus();
    const heard: string[] = [];
    const generation = (name: string, live: boolean): ReturnType<typeof door> => {
      const mod = door("mod", live);
      mod.on("a", ({ data }) => heard.push(`${name} ${JSON.stringify(data)}`));
      mod.respond("who", () => name);
      return mod;
    };
    const old = generation("old", true);
    host.publish("a", 1);
    const candidate = generation("new", false);
    host.publish("a", 2);
    expect(await host.request("who", null)).toBe("old");
    old.deactivate();
    candidate.activate();
    host.publish("a", 3);
    expect(await host.request("who", null)).toBe("new");
    old.publish("b", "still may while it drains");
    old.close();
    host.publish("a", 4);
    expect(heard).toEqual(["old 1", "old 2", "new 3", "new 4"]);
    expect(await host.request("who", null)).toBe("new");
  });

  test("a candidate that is given up leaves the old one untouched", async () => {
    const { door, host } = createTestBus();
    const old = door("mod");
    old.respond("who", () => "old");
    const candidate = door("mod", false);
    candidate.respond("who", () => "new");
    candidate.close();
    expect(await host.request("who", null)).toBe("old");
  });

  test("a deactivated door still answers what it was asked before, and can be activated again", async () => {
    const { door, host } = createTestBus();
    const mod = door("mod");
    let answer: (value: Value) => void = () => {};
    mod.respond("ask", () => new Promise((resolve) => (answer = resolve)));
    using subscription = mod.subscribe("a");
    host.publish("a", 1);
    const asked = host.request("ask", null);
    mod.deactivate();
    host.publish("a", 2);
    expect((await rejection(host.request("ask", null))).code).toBe("NO_RESPONDER");
    answer("answered");
    expect(await asked).toBe("answered");
    expect(subscription.size).toBe(1);
    mod.activate();
    host.publish("a", 3);
    expect([subscription.take()?.data, subscription.take()?.data]).toEqual([1, 3]);
  });

  test("one that is deactivated during a delivery does not take in the envelope under way", async () => {
    const { door, host } = createTestBus();
    const mod = door("mod");
    host.on("a", () => mod.deactivate());
    using subscription = mod.subscribe("a", { overflow: "back-pressure" });
    using dropping = mod.subscribe("a");
    await host.send("a", 1);
    expect([subscription.size, dropping.size]).toEqual([0, 0]);
  });

  test("a second responder of its own is refused while pending, and nothing goes live after the end", () => {
    const { bus, door } = createTestBus();
    const pending = door("mod", false);
    pending.respond("a", () => 1);
    pending.on("a", () => {});
    expect(thrownCode(() => pending.respond("a", () => 2))).toBe("DUPLICATE_RESPONDER");
    const closed = door("mod", false);
    closed.close();
    closed.activate();
    bus.close();
    pending.activate();
    expect([closed.live, pending.live]).toEqual([false, false]);
  });

  test("deactivating one that is not live moves no cursor; one without a cursor is given nothing of the past", () => {
    const { bus, door } = createTestBus({ logged: ["a"] });
    bus.publish("a", 1);
    const [from] = bus.events() as [Envelope];
    const pending = door("mod", false);
    const behind = pending.subscribe("a", { from });
    const plain = pending.subscribe("a");
    bus.publish("a", 2);
    pending.deactivate();
    pending.activate();
    expect([drain(behind), behind.lagged]).toEqual([[2], 0]);
    pending.deactivate();
    bus.publish("a", 3);
    pending.activate();
    expect([drain(behind), drain(plain)]).toEqual([[3], []]);
  });

  test("another module's topic is refused at once, also while pending", () => {
    const { door } = createTestBus();
    door("one").respond("a", () => 1);
    expect(thrownCode(() => door("two", false).respond("a", () => 2))).toBe("DUPLICATE_RESPONDER");
  });

  test("one whose topic was taken meanwhile stands by, with a warning, and answers when it is free", async () => {
    const { door, host, platform } = createTestBus();
    const mod = door("mod", false);
    mod.respond("a", () => "mod");
    const first = door("one");
    first.respond("a", () => "one");
    mod.activate();
    expect(platform.log.records.map(({ level }) => level)).toEqual(["warn"]);
    expect(await host.request("a", null)).toBe("one");
    first.close();
    expect(await host.request("a", null)).toBe("mod");
  });

  test("a subscription with a cursor misses nothing that the log holds, however long the door was not live", () => {
    const { bus, door } = createTestBus();
    for (const data of [0, 1]) bus.publish("kernel.x", data);
    const [from] = bus.events() as readonly Cursor[] as readonly [Cursor];
    const mod = door("mod", false);
    using subscription = mod.subscribe("kernel.*", { from });
    bus.publish("kernel.x", 2);
    expect(subscription.size).toBe(0);
    mod.activate();
    bus.publish("kernel.x", 3);
    mod.deactivate();
    bus.publish("kernel.x", 4);
    mod.activate();
    const data = Array.from({ length: subscription.size }, () => subscription.take()?.data);
    expect(data).toEqual([1, 2, 3, 4]);
  });

  test("what the log lost while the door was not live counts as lagged", () => {
    const { bus, door } = createTestBus({ logCapacity: 2 });
    bus.publish("kernel.x", 0);
    const [from] = bus.events() as readonly Cursor[] as readonly [Cursor];
    const mod = door("mod", false);
    using subscription = mod.subscribe("kernel.*", { from });
    for (const data of [1, 2, 3, 4, 5]) bus.publish("kernel.x", data);
    mod.activate();
    expect(subscription.lagged).toBe(3);
    expect([subscription.take()?.data, subscription.take()?.data]).toEqual([4, 5]);
  });

  test("ends its subscriptions when the bus closes", async () => {
    const { bus, door } = createTestBus();
    const subscription = door("mod", false).subscribe("a");
    const waiting = subscription[Symbol.asyncIterator]().next();
    bus.close();
    expect(await waiting).toEqual({ value: undefined, done: true });
  });
});
