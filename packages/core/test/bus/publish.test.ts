import { describe, expect, test } from "vitest";
import type { Envelope } from "../../src/contract/bus.ts";
import type { Value } from "../../src/contract/value.ts";
import { createMetrics } from "../../src/metrics/index.ts";
import { settle } from "../../src/testing/index.ts";
import { thrownCode } from "../support/errors.ts";
import { createTestBus } from "./harness.ts";

describe("publish and on", () => {
  test("an envelope says who published what, where and when", () => {
    const { bus, door } = createTestBus();
    const heard: Envelope[] = [];
    bus.on("orders.*", (envelope) => heard.push(envelope));
    const data = { id: 7 };
    door("shop").publish("orders.created", data);
    bus.publish("orders.seen", 1);
    expect(heard).toHaveLength(2);
    expect(heard[0]).toMatchObject({
      topic: "orders.created",
      source: "shop",
      seq: 1,
      timestamp: 1_700_000_000_000,
    });
    expect(heard[0]?.data).toBe(data);
    expect(heard[0]?.correlationId).toBeUndefined();
    expect(heard[1]).toMatchObject({ source: "kernel", seq: 2 });
  });

  test("ids are unique, sort as they were given, and are part of the JSON", () => {
    const { bus, host } = createTestBus();
    const heard: Envelope[] = [];
    bus.on("a", (envelope) => heard.push(envelope));
    for (let count = 0; count < 100; count++) host.publish("a", count);
    const ids = heard.map(({ id }) => id);
    expect(new Set(ids).size).toBe(100);
    expect(ids.toSorted()).toEqual(ids);
    expect(JSON.parse(JSON.stringify(heard[3]))).toMatchObject({
      id: ids[3],
      seq: 4,
      topic: "a",
      source: "host",
      data: 3,
    });
  });

  test("listeners of patterns and of the topic itself hear it in the order they came", () => {
    const { host } = createTestBus();
    const heard: string[] = [];
    for (const pattern of ["a.b.c", "a.**", "*.b.*", "a.b.c", "**", "a.b.d"])
      host.on(pattern, () => heard.push(pattern));
    host.publish("a.b.c", null);
    expect(heard).toEqual(["a.b.c", "a.**", "*.b.*", "a.b.c", "**"]);
  });

  test("one who comes later hears what comes later, also on a topic that was published on before", () => {
    const { host } = createTestBus();
    const heard: Value[] = [];
    host.publish("a.b", 1);
    const first = host.on("a.b", ({ data }) => heard.push(data));
    host.publish("a.b", 2);
    const second = host.on("a.*", ({ data }) => heard.push(data));
    host.publish("a.b", 3);
    first[Symbol.dispose]();
    host.publish("a.b", 4);
    second[Symbol.dispose]();
    host.publish("a.b", 5);
    expect(heard).toEqual([2, 3, 3, 4]);
  });

  test("a listener that throws, even undefined, is counted, logged and kept, and nobody else notices", () => {
    const platformMetrics = createMetrics();
    const { host, platform, door } = createTestBus({ metrics: platformMetrics });
    const heard: Value[] = [];
    host.on("a", ({ data }) => heard.push(data));
    door("bad").on("a", () => {
      // oxlint-disable-next-line no-throw-literal
      throw undefined;
    });
    door("worse").on("a", () => {
      throw new Error("no");
    });
    host.on("a", ({ data }) => heard.push(data));
    host.publish("a", 1);
    host.publish("a", 2);
    expect(heard).toEqual([1, 1, 2, 2]);
    expect(
      platform.log.records.map(({ level, fields }) => [level, fields["source"], fields["error"]]),
    ).toEqual([
      ["error", "bad", "thrown undefined"],
      ["error", "worse", "no"],
      ["error", "bad", "thrown undefined"],
      ["error", "worse", "no"],
    ]);
    expect(platformMetrics.text()).toContain("keelson_bus_listener_failures_total 4");
  });

  test("a listener that throws all the time does not flood the log", () => {
    const { host, platform } = createTestBus();
    host.on("a", () => {
      throw new Error("always");
    });
    for (let count = 0; count < 2500; count++) host.publish("a", count);
    expect(platform.log.records.map(({ fields }) => fields["failures"])).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1000, 2000,
    ]);
  });

  test("a listener whose promise is rejected counts as one that threw", async () => {
    const { host, platform } = createTestBus();
    host.on("a", () => Promise.reject(new Error("later")));
    host.publish("a", 1);
    await settle();
    expect(platform.log.records.map(({ fields }) => fields["error"])).toEqual(["later"]);
  });

  test("among many listeners each hears an envelope once, whoever throws, fails later or leaves", async () => {
    const { host, platform, door } = createTestBus();
    const heard: number[] = [];
    const listeners: Disposable[] = [];
    const count = 37;
    for (let at = 0; at < count; at++) {
      const listener = (): unknown => {
        heard.push(at);
        if (at % 5 === 1) throw new Error("now");
        if (at % 5 === 2) return Promise.reject(new Error("later"));
        // The next but one is off the bus before its turn.
        if (at % 10 === 3) listeners[at + 2]?.[Symbol.dispose]();
        return undefined;
      };
      listeners.push(door(`d${at}`).on("a", listener));
    }
    const all = Array.from({ length: count }, (_, at) => at);
    host.publish("a", 1);
    expect(heard).toEqual(all.filter((at) => at % 10 !== 5));
    await settle();
    const failed = (error: string): unknown[] =>
      platform.log.records
        .filter(({ fields }) => fields["error"] === error)
        .map(({ fields }) => fields["source"]);
    expect(failed("now")).toEqual(all.filter((at) => at % 5 === 1).map((at) => `d${at}`));
    expect(failed("later")).toEqual(all.filter((at) => at % 5 === 2).map((at) => `d${at}`));
  });

  test.each([1, 7, 8, 9, 15, 16, 17, 24])(
    "each of %i listeners hears an envelope once, in order, whichever throws",
    (count) => {
      for (let bad = 0; bad < count; bad++) {
        const { host, platform } = createTestBus();
        const heard: number[] = [];
        for (let at = 0; at < count; at++)
          host.on("a", () => {
            heard.push(at);
            if (at === bad) throw new Error("no");
          });
        host.publish("a", 1);
        expect(heard).toEqual(Array.from({ length: count }, (_, at) => at));
        expect(platform.log.records).toHaveLength(1);
      }
    },
  );

  test("a log that throws does not stop the delivery", () => {
    const log = {
      write(): void {
        throw new Error("disk full");
      },
    };
    const { host } = createTestBus({ log });
    const heard: Value[] = [];
    host.on("a", () => {
      throw new Error("no");
    });
    host.on("a", ({ data }) => heard.push(data));
    host.publish("a", 1);
    host.publish("a", 2);
    expect(heard).toEqual([1, 2]);
  });

  test("what a listener publishes comes behind the envelope it was given, for all, with a number of its own", () => {
    const { host } = createTestBus();
    const heard: string[] = [];
    host.on("first", ({ seq }) => {
      heard.push(`A first ${seq}`);
      host.publish("second", null);
      heard.push("A published");
    });
    host.on("**", ({ topic, seq }) => heard.push(`B ${topic} ${seq}`));
    host.on("second", ({ seq }) => {
      heard.push(`C second ${seq}`);
      host.publish("third", null);
    });
    host.publish("first", null);
    expect(heard).toEqual(["A first 1", "A published", "B first 1", "B second 2", "C second 2", "B third 3"]);
  });

  test("one who starts to listen during a delivery hears from the next envelope on", () => {
    const { host } = createTestBus();
    const heard: Value[] = [];
    host.on("a", ({ data }) => {
      if (data === 1) {
        host.publish("a", 2);
        host.on("a", (envelope) => heard.push(envelope.data));
        host.publish("a", 3);
      }
    });
    host.publish("a", 1);
    expect(heard).toEqual([3]);
  });

  test("one who stops during a delivery hears nothing more, not even the envelope under way", () => {
    const { host } = createTestBus();
    const heard: string[] = [];
    const handles: Disposable[] = [];
    handles.push(
      host.on("a", () => {
        heard.push("first");
        for (const handle of handles) handle[Symbol.dispose]();
      }),
      host.on("a", () => heard.push("second")),
      host.on("*", () => heard.push("third")),
    );
    host.on("a", () => heard.push("fourth"));
    host.publish("a", 1);
    host.publish("a", 2);
    expect(heard).toEqual(["first", "fourth", "fourth"]);
  });

  test("stopping twice is fine and stops nobody else", () => {
    const { host } = createTestBus();
    let heard = 0;
    const listener = (): void => void heard++;
    const first = host.on("a", listener);
    host.on("a", listener);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    host.publish("a", 1);
    expect(heard).toBe(1);
  });

  test("listeners that answer each other for ever end with a RangeError, and the bus goes on", () => {
    const { host, platform } = createTestBus();
    host.on("ping", () => host.publish("pong", null));
    host.on("pong", () => host.publish("ping", null));
    host.publish("ping", null);
    expect(platform.log.records[0]?.fields["error"]).toMatch(/circle/);
    let heard = 0;
    host.on("calm", () => void heard++);
    host.publish("calm", null);
    expect(heard).toBe(1);
  });

  test.each(["", "a..b", "a.*", "**", "ü"])("publishing on %j throws INVALID_TOPIC", (topic) => {
    const { host } = createTestBus();
    expect(thrownCode(() => host.publish(topic, 1))).toBe("INVALID_TOPIC");
    expect(thrownCode(() => host.publish(undefined as never, 1))).toBe("INVALID_TOPIC");
  });

  test("listening with a pattern that is none throws INVALID_TOPIC, with a listener that is none INVALID_OPTIONS", () => {
    const { host } = createTestBus();
    expect(thrownCode(() => host.on("**.a", () => {}))).toBe("INVALID_TOPIC");
    expect(thrownCode(() => host.on("a", undefined as never))).toBe("INVALID_OPTIONS");
  });

  test("more topics than the bus remembers are delivered all the same", () => {
    const { host } = createTestBus();
    let heard = 0;
    host.on("t.*", () => void heard++);
    for (let count = 0; count < 20_500; count++) host.publish(`t.${count % 10_250}`, count);
    expect(heard).toBe(20_500);
  });

  test("publishAs() names any source, on any topic, with a correlation id", () => {
    const { bus } = createTestBus();
    const heard: Envelope[] = [];
    bus.on("**", (envelope) => heard.push(envelope));
    bus.publishAs("remote", "kernel.odd", 1, "c-1");
    expect(heard[0]).toMatchObject({ source: "remote", topic: "kernel.odd", correlationId: "c-1" });
  });

  test("after close() the bus refuses with KERNEL_CLOSED, at the door as well", () => {
    const { bus, host } = createTestBus();
    let heard = 0;
    host.on("a", () => void heard++);
    host.publish("b", 1);
    host.publish("a", 1);
    heard = 0;
    bus.close();
    bus.close();
    expect(thrownCode(() => host.publish("b", 1))).toBe("KERNEL_CLOSED");
    expect(thrownCode(() => bus.publish("a", 1))).toBe("KERNEL_CLOSED");
    expect(thrownCode(() => host.publish("a", 1))).toBe("KERNEL_CLOSED");
    expect(thrownCode(() => host.on("a", () => {}))).toBe("KERNEL_CLOSED");
    expect(thrownCode(() => host.subscribe("a"))).toBe("KERNEL_CLOSED");
    expect(heard).toBe(0);
  });

  test("closing the bus during a delivery ends that too", () => {
    const { bus, host } = createTestBus();
    const heard: string[] = [];
    host.on("a", () => {
      heard.push("first");
      host.publish("a", 2);
      bus.close();
    });
    host.on("a", () => heard.push("second"));
    host.publish("a", 1);
    expect(heard).toEqual(["first"]);
  });

  test("metrics count what was published, and who listens", () => {
    const metrics = createMetrics();
    const { host } = createTestBus({ metrics });
    host.publish("nobody.listens", 1);
    using _ = host.on("a", () => {});
    using queue = host.subscribe("a", { capacity: 1 });
    for (let count = 0; count < 4; count++) host.publish("a", count);
    expect(queue.lagged).toBe(3);
    const text = metrics.text();
    expect(text).toContain("keelson_bus_published_total 5");
    expect(text).toContain("keelson_bus_lagged_total 3");
    expect(text).toContain("keelson_bus_listeners 2");
  });
});

describe("time stamps", () => {
  test("never go back, even when the wall clock does, so that logs stay in order", () => {
    let wall = 5000;
    const clock = { now: () => 0, wall: () => wall, after: () => ({ [Symbol.dispose]: () => {} }) };
    const { bus } = createTestBus({ clock });
    for (const next of [5000, 4000, 5000, 6000, 5999]) {
      wall = next;
      bus.publish("kernel.x", next);
    }
    expect(bus.events().map(({ timestamp }) => timestamp)).toEqual([5000, 5000, 5000, 6000, 6000]);
  });

  test("are read for each envelope that the log keeps", () => {
    let wall = 0;
    const clock = { now: () => 0, wall: () => wall++ / 10, after: () => ({ [Symbol.dispose]: () => {} }) };
    const { bus } = createTestBus({ clock });
    for (let count = 0; count < 50; count++) bus.publish("kernel.x", count);
    expect(bus.events().map(({ timestamp }) => timestamp)).toEqual(
      Array.from({ length: 50 }, (_, count) => count / 10),
    );
  });

  test("a burst of one turn shares one reading of the clock; the next turn reads again", async () => {
    let reads = 0;
    let wall = 1000;
    const clock = {
      now: () => 0,
      wall() {
        reads++;
        return wall;
      },
      after: () => ({ [Symbol.dispose]: () => {} }),
    };
    const { host } = createTestBus({ clock });
    const stamps: number[] = [];
    host.on("a", ({ timestamp }) => stamps.push(timestamp));
    for (let count = 0; count < 250; count++) host.publish("a", count);
    expect(reads).toBe(2);
    await settle();
    wall = 2000;
    host.publish("a", null);
    expect(reads).toBe(3);
    expect(stamps.at(-1)).toBe(2000);
  });

  test("a long burst reads the clock now and then", () => {
    let wall = 1000;
    const clock = { now: () => 0, wall: () => wall, after: () => ({ [Symbol.dispose]: () => {} }) };
    const { host } = createTestBus({ clock });
    const stamps: number[] = [];
    host.on("a", ({ timestamp }) => stamps.push(timestamp));
    for (let count = 0; count < 100; count++) host.publish("a", count);
    wall = 1500;
    for (let count = 0; count < 200; count++) host.publish("a", count);
    expect(stamps.at(-1)).toBe(1500);
  });
});
