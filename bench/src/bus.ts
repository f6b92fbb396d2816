import { createBus, type KernelBus } from "@keelson/core";
import { platform } from "keelson";
import { createNanoEvents } from "nanoevents";
import { alternate, type Contender, OURS, type Task } from "./measure.ts";

/** Items held at most in the tasks with a queue. */
const CAPACITY = 64;
const payload = { value: 1 };
/** What subscribers do with what they hear, so that the call cannot be left out. */
let sink = 0;

const NANO = "nanoevents 9.1.0";
const RING = "bare ring";
const SETTLED = "ring, one settled promise awaited again and again";
const TRANSFORM = "ReadableStream of a TransformStream, written when ready";
const STREAM = "ReadableStream, enqueued while it has room";
const PULLING = "ReadableStream that pulls from a bounded queue";
const AWAITED = "ReadableStream, enqueued once it has room";

/**
 * Measures the bus beside nanoevents, a bare ring and the web's streams. The bus makes an envelope with a sequence number, a source and a time
 * for each publish; its peers pass on the bare value.
 */
export async function benchBus(rounds: number): Promise<readonly Task[]> {
  const { clock, random, log } = platform();
  const bus = createBus({ clock, random, log });
  const above = [{ against: [NANO], kind: "adds at most", target: 30 }] as const;
  const times = 100_000;
  const tasks = [
    await alternate("publish, 1 subscriber", emitters(bus, "one", 1, 1), { rounds, times }, above),
    await alternate("publish, 4 topics in turn", emitters(bus, "four", 4, 1), { rounds, times }, above),
    await alternate("publish, 1000 subscribers", emitters(bus, "many", 1, 1000), { rounds, times: 1000 }, [
      { against: [NANO], kind: "at most", target: 1.2 },
    ]),
    await alternate(
      "bounded async iteration",
      [ring(), settledRing(), subscription(bus), enqueued(), pulling(), pulled()],
      { rounds, times: 160 * CAPACITY },
      [
        { against: [RING], kind: "at most", target: 3 },
        { against: [STREAM], kind: "at least" },
        { against: [PULLING], kind: "at least" },
      ],
    ),
    await alternate(
      "the same, `take()` for what is queued",
      [taking(bus), enqueued(), pulling()],
      { rounds, times: 160 * CAPACITY },
      [
        { against: [STREAM], kind: "at least", target: 2 },
        { against: [PULLING], kind: "at least", target: 2 },
      ],
    ),
    await alternate(
      "bounded, writer waits for room",
      [sent(bus), written(), enqueuedInTime()],
      { rounds, times: 160 * CAPACITY },
      [
        { against: [TRANSFORM], kind: "at least", target: 2 },
        { against: [AWAITED], kind: "at least" },
      ],
    ),
  ];
  bus.close();
  return tasks;
}

// The contenders.

function emitters(bus: KernelBus, task: string, topics: number, subscribers: number): Contender[] {
  const emitter = createNanoEvents<Record<string, (data: typeof payload) => void>>();
  const names = Array.from({ length: topics }, (_, index) => `bench.${task}.${index}`);
  for (const name of names) {
    for (let count = 0; count < subscribers; count++) {
      emitter.on(name, (data) => {
        sink += data.value;
      });
      bus.on(name, (envelope) => {
        sink += (envelope.data as typeof payload).value;
      });
    }
  }
  return [
    {
      name: NANO,
      run(times) {
        for (let count = 0; count < times; count++) emitter.emit(names[count % topics] as string, payload);
      },
    },
    {
      name: OURS,
      run(times) {
        for (let count = 0; count < times; count++) bus.publish(names[count % topics] as string, payload);
      },
    },
  ];
}

/** Fills a queue of {@link CAPACITY} items and reads it empty by `for await`, again and again. */
async function inBatches(
  times: number,
  iterator: AsyncIterator<unknown>,
  push: (() => void) | undefined,
): Promise<void> {
  const batch = { [Symbol.asyncIterator]: () => ({ next: () => iterator.next() }) };
  for (let done = 0; done < times; done += CAPACITY) {
    if (push !== undefined) for (let count = 0; count < CAPACITY; count++) push();
    let count = 0;
    for await (const _ of batch) {
      sink++;
      if (++count === CAPACITY) break;
    }
  }
}

/** The least that a bounded queue with an async iterator can do. */
function ring(): Contender {
  return ringOf(RING, (value) => Promise.resolve({ value, done: false }));
}

/** What no queue can go below: a turn of `for await` by itself, with neither a promise nor a result made for it. */
function settledRing(): Contender {
  const settled = Promise.resolve({ value: payload, done: false });
  return ringOf(SETTLED, () => settled);
}

function ringOf(name: string, result: (value: unknown) => Promise<IteratorResult<unknown>>): Contender {
  const slots: unknown[] = new Array<unknown>(CAPACITY).fill(undefined);
  let head = 0;
  let size = 0;
  const push = (): void => {
    if (size === CAPACITY) return;
    slots[(head + size++) % CAPACITY] = payload;
  };
  const items: AsyncIterator<unknown> = {
    next() {
      const value = slots[head];
      slots[head] = undefined;
      head = (head + 1) % CAPACITY;
      size--;
      return result(value);
    },
  };
  return { name, run: (times) => inBatches(times, items, push) };
}

function subscription(bus: KernelBus): Contender {
  const items = bus.subscribe("bench.queue", { capacity: CAPACITY })[Symbol.asyncIterator]();
  return {
    name: OURS,
    run: (times) => inBatches(times, items, () => bus.publish("bench.queue", payload)),
  };
}

/** A loop that awaits only where the queue is empty, and else takes what is there. A stream's reader has no such way: it awaits each item. */
function taking(bus: KernelBus): Contender {
  const queue = bus.subscribe("bench.taken", { capacity: CAPACITY });
  const items = queue[Symbol.asyncIterator]();
  const untilEmpty = { [Symbol.asyncIterator]: () => ({ next: () => items.next() }) };
  return {
    name: OURS,
    async run(times) {
      for (let done = 0; done < times; done += CAPACITY) {
        for (let count = 0; count < CAPACITY; count++) bus.publish("bench.taken", payload);
        let count = 0;
        for await (const _ of untilEmpty) {
          do {
            sink++;
            count++;
          } while (queue.take() !== undefined);
          if (count === CAPACITY) break;
        }
      }
    },
  };
}

/** A ReadableStream that someone outside feeds, who looks whether there is room: the web's likeness of a bounded subscription. */
function enqueued(): Contender {
  let controller: ReadableStreamDefaultController<unknown> | undefined;
  const stream = new ReadableStream<unknown>(
    { start: (given) => void (controller = given) },
    { highWaterMark: CAPACITY },
  );
  const items = stream[Symbol.asyncIterator]();
  const push = (): void => {
    if ((controller?.desiredSize ?? 0) > 0) controller?.enqueue(payload);
  };
  return { name: STREAM, run: (times) => inBatches(times, items, push) };
}

/** A ReadableStream over a bounded queue that others fill: it asks for the next item by `pull`, which waits where there is none. */
function pulling(): Contender {
  const queue: unknown[] = [];
  let arrived: (() => void) | undefined;
  const stream = new ReadableStream<unknown>(
    {
      pull(controller) {
        if (queue.length > 0) return controller.enqueue(queue.shift());
        return new Promise<void>((resolve) => {
          arrived = () => resolve(controller.enqueue(queue.shift()));
        });
      },
    },
    { highWaterMark: CAPACITY },
  );
  const items = stream[Symbol.asyncIterator]();
  const push = (): void => {
    if (queue.length === CAPACITY) return;
    queue.push(payload);
    const wake = arrived;
    arrived = undefined;
    wake?.();
  };
  return { name: PULLING, run: (times) => inBatches(times, items, push) };
}

/**
 * A ReadableStream is bounded by asking its source for more; what is enqueued unasked knows no bound. This one has no writer: the item is
 * made when it is asked for, so it shows what reading alone costs.
 */
function pulled(): Contender {
  const stream = new ReadableStream(
    { pull: (controller) => controller.enqueue(payload) },
    { highWaterMark: CAPACITY },
  );
  const items = stream[Symbol.asyncIterator]();
  return { name: "ReadableStream, pulled", run: (times) => inBatches(times, items, undefined) };
}

async function paced(
  times: number,
  items: AsyncIterator<unknown>,
  push: () => Promise<unknown>,
): Promise<void> {
  const writing = (async () => {
    for (let done = 0; done < times; done += CAPACITY)
      for (let count = 0; count < CAPACITY; count++) await push();
  })();
  await inBatches(times, items, undefined);
  await writing;
}

function sent(bus: KernelBus): Contender {
  const items = bus
    .subscribe("bench.paced", { capacity: CAPACITY, overflow: "back-pressure" })
    [Symbol.asyncIterator]();
  return { name: OURS, run: (times) => paced(times, items, () => bus.send("bench.paced", payload)) };
}

/** A ReadableStream that someone else writes to, with a bound: the readable side of a TransformStream, as the web has it. */
function written(): Contender {
  const { readable, writable } = new TransformStream(
    {},
    { highWaterMark: CAPACITY },
    { highWaterMark: CAPACITY },
  );
  const writer = writable.getWriter();
  const items = readable[Symbol.asyncIterator]();
  const push = async (): Promise<void> => {
    await writer.ready;
    void writer.write(payload);
  };
  return { name: TRANSFORM, run: (times) => paced(times, items, push) };
}

/** The least that holds a writer up without a TransformStream: he looks at `desiredSize`, and waits for the next `pull` where there is no room. */
function enqueuedInTime(): Contender {
  let controller: ReadableStreamDefaultController<unknown> | undefined;
  let room: (() => void) | undefined;
  const stream = new ReadableStream<unknown>(
    {
      start: (given) => void (controller = given),
      pull() {
        room?.();
        room = undefined;
      },
    },
    { highWaterMark: CAPACITY },
  );
  const items = stream[Symbol.asyncIterator]();
  const push = async (): Promise<void> => {
    if ((controller?.desiredSize ?? 0) <= 0) await new Promise<void>((resolve) => (room = resolve));
    controller?.enqueue(payload);
  };
  return { name: AWAITED, run: (times) => paced(times, items, push) };
}
