import {
  nativeModule,
  type BusOptions,
  type Envelope,
  type KernelBus,
  type ModuleContext,
  type Value,
} from "@keelson/core";
import { ensure, ensureCode, ensureEqual, handled, type Check, type CheckContext } from "../check.ts";
import type { Subject } from "../subject.ts";
import { never, openKernel } from "./kernel-setup.ts";

/** A bus on the subject's platform; closed when the check ends. */
function openBus(subject: Subject, context: CheckContext, options: Partial<BusOptions> = {}): KernelBus {
  const { clock, random } = subject.platform();
  const bus = subject.createBus({ clock, random, log: { write() {} }, ...options });
  context.defer(() => bus.close());
  return bus;
}

/** What listens, and what it has heard. */
function hear(bus: KernelBus, pattern: string): { readonly heard: Envelope[]; readonly handle: Disposable } {
  const heard: Envelope[] = [];
  return { heard, handle: bus.on(pattern, (envelope) => void heard.push(envelope)) };
}

const dataOf = (envelopes: readonly Envelope[]): readonly Value[] => envelopes.map(({ data }) => data);

/** Checks of the bus: order, queues, requests, rights and the log. */
export const busChecks: readonly Check[] = [
  {
    id: "bus.order",
    title:
      "everyone hears envelopes in one order, numbered without a gap, also those that a listener publishes in between",
    async run(subject, context) {
      const bus = openBus(subject, context);
      const first = hear(bus, "a.*");
      bus.on("a.one", ({ data }) => {
        if (data === 1) bus.publish("a.two", "reply");
      });
      const last = hear(bus, "a.*");
      const data = { text: "the very object" };
      bus.publish("a.one", 1);
      bus.publish("a.one", data);
      ensureEqual(dataOf(first.heard), [1, "reply", data], "what the first listener heard");
      ensureEqual(dataOf(last.heard), [1, "reply", data], "what the last listener heard");
      ensure(first.heard[2]?.data === data, "the data was copied");
      const [one, two, three] = first.heard as [Envelope, Envelope, Envelope];
      ensureEqual([two.seq - one.seq, three.seq - two.seq], [1, 1], "steps of seq");
      ensure(one.timestamp <= two.timestamp && two.timestamp <= three.timestamp, "timestamps go back");
      ensureEqual(new Set(first.heard.map(({ id }) => id)).size, 3, "different ids");
      first.handle[Symbol.dispose]();
      bus.publish("a.one", 4);
      ensureEqual(
        [first.heard.length, last.heard.length],
        [3, 4],
        "envelopes heard after one stopped listening",
      );
    },
  },
  {
    id: "bus.patterns",
    title: "* stands for one word, a last ** for one or more; what is not well formed is INVALID_TOPIC",
    async run(subject, context) {
      const bus = openBus(subject, context);
      const patterns = ["a.b", "a.*", "a.**", "*.b", "**", "*"];
      const listeners = patterns.map((pattern) => hear(bus, pattern));
      for (const topic of ["a.b", "a.c", "a.b.c", "a", "x.b"]) bus.publish(topic, topic);
      ensureEqual(
        listeners.map(({ heard }) => dataOf(heard)),
        [
          ["a.b"],
          ["a.b", "a.c"],
          ["a.b", "a.c", "a.b.c"],
          ["a.b", "x.b"],
          ["a.b", "a.c", "a.b.c", "a", "x.b"],
          ["a"],
        ],
        "what was heard",
      );
      for (const topic of ["", "a..b", "a b", ".a", "a.*", "**"]) {
        await ensureCode(() => bus.publish(topic, 1), "INVALID_TOPIC", `publish on ${JSON.stringify(topic)}`);
      }
      for (const pattern of ["", "a..b", "**.a", "a*"]) {
        await ensureCode(() => bus.on(pattern, () => {}), "INVALID_TOPIC", `on ${JSON.stringify(pattern)}`);
      }
    },
  },
  {
    id: "bus.listener-fails-alone",
    title:
      "a listener that throws, whatever it throws, hits neither the publisher nor the others, and is kept",
    async run(subject, context) {
      const bus = openBus(subject, context);
      let threw = 0;
      for (const thrown of [undefined, new Error("on purpose"), null]) {
        bus.on("a", () => {
          threw++;
          throw thrown;
        });
      }
      const { heard } = hear(bus, "a");
      bus.publish("a", 1);
      bus.publish("a", 2);
      ensureEqual(dataOf(heard), [1, 2], "what another listener heard");
      ensureEqual(threw, 6, "calls of those that throw");
    },
  },
  {
    id: "bus.bounded-queues",
    title:
      "a subscriber that never reads costs its capacity: the oldest or the newest is dropped, as it chose, and lagged counts",
    async run(subject, context) {
      const bus = openBus(subject, context);
      const oldest = bus.subscribe("a", { capacity: 3 });
      const newest = bus.subscribe("a", { capacity: 3, overflow: "drop-newest" });
      const pressed = bus.subscribe("a", { capacity: 3, overflow: "back-pressure" });
      const unread = bus.subscribe("a");
      for (let n = 0; n < 2000; n++) bus.publish("a", n);
      const all = [oldest, newest, pressed];
      ensureEqual(
        all.map(({ size, lagged }) => [size, lagged]),
        [
          [3, 1997],
          [3, 1997],
          [3, 1997],
        ],
        "size and lagged",
      );
      ensureEqual([unread.size, unread.lagged], [1024, 976], "size and lagged without a capacity");
      ensureEqual(
        all.map((queue) => [queue.take()?.data, queue.take()?.data, queue.take()?.data, queue.take()?.data]),
        [
          [1997, 1998, 1999, undefined],
          [0, 1, 2, undefined],
          [0, 1, 2, undefined],
        ],
        "what they hold",
      );
    },
  },
  {
    id: "bus.iteration",
    title:
      "a subscription is read by iteration: in order, to the end of what is queued after close(), and leaving the loop unsubscribes",
    async run(subject, context) {
      const bus = openBus(subject, context);
      const left = bus.subscribe("a");
      const closed = bus.subscribe("a");
      const read = handled(
        (async () => {
          const data: Value[] = [];
          for await (const envelope of closed) data.push(envelope.data);
          return data;
        })(),
      );
      await Promise.resolve();
      for (let n = 0; n < 5; n++) bus.publish("a", n);
      closed.close();
      bus.publish("a", 5);
      ensureEqual(await read, [0, 1, 2, 3, 4], "what was read");
      for await (const { data } of left) {
        ensureEqual(data, 0, "the first envelope");
        break;
      }
      const waiting = left.size;
      bus.publish("a", 6);
      ensureEqual(left.size, waiting, "envelopes queued after the loop was left");
    },
  },
  {
    id: "bus.back-pressure",
    title:
      "send() resolves when every back-pressured queue has taken it in, in order; at its time-out or abort it is withdrawn",
    async run(subject, context) {
      const bus = openBus(subject, context);
      const queue = bus.subscribe("a", { capacity: 1, overflow: "back-pressure" });
      await bus.send("a", 1);
      const done: number[] = [];
      const sent = [2, 3].map((n) => handled(bus.send("a", n).then(() => void done.push(n))));
      const controller = new AbortController();
      const aborted = ensureCode(
        bus.send("a", 4, { signal: controller.signal }),
        "ABORTED",
        "an aborted send",
      );
      await ensureCode(bus.send("a", 5, { timeoutMs: 10 }), "DEADLINE_EXCEEDED", "a send with 10 ms");
      controller.abort();
      await aborted;
      ensureEqual(done, [], "sends that were done while the queue was full");
      const taken: Value[] = [];
      for (let n = 0; n < 3; n++) {
        taken.push(queue.take()?.data);
        await sent[n];
      }
      ensureEqual(taken, [1, 2, 3], "what was taken");
      ensureEqual(done, [2, 3], "sends done");
      ensureEqual([queue.size, queue.lagged], [0, 0], "size and lagged");
    },
  },
  {
    id: "bus.request",
    title:
      "a request is answered by who responds on its topic; nobody, two of them, a failure, a time-out and an abort each have a code",
    async run(subject, context) {
      const bus = openBus(subject, context);
      await ensureCode(bus.request("q", 1), "NO_RESPONDER", "a request that nobody answers");
      const handle = bus.respond("q", (data) => (data as number) + 1);
      ensureEqual(await bus.request("q", 1), 2, "the answer");
      await ensureCode(() => bus.respond("q", () => 0), "DUPLICATE_RESPONDER", "a second responder");
      handle[Symbol.dispose]();
      await ensureCode(bus.request("q", 1), "NO_RESPONDER", "a request after the responder left");
      for (const thrown of [new Error("on purpose"), undefined]) {
        const responder = bus.respond("bad", () => {
          throw thrown;
        });
        const error = await ensureCode(bus.request("bad", 1), "REQUEST_FAILED", "a responder that throws");
        ensure(error.cause === thrown, "the cause was lost");
        responder[Symbol.dispose]();
      }
      const signals: AbortSignal[] = [];
      bus.respond("hung", (_, { signal }) => (signals.push(signal), never()));
      await ensureCode(
        bus.request("hung", 1, { timeoutMs: 10 }),
        "DEADLINE_EXCEEDED",
        "a request with 10 ms",
      );
      const controller = new AbortController();
      const aborted = ensureCode(
        bus.request("hung", 1, { signal: controller.signal }),
        "ABORTED",
        "an aborted request",
      );
      await Promise.resolve();
      controller.abort();
      await aborted;
      ensureEqual(
        signals.map((signal) => signal.aborted),
        [true, true],
        "whether the responder learns of it",
      );
    },
  },
  {
    id: "bus.replies-matched",
    title: "each asker gets its own reply, in whatever order the answers come",
    async run(subject, context) {
      const bus = openBus(subject, context);
      const open: { readonly data: Value; readonly id: string; answer(value: Value): void }[] = [];
      bus.respond(
        "q",
        (data, { correlationId }) => new Promise((answer) => open.push({ data, id: correlationId, answer })),
      );
      const asked = Array.from({ length: 100 }, (_, n) => handled(bus.request("q", n)));
      for (let turn = 0; turn < 100 && open.length < 100; turn++) await Promise.resolve();
      ensureEqual(new Set(open.map(({ id }) => id)).size, 100, "different correlation ids");
      for (const { data, answer } of open.toReversed()) answer(`answer to ${data as number}`);
      ensureEqual(
        await Promise.all(asked),
        asked.map((_, n) => `answer to ${n}`),
        "answers",
      );
    },
  },
  {
    id: "bus.replay",
    title:
      "the log is in the order (timestamp, id, source), bounded, and goes on behind a cursor; one it has forgotten is CURSOR_EXPIRED",
    async run(subject, context) {
      const bus = openBus(subject, context, { logCapacity: 5, logged: ["news.**"] });
      for (let n = 0; n < 3; n++) bus.publish("news.x", n);
      bus.publish("other", "not kept");
      const [first, second] = bus.events() as [Envelope, Envelope];
      ensureEqual(dataOf(bus.events()), [0, 1, 2], "what is kept");
      ensureEqual(dataOf(bus.events(second)), [2], "what is behind the second");
      const plain = JSON.parse(
        JSON.stringify({ timestamp: second.timestamp, id: second.id, source: second.source }),
      ) as Envelope;
      const behind = bus.subscribe("news.*", { from: plain });
      bus.publish("news.x", 3);
      ensureEqual(
        [behind.take()?.data, behind.take()?.data, behind.take()?.data],
        [2, 3, undefined],
        "what a subscription from a cursor gets",
      );
      for (let n = 4; n < 9; n++) bus.publish("news.x", n);
      ensureEqual(dataOf(bus.events()), [4, 5, 6, 7, 8], "what is kept of many");
      await ensureCode(() => bus.events(first), "CURSOR_EXPIRED", "a cursor that is too old");
    },
  },
  {
    id: "bus.close",
    title:
      "close() ends iterations after what is queued, rejects what waits and every later use with KERNEL_CLOSED; twice is fine",
    async run(subject, context) {
      const bus = openBus(subject, context);
      const queue = bus.subscribe("a", { capacity: 1, overflow: "back-pressure" });
      bus.publish("a", 1);
      bus.respond("hung", never);
      const waiting = [
        ensureCode(bus.send("a", 2), "KERNEL_CLOSED", "a send that waits"),
        ensureCode(bus.request("hung", 1), "KERNEL_CLOSED", "a request that waits"),
      ];
      bus.close();
      bus.close();
      await Promise.all(waiting);
      const rest: Value[] = [];
      for await (const { data } of queue) rest.push(data);
      ensureEqual(rest, [1], "what was still read");
      await ensureCode(() => bus.publish("a", 3), "KERNEL_CLOSED", "a publish afterwards");
      await ensureCode(async () => bus.request("hung", 1), "KERNEL_CLOSED", "a request afterwards");
    },
  },
  {
    id: "bus.door",
    title: "what a module publishes carries its own id, and the kernel's topics are DENIED to it",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      let given: ModuleContext | undefined;
      await kernel.register(nativeModule({ id: "m", start: (module) => void (given = module) }));
      await kernel.start("m");
      const { bus } = given as unknown as ModuleContext;
      const sources: string[] = [];
      kernel.bus.on("**", ({ source }) => void sources.push(source));
      bus.publish("news", 1);
      for (const topic of ["module.stopped", "kernel.x", "supervisor.x"]) {
        await ensureCode(
          () => bus.publish(topic, { id: "other" }),
          "DENIED",
          `a module's publish on ${topic}`,
        );
      }
      ensureEqual(sources, ["m"], "sources of what was heard");
    },
  },
];
