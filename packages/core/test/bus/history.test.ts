import { describe, expect, test } from "vitest";
import type { Cursor, Subscription } from "../../src/contract/bus.ts";
import { compareEnvelopes } from "../../src/bus/index.ts";
import { serial } from "../../src/bus/message.ts";
import { thrownCode } from "../support/errors.ts";
import { createTestBus, drain } from "./harness.ts";

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

describe("the log", () => {
  test("keeps what the kernel, its supervisor and boundary modules say, and what it was asked to keep", () => {
    const { bus } = createTestBus({ logged: ["audit.**", "orders.*.paid"] });
    const topics = [
      "kernel.ready",
      "module.started",
      "supervisor.warning",
      "boundary.mod.tick",
      "audit.a.b",
      "orders.7.paid",
      "orders.7.seen",
      "audit",
      "hot",
    ];
    for (const topic of topics) bus.publish(topic, null);
    expect(bus.events().map(({ topic }) => topic)).toEqual(topics.slice(0, 6));
  });

  test("is in the order (timestamp, id, source), and goes on behind a cursor", async () => {
    const { bus, platform } = createTestBus();
    for (let count = 0; count < 50; count++) {
      bus.publishAs(`m${count % 3}`, "kernel.x", count);
      if (count % 7 === 0) await platform.clock.advance(1);
    }
    const all = bus.events();
    expect(all.map(({ data }) => data)).toEqual(Array.from({ length: 50 }, (_, count) => count));
    expect(all.toSorted(compareEnvelopes)).toEqual(all);
    for (const index of [0, 17, 48, 49]) {
      const { timestamp, id, source } = all[index] as Cursor;
      const stored = JSON.parse(JSON.stringify({ timestamp, id, source })) as Cursor;
      expect(bus.events(stored)).toEqual(all.slice(index + 1));
    }
  });

  test("keeps no more than 16 Mi characters of events whose size it is told", () => {
    const { bus, host } = createTestBus();
    const mebi = 2 ** 20;
    bus.publish("kernel.x", "first");
    const [first] = bus.events() as readonly Cursor[] as readonly [Cursor];
    for (let count = 1; count <= 16; count++) bus.publish("boundary.m.x", count, mebi);
    expect(bus.events()).toHaveLength(17);
    bus.publish("kernel.x", "small", 1);
    // The first, which weighs nothing, lay before the one that had to go.
    expect(bus.events().map(({ data }) => data)).toEqual([...range(2, 16), "small"]);
    expect(thrownCode(() => bus.events(first))).toBe("CURSOR_EXPIRED");
    bus.publish("kernel.x", "half", 7.5 * mebi);
    expect(bus.events().map(({ data }) => data)).toEqual([...range(9, 16), "small", "half"]);
    // One that alone is too large is not kept, and nothing is from before it.
    using queue = host.subscribe("kernel.*");
    bus.publish("kernel.x", "huge", 17 * mebi);
    expect(drain(queue)).toEqual(["huge"]);
    expect(bus.events()).toEqual([]);
    for (let count = 1; count <= 20; count++) bus.publish("boundary.m.x", count, mebi);
    expect(bus.events().map(({ data }) => data)).toEqual(range(5, 20));
  });

  test("takes no size that is no count, which a module may give its publish", () => {
    const { bus } = createTestBus();
    for (const size of [
      "9",
      NaN,
      Infinity,
      -(2 ** 30),
      0.1,
      true,
      null,
      {},
      [5],
      2n,
      5,
      2 ** 24 - 10,
    ] as never[])
      bus.publish("boundary.m.x", String(size), size);
    expect(bus.events()).toHaveLength(12);
    bus.publish("boundary.m.x", "more", 6);
    // Of those that weigh something the first has to go, and with it all before it.
    expect(bus.events().map(({ data }) => data)).toEqual([String(2 ** 24 - 10), "more"]);
  });

  test("forgets sizes with their envelopes", () => {
    const { bus } = createTestBus({ logCapacity: 3 });
    for (let count = 1; count <= 100; count++) bus.publish("boundary.m.x", count, 2 ** 22);
    expect(bus.events().map(({ data }) => data)).toEqual([98, 99, 100]);
  });

  test("the order is by timestamp, then id, then source", () => {
    const cursors = [1, 2].flatMap((timestamp) =>
      ["a", "b"].flatMap((id) => ["s", "t"].map((source) => ({ timestamp, id, source }))),
    );
    for (const [at, one] of cursors.entries())
      for (const [other, two] of cursors.entries())
        expect(Math.sign(compareEnvelopes(one, two))).toBe(Math.sign(at - other));
  });

  test("a cursor from before the first event gives all", () => {
    const { bus } = createTestBus();
    bus.publish("kernel.x", 1);
    expect(bus.events({ timestamp: 0, id: "", source: "" })).toHaveLength(1);
  });

  test("a cursor that the log no longer reaches is CURSOR_EXPIRED, the last that it does is not", () => {
    const { bus, host } = createTestBus({ logCapacity: 3 });
    for (let count = 0; count < 3; count++) bus.publish("kernel.x", count);
    const [first, second] = bus.events() as readonly Cursor[] as readonly [Cursor, Cursor];
    bus.publish("kernel.x", 3);
    expect(bus.events(first).map(({ data }) => data)).toEqual([1, 2, 3]);
    bus.publish("kernel.x", 4);
    expect(thrownCode(() => bus.events(first))).toBe("CURSOR_EXPIRED");
    expect(thrownCode(() => host.subscribe("kernel.*", { from: first }))).toBe("CURSOR_EXPIRED");
    expect(bus.events(second).map(({ data }) => data)).toEqual([2, 3, 4]);
  });

  test("what is no cursor is refused with INVALID_OPTIONS", () => {
    const { bus } = createTestBus();
    const sound = { timestamp: 1, id: "2", source: "x" };
    expect(bus.events(sound)).toEqual([]);
    for (const cursor of [
      null,
      {},
      5,
      { ...sound, timestamp: "1" },
      { ...sound, timestamp: NaN },
      { ...sound, id: 2 },
      { ...sound, source: 3 },
    ]) {
      expect(thrownCode(() => bus.events(cursor as never))).toBe("INVALID_OPTIONS");
    }
  });

  test("one envelope is log enough", () => {
    const { bus } = createTestBus({ logCapacity: 1 });
    bus.publish("kernel.x", 1);
    bus.publish("kernel.x", 2);
    expect(bus.events().map(({ data }) => data)).toEqual([2]);
  });

  test("an envelope as JSON says all, and its id sorts up to the last safe number", () => {
    const { bus } = createTestBus();
    bus.publishAs("m", "kernel.x", { a: 1 }, "c-1");
    const [envelope] = bus.events();
    expect(JSON.parse(JSON.stringify(envelope))).toEqual({
      id: envelope?.id,
      seq: 1,
      topic: "kernel.x",
      source: "m",
      correlationId: "c-1",
      timestamp: envelope?.timestamp,
      data: { a: 1 },
    });
    const numbers = [0, 35, 36, 36 ** 5, Number.MAX_SAFE_INTEGER];
    expect(numbers.map(serial).toSorted()).toEqual(numbers.map(serial));
    expect(numbers.map((number) => serial(number).length)).toEqual(numbers.map(() => 11));
  });

  test.each([0, 1.5, -1])("the capacity %s is refused with INVALID_OPTIONS", (logCapacity) => {
    expect(thrownCode(() => createTestBus({ logCapacity }))).toBe("INVALID_OPTIONS");
  });

  test("a subscription from a cursor gets what was missed and then what comes, each once", () => {
    const { bus, host } = createTestBus();
    for (const data of [1, 2, 3]) bus.publish("module.a", data);
    bus.publish("kernel.a", "other");
    const [first] = bus.events();
    using subscription = host.subscribe("module.*", { from: first as Cursor });
    bus.publish("module.b", 4);
    expect(drain(subscription)).toEqual([2, 3, 4]);
  });

  test("subscribing from a cursor inside a listener gets the envelope under way once", () => {
    const { bus, host } = createTestBus();
    const subscriptions: Subscription[] = [];
    bus.publish("kernel.first", 0);
    const [from] = bus.events() as readonly Cursor[] as readonly [Cursor];
    host.on("kernel.x", ({ data }) => {
      if (data === 1) {
        bus.publish("kernel.x", 2);
        subscriptions.push(host.subscribe("kernel.*", { from }));
      }
    });
    bus.publish("kernel.x", 1);
    bus.publish("kernel.x", 3);
    expect(drain(subscriptions[0] as Subscription)).toEqual([1, 2, 3]);
  });

  test("replaying more than the queue holds drops by its policy and counts", () => {
    const { bus, host } = createTestBus();
    for (let count = 0; count < 10; count++) bus.publish("kernel.x", count);
    using subscription = host.subscribe("kernel.*", {
      from: { timestamp: 0, id: "", source: "" },
      capacity: 4,
    });
    expect(subscription.lagged).toBe(6);
    expect(drain(subscription)).toEqual([6, 7, 8, 9]);
  });

  test("a cursor on topics that the log does not keep is refused with INVALID_OPTIONS", () => {
    const { bus, host } = createTestBus();
    bus.publish("kernel.x", 1);
    const [from] = bus.events() as readonly Cursor[] as readonly [Cursor];
    expect(thrownCode(() => host.subscribe("orders.*", { from }))).toBe("INVALID_OPTIONS");
    host.subscribe("**", { from }).close();
  });

  test("can be read after the bus closed", () => {
    const { bus } = createTestBus();
    bus.publish("kernel.x", 1);
    bus.close();
    expect(bus.events()).toHaveLength(1);
  });
});
