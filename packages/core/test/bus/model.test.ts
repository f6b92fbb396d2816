import fc from "fast-check";
import { expect, test } from "vitest";
import type { BusDoor } from "../../src/bus/index.ts";
import { fits } from "../../src/bus/topics.ts";
import type { Envelope, OverflowPolicy, Subscription } from "../../src/contract/bus.ts";
import type { Value } from "../../src/contract/value.ts";
import { createMetrics } from "../../src/metrics/index.ts";
import { settle } from "../../src/testing/index.ts";
import { codeOf } from "../support/errors.ts";
import { countListeners, createTestBus } from "./harness.ts";

// The bus against a model of a few lines: lists instead of routes and rings, everything looked for by trying all.

const TOPICS = ["a.x", "a.y", "b.x", "b.y.z"];
const PATTERNS = [...TOPICS, "a.*", "*.x", "**", "b.**"];
const DOORS = 3;

interface Data {
  /** Which publish it was, and through which listeners it came. */
  readonly path: string;
  /** How often listeners may pass it on. */
  readonly echoes: number;
}

interface ModelSend {
  readonly door: number;
  readonly holders: Set<ModelSink>;
  left: boolean;
  outcome: string;
}

interface ModelSink {
  readonly name: string;
  readonly door: number;
  readonly pattern: string;
  /** Topic on which a listener passes on what it hears. */
  readonly echo: string | undefined;
  readonly once: boolean;
  readonly queue: { readonly capacity: number; readonly overflow: OverflowPolicy } | undefined;
  closed: boolean;
  heard: string[];
  queued: string[];
  held: { path: string; send: ModelSend }[];
  lagged: number;
}

/** What the bus should do. */
class Model {
  readonly live: boolean[] = [true, true, false];
  readonly open: boolean[] = [true, true, true];
  readonly sinks: ModelSink[] = [];
  readonly sends: ModelSend[] = [];
  attached: ModelSink[] = [];

  add(sink: ModelSink): void {
    this.sinks.push(sink);
    if (this.live[sink.door]) this.attached.push(sink);
  }

  publish(topic: string, data: Data, send?: ModelSend): void {
    const matching = (on: string): ModelSink[] =>
      this.attached.filter(({ pattern }) => fits(pattern.split("."), on.split(".")));
    const following = [{ data, send, sinks: matching(topic) }];
    for (const { data: now, send: sender, sinks } of following) {
      for (const sink of sinks) {
        if (!this.attached.includes(sink)) continue;
        if (sink.queue !== undefined) this.offer(sink, now.path, sender);
        else sink.heard.push(now.path);
        if (sink.echo !== undefined && now.echoes > 0) {
          const next = { path: `${now.path}>${sink.name}`, echoes: now.echoes - 1 };
          following.push({ data: next, send: undefined, sinks: matching(sink.echo) });
        }
        if (sink.once) this.close(sink);
      }
    }
  }

  offer(sink: ModelSink, path: string, send: ModelSend | undefined): void {
    const { capacity, overflow } = sink.queue as NonNullable<ModelSink["queue"]>;
    if (sink.queued.length < capacity) {
      sink.queued.push(path);
    } else if (overflow === "back-pressure" && send !== undefined) {
      sink.held.push({ path, send });
      send.holders.add(sink);
    } else {
      sink.lagged++;
      if (overflow === "drop-oldest") {
        sink.queued.shift();
        sink.queued.push(path);
      }
    }
  }

  take(sink: ModelSink): string | undefined {
    const path = sink.queued.shift();
    const admitted = path === undefined ? undefined : sink.held.shift();
    if (admitted !== undefined) {
      sink.queued.push(admitted.path);
      admitted.send.holders.delete(sink);
      this.settle(admitted.send);
    }
    return path;
  }

  close(sink: ModelSink): void {
    if (sink.closed) return;
    sink.closed = true;
    this.attached = this.attached.filter((other) => other !== sink);
    for (const { send } of sink.held.splice(0)) {
      send.holders.delete(sink);
      send.left = true;
      this.settle(send);
    }
  }

  settle(send: ModelSend): void {
    if (send.outcome === "pending" && send.holders.size === 0)
      send.outcome = send.left ? "SUBSCRIPTION_CLOSED" : "done";
  }

  withdraw(send: ModelSend, outcome: string): void {
    if (send.outcome !== "pending") return;
    send.outcome = outcome;
    for (const sink of send.holders) sink.held = sink.held.filter((held) => held.send !== send);
    send.holders.clear();
  }

  setLive(door: number, live: boolean): void {
    if (!this.open[door] || this.live[door] === live) return;
    this.live[door] = live;
    const own = this.sinks.filter((sink) => sink.door === door && !sink.closed);
    this.attached = live ? [...this.attached, ...own] : this.attached.filter((sink) => sink.door !== door);
  }

  closeDoor(door: number): void {
    this.open[door] = false;
    this.live[door] = false;
    for (const sink of this.sinks) {
      if (sink.door !== door) continue;
      if (!sink.closed) sink.queued = [];
      this.close(sink);
    }
    for (const send of this.sends) if (send.door === door) this.withdraw(send, "DOOR_CLOSED");
  }
}

const index = fc.nat({ max: 50 });
const door = fc.nat({ max: DOORS - 1 });
const topic = fc.constantFrom(...TOPICS);
const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("listen" as const),
      door,
      pattern: fc.constantFrom(...PATTERNS),
      echo: fc.option(topic, { nil: undefined, freq: 3 }),
      once: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("subscribe" as const),
      door,
      pattern: fc.constantFrom(...PATTERNS),
      capacity: fc.integer({ min: 1, max: 4 }),
      overflow: fc.constantFrom<OverflowPolicy>("drop-oldest", "drop-newest", "back-pressure"),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({ type: fc.constant("publish" as const), door, topic, echoes: fc.nat({ max: 2 }) }),
  },
  { weight: 8, arbitrary: fc.record({ type: fc.constant("send" as const), door, topic }) },
  { weight: 12, arbitrary: fc.record({ type: fc.constant("take" as const), index }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("close" as const), index }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("abort" as const), index }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("time-out" as const) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("activate" as const), door }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("deactivate" as const), door }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("close door" as const), door }) },
);

interface RealSink {
  readonly handle: Disposable;
  readonly subscription: Subscription | undefined;
  readonly heard: string[];
  /** Sequence number of the last envelope heard or taken. */
  lastSeq: number;
}

test(
  "a bus does what the model says, whatever is done to it: order is kept, only what is counted is lost, nothing is left behind",
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 10, maxLength: 90 }), async (operations) => {
        const metrics = createMetrics();
        const { platform, bus, door: openDoor } = createTestBus({ metrics });
        const doors: BusDoor[] = [openDoor("m0"), openDoor("m1"), openDoor("m2", false)];
        const model = new Model();
        const real: RealSink[] = [];
        const outcomes: string[] = [];
        const controllers: AbortController[] = [];
        const listenerCounts: (() => number)[] = [];

        const ordered = (sink: RealSink, envelope: Envelope): string => {
          expect(envelope.seq).toBeGreaterThan(sink.lastSeq);
          sink.lastSeq = envelope.seq;
          return (envelope.data as unknown as Data).path;
        };

        for (const [count, step] of operations.entries()) {
          const name = `${count}`;
          const at = "door" in step ? step.door : 0;
          const its = doors[at] as BusDoor;
          if ("door" in step && !model.open[at] && step.type !== "close door") continue;
          if (step.type === "listen") {
            const { pattern, echo, once } = step;
            const sink: ModelSink = {
              ...{ name, door: at, pattern, echo, once, queue: undefined, closed: false },
              ...{ heard: [], queued: [], held: [], lagged: 0 },
            };
            const entry: RealSink = {
              subscription: undefined,
              heard: [],
              lastSeq: 0,
              handle: its.on(pattern, (envelope) => {
                const { path, echoes } = envelope.data as unknown as Data;
                entry.heard.push(ordered(entry, envelope));
                if (echo !== undefined && echoes > 0) {
                  its.publish(echo, { path: `${path}>${name}`, echoes: echoes - 1 });
                }
                if (once) entry.handle[Symbol.dispose]();
              }),
            };
            real.push(entry);
            model.add(sink);
          } else if (step.type === "subscribe") {
            const { pattern, capacity, overflow } = step;
            const subscription = its.subscribe(pattern, { capacity, overflow });
            real.push({ subscription, handle: subscription, heard: [], lastSeq: 0 });
            model.add({
              ...{
                name,
                door: at,
                pattern,
                echo: undefined,
                once: false,
                queue: { capacity, overflow },
                closed: false,
              },
              ...{ heard: [], queued: [], held: [], lagged: 0 },
            });
          } else if (step.type === "publish") {
            const data: Data = { path: name, echoes: step.echoes };
            its.publish(step.topic, data as unknown as Value);
            model.publish(step.topic, data);
          } else if (step.type === "send") {
            const controller = new AbortController();
            const at2 = outcomes.push("pending") - 1;
            listenerCounts.push(countListeners(controller.signal));
            controllers.push(controller);
            its
              .send(step.topic, { path: name, echoes: 0 }, { signal: controller.signal, timeoutMs: 1000 })
              .then(
                () => (outcomes[at2] = "done"),
                (error: unknown) => (outcomes[at2] = codeOf(error)),
              );
            const send: ModelSend = { door: at, holders: new Set(), left: false, outcome: "pending" };
            model.sends.push(send);
            model.publish(step.topic, { path: name, echoes: 0 }, send);
            model.settle(send);
          } else if (step.type === "take" && real.length > 0) {
            const which = step.index % real.length;
            const entry = real[which] as RealSink;
            const envelope = entry.subscription?.take();
            const path = envelope === undefined ? undefined : ordered(entry, envelope);
            if (entry.subscription !== undefined)
              expect(path).toBe(model.take(model.sinks[which] as ModelSink));
          } else if (step.type === "close" && real.length > 0) {
            const which = step.index % real.length;
            real[which]?.handle[Symbol.dispose]();
            model.close(model.sinks[which] as ModelSink);
          } else if (step.type === "abort" && controllers.length > 0) {
            const which = step.index % controllers.length;
            controllers[which]?.abort();
            model.withdraw(model.sends[which] as ModelSend, "ABORTED");
          } else if (step.type === "time-out") {
            await platform.clock.advance(1000);
            for (const send of model.sends) model.withdraw(send, "DEADLINE_EXCEEDED");
          } else if (step.type === "activate") {
            its.activate();
            model.setLive(at, true);
          } else if (step.type === "deactivate") {
            its.deactivate();
            model.setLive(at, false);
          } else if (step.type === "close door") {
            its.close();
            model.closeDoor(at);
          }
          await settle(4);
          for (const [which, sink] of model.sinks.entries()) {
            const { subscription, heard } = real[which] as RealSink;
            expect(heard).toEqual(sink.heard);
            if (subscription === undefined) continue;
            expect(subscription.size).toBe(sink.queued.length);
            expect(subscription.size).toBeLessThanOrEqual(sink.queue?.capacity ?? 0);
            expect(subscription.lagged).toBe(sink.lagged);
          }
          expect(outcomes).toEqual(model.sends.map(({ outcome }) => outcome));
          expect(metrics.text()).toContain(`keelson_bus_listeners ${model.attached.length}\n`);
        }

        for (const its of doors) its.close();
        bus.close();
        await settle();
        expect(outcomes).not.toContain("pending");
        expect(listenerCounts.map((listeners) => listeners())).toEqual(listenerCounts.map(() => 0));
        expect(platform.clock.pending).toBe(0);
        expect(metrics.text()).toContain("keelson_bus_listeners 0\n");
        expect(platform.log.records).toEqual([]);
      }),
      { numRuns: 150 },
    );
  },
);
