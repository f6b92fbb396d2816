import { describe, expect, test } from "vitest";
import type { Subscription } from "../../src/contract/bus.ts";
import type { Value } from "../../src/contract/value.ts";
import { settle } from "../../src/testing/index.ts";
import { rejection, thrownCode } from "../support/errors.ts";
import { countListeners, createTestBus, drain, isPending } from "./harness.ts";

describe("subscribe", () => {
  test("holds what was published until it is read, in order", async () => {
    const { host } = createTestBus();
    const subscription = host.subscribe("a.*");
    for (const data of [1, 2, 3]) host.publish("a.b", data);
    expect(subscription.size).toBe(3);
    subscription.close();
    const read: Value[] = [];
    for await (const { data } of subscription) read.push(data);
    expect(read).toEqual([1, 2, 3]);
  });

  test("a reader that waits is given the next envelope", async () => {
    const { host } = createTestBus();
    using subscription = host.subscribe("a");
    const reader = subscription[Symbol.asyncIterator]();
    const both = Promise.all([reader.next(), reader.next()]);
    host.publish("a", 1);
    host.publish("a", 2);
    expect((await both).map(({ value }) => value.data)).toEqual([1, 2]);
    expect(subscription.size).toBe(0);
  });

  test("a full queue drops its oldest by default, and counts", () => {
    const { host } = createTestBus();
    using subscription = host.subscribe("a", { capacity: 3 });
    for (let data = 1; data <= 10; data++) host.publish("a", data);
    expect([subscription.lagged, subscription.size]).toEqual([7, 3]);
    expect(drain(subscription)).toEqual([8, 9, 10]);
  });

  test("a full queue drops the newest if asked to, and counts", () => {
    const { host } = createTestBus();
    using subscription = host.subscribe("a", { capacity: 3, overflow: "drop-newest" });
    for (let data = 1; data <= 10; data++) host.publish("a", data);
    expect(subscription.lagged).toBe(7);
    expect(drain(subscription)).toEqual([1, 2, 3]);
  });

  test("under back-pressure publish() drops the newest, since it never waits", () => {
    const { host } = createTestBus();
    using subscription = host.subscribe("a", { capacity: 2, overflow: "back-pressure" });
    for (let data = 1; data <= 5; data++) host.publish("a", data);
    expect(subscription.lagged).toBe(3);
    expect(drain(subscription)).toEqual([1, 2]);
  });

  test("a subscriber that never reads holds 1024 envelopes and no more", () => {
    const { host } = createTestBus();
    using subscription = host.subscribe("a");
    for (let data = 0; data < 5000; data++) host.publish("a", data);
    expect([subscription.size, subscription.lagged]).toEqual([1024, 5000 - 1024]);
  });

  test("leaving the loop unsubscribes", async () => {
    const { host } = createTestBus();
    const subscription = host.subscribe("a");
    host.publish("a", 1);
    host.publish("a", 2);
    for await (const { data } of subscription) {
      expect(data).toBe(1);
      break;
    }
    host.publish("a", 3);
    expect(drain(subscription)).toEqual([2]);
  });

  test("a loop that throws unsubscribes too", async () => {
    const { host } = createTestBus();
    const subscription = host.subscribe("a");
    host.publish("a", 1);
    const failing = async (): Promise<void> => {
      for await (const _ of subscription) throw new Error("reader failed");
    };
    await expect(failing()).rejects.toThrow("reader failed");
    host.publish("a", 2);
    expect(subscription.size).toBe(0);
  });

  test("closing ends readers that wait, after what is queued, and may be done twice", async () => {
    const { host } = createTestBus();
    const subscription = host.subscribe("a");
    const reader = subscription[Symbol.asyncIterator]();
    const waiting = reader.next();
    subscription.close();
    subscription.close();
    expect(await waiting).toEqual({ value: undefined, done: true });
    expect(await reader.next()).toEqual({ value: undefined, done: true });
  });

  test("closing the bus ends all iterators after what is queued", async () => {
    const { bus, host, door } = createTestBus();
    const first = host.subscribe("a");
    const second = door("other").subscribe("b");
    host.publish("a", 1);
    const read = async (subscription: Subscription): Promise<Value[]> => {
      const data: Value[] = [];
      for await (const envelope of subscription) data.push(envelope.data);
      return data;
    };
    const all = Promise.all([read(first), read(second)]);
    await settle();
    host.publish("b", 2);
    bus.close();
    expect(await all).toEqual([[1], [2]]);
  });

  test.each([0, -1, 1.5, Number.NaN, "10"])("the capacity %s is refused with INVALID_OPTIONS", (capacity) => {
    const { host } = createTestBus();
    expect(thrownCode(() => host.subscribe("a", { capacity: capacity as number }))).toBe("INVALID_OPTIONS");
  });

  test("an unknown overflow policy is refused with INVALID_OPTIONS", () => {
    const { host } = createTestBus();
    expect(thrownCode(() => host.subscribe("a", { overflow: "block" as never }))).toBe("INVALID_OPTIONS");
  });
});

function abortable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

describe("send", () => {
  test("resolves at once when every queue has room, or nobody holds it up", async () => {
    const { host } = createTestBus();
    const heard: Value[] = [];
    host.on("a", ({ data }) => heard.push(data));
    await host.send("a", 1);
    using subscription = host.subscribe("a", { overflow: "back-pressure" });
    using dropping = host.subscribe("a", { capacity: 1 });
    await host.send("a", 2);
    await host.send("a", 3);
    expect(heard).toEqual([1, 2, 3]);
    expect(drain(subscription)).toEqual([2, 3]);
    expect(drain(dropping)).toEqual([3]);
  });

  test("waits for a full queue, and is let in first come, first served", async () => {
    const { host } = createTestBus();
    using subscription = host.subscribe("a", { capacity: 2, overflow: "back-pressure" });
    await host.send("a", 1);
    await host.send("a", 2);
    const order: number[] = [];
    const third = host.send("a", 3).then(() => order.push(3));
    const fourth = host.send("a", 4).then(() => order.push(4));
    expect(await isPending(third)).toBe(true);
    host.publish("a", 5);
    expect(subscription.lagged).toBe(1);
    expect(subscription.take()?.data).toBe(1);
    await third;
    expect(await isPending(fourth)).toBe(true);
    expect(drain(subscription)).toEqual([2, 3, 4]);
    await fourth;
    expect(order).toEqual([3, 4]);
  });

  test("listeners hear a sent envelope at once, however long it waits", async () => {
    const { host } = createTestBus();
    const heard: Value[] = [];
    using subscription = host.subscribe("a", { capacity: 1, overflow: "back-pressure" });
    host.on("a", ({ data }) => heard.push(data));
    await host.send("a", 1);
    const waiting = host.send("a", 2);
    expect(heard).toEqual([1, 2]);
    subscription.take();
    await waiting;
  });

  test("waits for all full queues", async () => {
    const { host } = createTestBus();
    using one = host.subscribe("a", { capacity: 1, overflow: "back-pressure" });
    using other = host.subscribe("*", { capacity: 1, overflow: "back-pressure" });
    await host.send("a", 1);
    const waiting = host.send("a", 2);
    one.take();
    expect(await isPending(waiting)).toBe(true);
    other.take();
    await waiting;
    expect([drain(one), drain(other)]).toEqual([[2], [2]]);
  });

  test("a reader's loop paces the sender: nothing is lost and the queue stays short", async () => {
    const { host } = createTestBus();
    const subscription = host.subscribe("a", { capacity: 4, overflow: "back-pressure" });
    const sending = (async () => {
      for (let data = 0; data < 500; data++) await host.send("a", data);
      subscription.close();
    })();
    const read: Value[] = [];
    for await (const { data } of subscription) {
      expect(subscription.size).toBeLessThanOrEqual(4);
      read.push(data);
    }
    await sending;
    expect(read).toEqual(Array.from({ length: 500 }, (_, data) => data));
    expect(subscription.lagged).toBe(0);
  });

  test("gives up at its time-out with DEADLINE_EXCEEDED and is withdrawn", async () => {
    const { host, platform } = createTestBus();
    using subscription = host.subscribe("a", { capacity: 1, overflow: "back-pressure" });
    await host.send("a", 1);
    const failed = rejection(host.send("a", 2, { timeoutMs: 50 }));
    await platform.clock.advance(50);
    expect((await failed).code).toBe("DEADLINE_EXCEEDED");
    expect(drain(subscription)).toEqual([1]);
    expect(platform.clock.pending).toBe(0);
  });

  test("gives up after 30,000 ms unless told otherwise", async () => {
    const { host, platform } = createTestBus();
    using _ = host.subscribe("a", { capacity: 1, overflow: "back-pressure" });
    await host.send("a", 1);
    const waiting = host.send("a", 2);
    await platform.clock.advance(29_999);
    expect(await isPending(waiting)).toBe(true);
    const failed = rejection(waiting);
    await platform.clock.advance(1);
    expect((await failed).code).toBe("DEADLINE_EXCEEDED");
  });

  test("gives up when its signal fires with ABORTED, and leaves no listener on it", async () => {
    const { host, platform } = createTestBus();
    using subscription = host.subscribe("a", { capacity: 1, overflow: "back-pressure" });
    await host.send("a", 1);
    const controller = new AbortController();
    const listeners = countListeners(controller.signal);
    const failed = rejection(host.send("a", 2, { signal: controller.signal }));
    expect(listeners()).toBe(1);
    controller.abort("enough");
    expect(await failed).toMatchObject({ code: "ABORTED", cause: "enough" });
    expect(listeners()).toBe(0);
    expect(platform.clock.pending).toBe(0);
    expect(drain(subscription)).toEqual([1]);
  });

  test("leaves no listener and no timer behind when it succeeds", async () => {
    const { host, platform } = createTestBus();
    using subscription = host.subscribe("a", { capacity: 1, overflow: "back-pressure" });
    const controller = new AbortController();
    const listeners = countListeners(controller.signal);
    await host.send("a", 1, { signal: controller.signal });
    const waiting = host.send("a", 2, { signal: controller.signal });
    subscription.take();
    await waiting;
    expect([listeners(), platform.clock.pending]).toEqual([0, 0]);
  });

  test("with a signal that has fired it publishes nothing", async () => {
    const { host } = createTestBus();
    let heard = 0;
    host.on("a", () => void heard++);
    expect((await rejection(host.send("a", 1, { signal: AbortSignal.abort() }))).code).toBe("ABORTED");
    expect(heard).toBe(0);
  });

  test("rejects with SUBSCRIPTION_CLOSED when a queue closes without it, once the others have it", async () => {
    const { host } = createTestBus();
    const leaving = host.subscribe("a", { capacity: 1, overflow: "back-pressure" });
    using staying = host.subscribe("a", { capacity: 1, overflow: "back-pressure" });
    await host.send("a", 1);
    const waiting = host.send("a", 2);
    const failed = rejection(waiting);
    leaving.close();
    expect(await isPending(waiting)).toBe(true);
    staying.take();
    expect((await failed).code).toBe("SUBSCRIPTION_CLOSED");
    expect(drain(staying)).toEqual([2]);
  });

  test("sends that wait are rejected when the bus closes", async () => {
    const { bus, host, platform } = createTestBus();
    host.subscribe("a", { capacity: 1, overflow: "back-pressure" });
    await host.send("a", 1);
    const failed = [rejection(host.send("a", 2)), rejection(host.send("a", 3))];
    bus.close();
    expect((await Promise.all(failed)).map(({ code }) => code)).toEqual(["KERNEL_CLOSED", "KERNEL_CLOSED"]);
    expect(platform.clock.pending).toBe(0);
    expect((await rejection(host.send("a", 4))).code).toBe("KERNEL_CLOSED");
  });

  test("a listener that throws or publishes during a send that may wait is as in any delivery", async () => {
    const { host, platform } = createTestBus();
    const heard: Value[] = [];
    host.on("a", () => {
      throw new Error("no");
    });
    host.on("a", ({ data }) => {
      heard.push(data);
      if (data === 1) host.publish("a", 2);
      if (data === 2) void host.send("a", 2.5);
    });
    using subscription = host.subscribe("a", { overflow: "back-pressure" });
    host.on("a", ({ data }) => heard.push(data));
    await host.send("a", 1);
    expect(heard).toEqual([1, 1, 2, 2, 2.5, 2.5]);
    expect(drain(subscription)).toEqual([1, 2, 2.5]);
    expect(platform.log.records).toHaveLength(3);
    // And the next is delivered at once.
    host.publish("a", 3);
    expect(heard.slice(6)).toEqual([3, 3]);
  });

  test("a send that is given up before its turn came waits for no queue", async () => {
    const { host } = createTestBus();
    using subscription = host.subscribe("b", { capacity: 1, overflow: "back-pressure" });
    const { signal, abort } = abortable();
    let sent: Promise<unknown> = Promise.resolve();
    host.on("a", () => {
      sent = rejection(host.send("b", 2, { signal }));
      abort();
    });
    await host.send("b", 1);
    host.publish("a", null);
    expect(await sent).toMatchObject({ code: "ABORTED" });
    expect(subscription.lagged).toBe(1);
    expect(drain(subscription)).toEqual([1]);
  });

  test("sent from a listener it waits for its turn and for the queue", async () => {
    const { host } = createTestBus();
    using subscription = host.subscribe("b", { capacity: 1, overflow: "back-pressure" });
    const results: Promise<void>[] = [];
    host.on("a", () => results.push(host.send("b", 1), host.send("b", 2)));
    host.publish("a", null);
    await results[0];
    expect(await isPending(results[1] as Promise<void>)).toBe(true);
    expect(subscription.take()?.data).toBe(1);
    await results[1];
    expect(drain(subscription)).toEqual([2]);
  });

  test("the kernel's own topics can be sent on by the kernel, and by nobody else", async () => {
    const { bus, host } = createTestBus();
    using subscription = host.subscribe("kernel.x", { capacity: 1, overflow: "back-pressure" });
    await bus.send("kernel.x", 1);
    expect((await rejection(host.send("kernel.x", 2))).code).toBe("DENIED");
    expect(drain(subscription)).toEqual([1]);
  });

  test.each([-1, Number.NaN, "5"])("the time-out %s is refused with INVALID_OPTIONS", async (timeoutMs) => {
    const { host } = createTestBus();
    const signal = {} as AbortSignal;
    expect((await rejection(host.send("a", 1, { signal }))).code).toBe("INVALID_OPTIONS");
    expect((await rejection(host.send("a", 1, { timeoutMs: timeoutMs as number }))).code).toBe(
      "INVALID_OPTIONS",
    );
    expect((await rejection(host.send("a..b", 1))).code).toBe("INVALID_TOPIC");
  });
});
