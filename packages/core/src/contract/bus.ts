import type { CallOptions } from "./call.ts";
import type { KernelTopics } from "./events.ts";
import type { MaybePromise, Value } from "./value.ts";

/**
 * What travels on the bus. `(timestamp, topic, source, id)` come from the publisher's kernel; `seq` orders one bus.
 */
export interface Envelope<T = Value> {
  /** Unique. */
  readonly id: string;
  /** Grows by one with each envelope of a bus. */
  readonly seq: number;
  readonly topic: string;
  /** Id of the module that published, or "kernel", or "host". Set by the door, not by the sender. */
  readonly source: string;
  /** Ties a reply to its request. */
  readonly correlationId: string | undefined;
  /** Milliseconds since 1970; never less than that of an earlier envelope of the bus. A burst published in one turn may share one. */
  readonly timestamp: number;
  /** The very object that was published, not a copy. */
  readonly data: T;
}

/**
 * Topics are words joined by dots (`module.started`); letters, digits, `-` and `_`. In a pattern `*` stands for one word, and a
 * last `**` for one or more. Augment this interface to give topics types; the kernel's own have theirs.
 */
export interface TopicTypes {
  [topic: string]: Value;
}

/** What is heard on a topic, or on a pattern that has a type. */
export type Heard<K extends keyof TopicTypes> = K extends keyof KernelTopics
  ? KernelTopics[K]
  : TopicTypes[K];

/** What a full queue does: forget its oldest, forget the new one, or make `send` wait. */
export type OverflowPolicy = "drop-oldest" | "drop-newest" | "back-pressure";

/** Options of a subscription's queue. */
export interface QueueOptions {
  /** Envelopes held at most. Default 1024. */
  readonly capacity?: number | undefined;
  /** Default "drop-oldest". Under "back-pressure" `publish`, which never waits, drops the newest and counts it. */
  readonly overflow?: OverflowPolicy | undefined;
  /**
   * Begin behind this cursor of the bus's log instead of now; `CURSOR_EXPIRED` when the log no longer reaches back, `INVALID_OPTIONS`
   * when it keeps nothing that fits the pattern. What is replayed goes through the queue: give it room.
   */
  readonly from?: Cursor | undefined;
}

/** A place in the log of a bus: the envelope behind which to go on. Plain data: may be stored. */
export interface Cursor {
  readonly timestamp: number;
  readonly id: string;
  readonly source: string;
}

/** A bounded queue of envelopes, read by async iteration. Closing it, or leaving the loop, unsubscribes. */
export interface Subscription<T = Value> extends AsyncIterable<Envelope<T>>, Disposable {
  /** Envelopes dropped so far because the queue was full. */
  readonly lagged: number;
  /** Envelopes waiting. */
  readonly size: number;
  /** One envelope if there is one. */
  take(): Envelope<T> | undefined;
  /** Ends the iteration after what is queued. */
  close(): void;
}

/** The kernel's bus, or a module's door to it. */
export interface Bus {
  /**
   * Gives `data` to all who listen, at once; never waits, never throws what a listener throws. What a listener publishes is delivered
   * when the envelope it was given has reached everyone, so that all see the same order.
   */
  publish<K extends keyof TopicTypes & string>(topic: K, data: TopicTypes[K]): void;
  /**
   * The same, but resolves when every back-pressured subscription has taken it in. Rejects with `DEADLINE_EXCEEDED`, `ABORTED` or
   * `DOOR_CLOSED`, and is then withdrawn from the queues that were still full; with `SUBSCRIPTION_CLOSED` when one closed without it.
   */
  send<K extends keyof TopicTypes & string>(
    topic: K,
    data: TopicTypes[K],
    options?: CallOptions,
  ): Promise<void>;
  /** Runs `listener` for each envelope that fits; one that throws is counted, logged and kept. */
  on<K extends keyof TopicTypes & string>(
    pattern: K,
    listener: (envelope: Envelope<Heard<K>>) => void,
  ): Disposable;
  subscribe<K extends keyof TopicTypes & string>(pattern: K, options?: QueueOptions): Subscription<Heard<K>>;
  /** Asks whoever answers on `topic`: `NO_RESPONDER`, `DEADLINE_EXCEEDED` (default 30,000 ms), `ABORTED`, `REQUEST_FAILED`. */
  request(topic: string, data: Value, options?: CallOptions): Promise<Value>;
  /** Answers requests on `topic`; one responder a topic, a second is `DUPLICATE_RESPONDER`. */
  respond(
    topic: string,
    responder: (data: Value, request: RequestContext) => MaybePromise<Value>,
  ): Disposable;
}

/** A {@link Bus} that is told the size of what comes from outside: of such events its log keeps 16 Mi characters at most. */
export interface SizedBus extends Bus {
  publish<K extends keyof TopicTypes & string>(topic: K, data: TopicTypes[K], chars?: number): void;
}

/** What a responder learns about a request. */
export interface RequestContext {
  readonly source: string;
  readonly correlationId: string;
  /** Fires when the asker no longer waits. */
  readonly signal: AbortSignal;
}
