import type { Envelope, OverflowPolicy, QueueOptions, Subscription } from "../contract/bus.ts";
import { KeelsonError } from "../contract/errors.ts";
import { BoundedQueue } from "../primitives/bounded-queue.ts";
import type { Waiting } from "./waiting.ts";
import { requireOptions } from "../primitives/invalid-options.ts";

const POLICIES: readonly OverflowPolicy[] = ["drop-oldest", "drop-newest", "back-pressure"];

/** Where a subscription counts what the whole bus dropped. */
export interface LagCount {
  lagged: number;
}

/** A `send` under way: it ends when no queue holds it up any more. */
export class PendingSend {
  /** Queues that have not taken the envelope in; made with the first, since most sends find room everywhere. */
  #queues: Set<QueueSubscription> | undefined;
  /** Set by the bus when the sender has to wait. */
  waiting: Waiting<void> | undefined;
  /** False until the bus has offered the envelope to everyone: it may stand behind others. */
  delivered = false;
  #left: QueueSubscription | undefined;

  /** Whether nothing is left to wait for. */
  get done(): boolean {
    return this.delivered && (this.#queues === undefined || this.#queues.size === 0);
  }

  /** The failure to report at the end: a subscription left without having taken the envelope. */
  get failure(): KeelsonError | undefined {
    if (this.#left === undefined) return undefined;
    return new KeelsonError(
      "SUBSCRIPTION_CLOSED",
      `A subscription to "${this.#left.pattern}" closed before it took the envelope`,
      {
        hint: "the others have it; send again only if the one that left matters",
        details: { pattern: this.#left.pattern },
      },
    );
  }

  /** `queue` has no room for the envelope yet. */
  heldBy(queue: QueueSubscription): void {
    (this.#queues ??= new Set()).add(queue);
  }

  /** `queue` took the envelope in. */
  taken(queue: QueueSubscription): void {
    this.#queues?.delete(queue);
    this.settle();
  }

  /** `queue` closed without it. */
  refused(queue: QueueSubscription): void {
    this.#left ??= queue;
    this.taken(queue);
  }

  /** Ends the wait if there is nothing left to wait for. */
  settle(): void {
    if (!this.done || this.waiting === undefined) return;
    const { failure } = this;
    if (failure === undefined) this.waiting.succeed(undefined);
    else this.waiting.fail(failure);
  }

  /** The sender waits no longer: queues that have not taken the envelope forget it. */
  withdraw(): void {
    for (const queue of this.#queues ?? []) queue.withdraw(this);
    this.#queues = undefined;
  }
}

interface HeldBack {
  readonly envelope: Envelope;
  readonly send: PendingSend;
}

/** The one implementation of {@link Subscription}: a bounded queue, those who wait to read and those who wait to write. */
export class QueueSubscription implements Subscription, AsyncIterator<Envelope, undefined> {
  readonly pattern: string;
  readonly overflow: OverflowPolicy;
  readonly #queue: BoundedQueue<Envelope>;
  readonly #count: LagCount;
  /** Takes the subscription off the bus; forgotten once called. */
  #leave: (() => void) | undefined;
  #lagged = 0;
  /** Readers that wait; then the queue is empty. */
  readonly #readers: ((result: IteratorResult<Envelope, undefined>) => void)[] = [];
  /** Sends that wait, oldest first; then the queue is full. */
  #heldBack: HeldBack[] = [];

  /** @throws KeelsonError `INVALID_OPTIONS` */
  constructor(pattern: string, options: QueueOptions, count: LagCount, leave: () => void) {
    requireOptions("subscribe", options, { capacity: 1, overflow: POLICIES, from: true });
    const { capacity = 1024, overflow = "drop-oldest" } = options;
    this.pattern = pattern;
    this.overflow = overflow;
    this.#queue = new BoundedQueue(capacity);
    this.#count = count;
    this.#leave = leave;
  }

  get lagged(): number {
    return this.#lagged;
  }

  get size(): number {
    return this.#queue.size;
  }

  get closed(): boolean {
    return this.#leave === undefined;
  }

  /** Takes an envelope that does not wait: into the queue, or dropped by the policy. Returns nothing, ever: the bus runs it as a listener. */
  readonly offer = (envelope: Envelope): void => {
    if (this.#readers.length > 0) {
      this.#readers.shift()?.({ value: envelope, done: false });
      return;
    }
    if (this.#queue.push(envelope)) return;
    this.missed(1);
    if (this.overflow === "drop-oldest") {
      this.#queue.shift();
      this.#queue.push(envelope);
    }
  };

  /** Takes an envelope whose sender waits until there is room. */
  accept(envelope: Envelope, send: PendingSend): void {
    if (!this.#queue.full) {
      this.offer(envelope);
      return;
    }
    send.heldBy(this);
    this.#heldBack.push({ envelope, send });
  }

  /** Forgets what `send` wanted to give. */
  withdraw(send: PendingSend): void {
    this.#heldBack = this.#heldBack.filter((held) => held.send !== send);
  }

  /** Counts envelopes that this subscription should have had. */
  missed(count: number): void {
    this.#lagged += count;
    this.#count.lagged += count;
  }

  take(): Envelope | undefined {
    const envelope = this.#queue.shift();
    if (this.#heldBack.length > 0) this.#admit();
    return envelope;
  }

  close(): void {
    const leave = this.#leave;
    if (leave === undefined) return;
    this.#leave = undefined;
    leave();
    for (const { send } of this.#heldBack.splice(0)) send.refused(this);
    for (const reader of this.#readers.splice(0)) reader({ value: undefined, done: true });
  }

  /** Forgets what is queued. */
  clear(): void {
    this.#queue.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The subscription is its own iterator: all loops over it share the one queue. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next envelope, as soon as there is one. */
  next(): Promise<IteratorResult<Envelope, undefined>> {
    const value = this.take();
    if (value !== undefined) return Promise.resolve({ value, done: false });
    if (this.closed) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  /** What leaving a loop does: closes. */
  return(): Promise<IteratorResult<Envelope, undefined>> {
    this.close();
    return Promise.resolve({ value: undefined, done: true });
  }

  /** Lets the first of those held back into the room that was just made. */
  #admit(): void {
    const { envelope, send } = this.#heldBack.shift() as HeldBack;
    this.#queue.push(envelope);
    send.taken(this);
  }
}
