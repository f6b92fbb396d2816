import { performance } from "node:perf_hooks";
import { createBus, type KernelBus } from "@keelson/core";
import { createNanoEvents } from "nanoevents";

/** One line of the table: a contender at one task. */
export interface BusRow {
  readonly task:
    | "publish, 1 subscriber"
    | "publish, 4 topics in turn"
    | "publish, 1000 subscribers"
    | "bounded async iteration"
    | "bounded, writer waits for room";
  readonly contender: string;
  /** Median of the rounds, ns a publish or an item. */
  readonly ns: number;
  /** The claim that the row carries, with its outcome. */
  readonly claim?: { readonly text: string; readonly ratio: number; readonly holds: boolean };
}

export interface BusBenchOptions {
  /** Rounds; in each, every contender has its turn. Default 41. */
  readonly rounds?: number;
  /** Publishes of one turn. Default 100,000 with one subscriber; fewer where one costs more. */
  readonly publishes?: number;
}

interface Contender {
  readonly name: string;
  /** Does the task `times` over. */
  run(times: number): Promise<void> | void;
}

type Rows = ReadonlyMap<string, number>;

/** Items held at most in the tasks with a queue. */
const CAPACITY = 64;
const payload = { value: 1 };
/** What subscribers do with what they hear, so that the call cannot be left out. */
let sink = 0;

/**
 * Measures the bus beside nanoevents, a bare ring and the web's streams, in one process, in alternating rounds. The bus makes an envelope
 * with a sequence number, a source and a time for each publish; its peers pass on the bare value.
 */
export async function benchBus(options: BusBenchOptions = {}): Promise<readonly BusRow[]> {
  const { rounds = 41, publishes = 100_000 } = options;
  const rows: BusRow[] = [];
  const add = (
    task: BusRow["task"],
    medians: Rows,
    claim: (own: number) => NonNullable<BusRow["claim"]>,
  ): void => {
    for (const [contender, ns] of medians) {
      rows.push({ task, contender, ns, ...(contender === "keelson" ? { claim: claim(ns) } : {}) });
    }
  };
  const bus = createBus({
    clock,
    random: { number: Math.random, id: () => crypto.randomUUID() },
    log: { write() {} },
  });

  for (const [task, topics, subscribers, times] of [
    ["publish, 1 subscriber", 1, 1, publishes],
    ["publish, 4 topics in turn", 4, 1, publishes],
    ["publish, 1000 subscribers", 1, 1000, Math.ceil(publishes / 500)],
  ] as const) {
    const medians = await alternate(emitters(bus, task, topics, subscribers), rounds, times);
    const peer = medians.get("nanoevents") as number;
    add(task, medians, (own) =>
      subscribers === 1
        ? { text: "at most 30 ns above nanoevents", ratio: own - peer, holds: own - peer <= 30 }
        : { text: "at most 1.2× nanoevents", ratio: own / peer, holds: own / peer <= 1.2 },
    );
  }

  const items = Math.ceil(publishes / 10);
  const read = await alternate([ring(), subscription(bus), pulled()], rounds, items);
  const floor = read.get("floor") as number;
  add("bounded async iteration", read, (own) => ({
    text: "at most 3× a bare ring",
    ratio: own / floor,
    holds: own <= 3 * floor,
  }));
  const paced = await alternate([sent(bus), written()], rounds, items);
  add("bounded, writer waits for room", paced, (own) => {
    const ratio = (paced.get("ReadableStream, written to") as number) / own;
    return { text: "at least 2× faster than ReadableStream", ratio, holds: ratio >= 2 };
  });
  bus.close();
  return rows;
}

const clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms: number, run: () => void) {
    const timer = setTimeout(run, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

async function alternate(contenders: readonly Contender[], rounds: number, times: number): Promise<Rows> {
  const taken = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  // The first round warms up and is not counted.
  for (let round = -1; round < rounds; round++) {
    for (const { name, run } of contenders) {
      const begin = performance.now();
      const running = run(times);
      if (running !== undefined) await running;
      if (round >= 0) taken.get(name)?.push(((performance.now() - begin) * 1e6) / times);
    }
  }
  return new Map(
    [...taken].map(([name, all]) => [name, all.sort((one, other) => one - other)[all.length >> 1] as number]),
  );
}

// The contenders.

function emitters(bus: KernelBus, task: string, topics: number, subscribers: number): Contender[] {
  const emitter = createNanoEvents<Record<string, (data: typeof payload) => void>>();
  const names = Array.from(
    { length: topics },
    (_, index) => `bench.${task.replaceAll(/[ ,]+/g, "-")}.${index}`,
  );
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
      name: "nanoevents",
      run(times) {
        for (let count = 0; count < times; count++) emitter.emit(names[count % topics] as string, payload);
      },
    },
    {
      name: "keelson",
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
  const slots: unknown[] = new Array<unknown>(CAPACITY).fill(undefined);
  let head = 0;
  let size = 0;
  const push = (): void => {
    if (size === CAPACITY) return;
    slots[(head + size++) % CAPACITY] = payload;
  };
  const items: AsyncIterable<unknown> = {
    [Symbol.asyncIterator]: () => ({
      next() {
        const value = slots[head];
        slots[head] = undefined;
        head = (head + 1) % CAPACITY;
        size--;
        return Promise.resolve({ value, done: false });
      },
    }),
  };
  return { name: "floor", run: (times) => inBatches(times, items[Symbol.asyncIterator](), push) };
}

function subscription(bus: KernelBus): Contender {
  const items = bus.subscribe("bench.queue", { capacity: CAPACITY })[Symbol.asyncIterator]();
  return {
    name: "keelson",
    run: (times) => inBatches(times, items, () => bus.publish("bench.queue", payload)),
  };
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
  return { name: "keelson", run: (times) => paced(times, items, () => bus.send("bench.paced", payload)) };
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
  return { name: "ReadableStream, written to", run: (times) => paced(times, items, push) };
}
