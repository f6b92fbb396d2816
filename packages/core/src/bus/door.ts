import type {
  Bus,
  Envelope,
  Heard,
  QueueOptions,
  RequestContext,
  Subscription,
  TopicTypes,
} from "../contract/bus.ts";
import type { CallOptions } from "../contract/call.ts";
import type { Door } from "../contract/doors.ts";
import { KeelsonError } from "../contract/errors.ts";
import type { MaybePromise, Value } from "../contract/value.ts";
import type { Exchange, Party } from "./exchange.ts";
import type { Requests, Responder } from "./requests.ts";
import type { Route, Sink } from "./route.ts";
import { QueueSubscription } from "./subscription.ts";
import { isReservedTopic, parsePattern, parseTopic } from "./topics.ts";
import { aborted, busError, timeoutOf, Waiting, type WaitingSet } from "./waiting.ts";
import { invalidOptions, requireFunction } from "../primitives/invalid-options.ts";

/** One holder's access to a bus. */
export interface BusDoor extends Bus, Door, Disposable {
  /** What the envelopes published here carry as their source. */
  readonly source: string;
  /** Whether what is registered here receives. */
  readonly live: boolean;
  /** Listeners, subscriptions and responders begin to receive, all at once. */
  activate(): void;
  /** They stop receiving, and stay registered. What was queued or asked before can still be read and answered. */
  deactivate(): void;
  /** The answers that its responders owe now. */
  unanswered(): Promise<unknown>[];
}

/** What a door is made over. */
export interface DoorBase {
  readonly exchange: Exchange;
  readonly requests: Requests;
  readonly source: string;
  /** Whether it may publish and answer on the kernel's own topics. */
  readonly privileged: boolean;
  readonly live: boolean;
}

const DONE: Promise<void> = Promise.resolve();

/** The one implementation of {@link BusDoor}; the kernel's own bus is one of them, with the right to all topics. */
export class ExchangeDoor implements BusDoor, Party {
  readonly source: string;
  readonly #exchange: Exchange;
  readonly #requests: Requests;
  readonly #privileged: boolean;
  #open = true;
  #live: boolean;
  /** In the order they were registered. The number is where in the log a subscription with a cursor goes on. */
  readonly #sinks: Map<Sink, number | undefined> = new Map();
  readonly #responders: Set<Responder> = new Set();
  readonly #waiting: WaitingSet = new Set();

  constructor({ exchange, requests, source, privileged, live }: DoorBase) {
    this.source = source;
    this.#exchange = exchange;
    this.#requests = requests;
    this.#privileged = privileged;
    this.#live = live;
    exchange.parties.add(this);
  }

  get open(): boolean {
    return this.#open;
  }

  get live(): boolean {
    return this.#live;
  }

  publish<K extends keyof TopicTypes & string>(topic: K, data: TopicTypes[K], chars?: number): void {
    if (!this.#open) throw this.#refusal();
    const route = this.#exchange.route(topic);
    if (route.reserved && !this.#privileged) throw this.#denied(topic, "publish");
    this.#exchange.emit(route, this.source, data, undefined, chars);
  }

  send<K extends keyof TopicTypes & string>(
    topic: K,
    data: TopicTypes[K],
    options?: CallOptions,
  ): Promise<void> {
    try {
      return this.#send(topic, data, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  on<K extends keyof TopicTypes & string>(
    pattern: K,
    listener: (envelope: Envelope<Heard<K>>) => void,
  ): Disposable {
    this.#check();
    const words = parsePattern(pattern);
    requireFunction(`The listener for "${pattern}"`, listener);
    const sink = this.#sink(words, listener as (envelope: Envelope) => void, undefined);
    this.#register(sink, undefined);
    return { [Symbol.dispose]: () => this.#remove(sink) };
  }

  subscribe<K extends keyof TopicTypes & string>(pattern: K, options?: QueueOptions): Subscription<Heard<K>> {
    this.#check();
    const words = parsePattern(pattern);
    const from = options?.from;
    const position = from === undefined ? undefined : this.#exchange.history.position(from);
    if (position !== undefined && !this.#exchange.history.keeps(words)) {
      throw invalidOptions(
        `The log of the bus keeps nothing that fits "${pattern}", so no cursor leads there`,
        "leave `from` out, or have the kernel keep these topics",
        { pattern },
      );
    }
    const queue = new QueueSubscription(pattern, options ?? {}, this.#exchange.counts, () =>
      this.#remove(sink),
    );
    const sink = this.#sink(words, queue.offer, queue);
    this.#register(sink, position);
    return queue as Subscription as Subscription<Heard<K>>;
  }

  request(topic: string, data: Value, options?: CallOptions): Promise<Value> {
    try {
      if (!this.#open) throw this.#refusal();
      const asker = { source: this.source, waiting: this.#waiting };
      return Promise.resolve(this.#requests.request(asker, topic, data, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  respond(
    topic: string,
    responder: (data: Value, request: RequestContext) => MaybePromise<Value>,
  ): Disposable {
    this.#check();
    parseTopic(topic);
    requireFunction(`The responder for "${topic}"`, responder);
    if (isReservedTopic(topic) && !this.#privileged) throw this.#denied(topic, "answer");
    this.#refuseSecond(topic);
    const entry: Responder = { topic, source: this.source, run: responder, open: new Set() };
    this.#responders.add(entry);
    if (this.#live) this.#requests.attach(entry);
    return {
      [Symbol.dispose]: () => {
        if (this.#responders.delete(entry)) this.#requests.detach(entry);
      },
    };
  }

  activate(): void {
    if (this.#live || !this.#open || this.#exchange.closed) return;
    this.#live = true;
    for (const [sink, position] of this.#sinks) this.#attach(sink, position);
    for (const responder of this.#responders) this.#requests.attach(responder);
  }

  deactivate(): void {
    if (!this.#live) return;
    this.#live = false;
    for (const [sink, position] of this.#sinks) {
      this.#exchange.detach(sink);
      if (position !== undefined) this.#sinks.set(sink, this.#exchange.history.end);
    }
    for (const responder of this.#responders) this.#requests.detach(responder);
  }

  unanswered(): Promise<unknown>[] {
    return [...this.#responders].flatMap(({ open }) => [...open].map(({ promise }) => promise));
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#exchange.parties.delete(this);
    const error = this.#refusal();
    const sinks = [...this.#sinks.keys()];
    this.shut(error);
    // Nothing of what was queued reaches a module that has ended.
    for (const { queue } of sinks) queue?.clear();
  }

  /** Ends all that was registered or waits here. */
  shut(error: KeelsonError): void {
    this.#live = false;
    for (const responder of this.#responders) {
      this.#requests.detach(responder);
      this.#requests.abandon(responder, error);
    }
    this.#responders.clear();
    for (const sink of [...this.#sinks.keys()]) {
      if (sink.queue === undefined) this.#remove(sink);
      else sink.queue.close();
    }
    this.refuse(error);
  }

  refuse(error: KeelsonError): void {
    for (const waiting of [...this.#waiting]) waiting.fail(error);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #send(topic: string, data: Value, options: CallOptions | undefined): Promise<void> {
    if (!this.#open) throw this.#refusal();
    const exchange = this.#exchange;
    const timeoutMs = timeoutOf(options, exchange.timeoutMs);
    const signal = options?.signal;
    if (signal?.aborted) throw aborted(whatOf(topic), topic, signal);
    const route: Route = exchange.route(topic);
    if (route.reserved && !this.#privileged) throw this.#denied(topic, "publish");
    if (!route.blocking) {
      exchange.emit(route, this.source, data);
      return DONE;
    }
    const send = exchange.emitSend(route, this.source, data);
    if (send.done) return DONE;
    const { clock, deadlines } = exchange;
    send.waiting = new Waiting<void>({
      deadlines,
      among: this.#waiting,
      what: whatOf(topic),
      topic,
      timeoutMs,
      until: clock.now() + timeoutMs,
      signal,
      onEnd: (error) => error && send.withdraw(),
    });
    return send.waiting.promise;
  }

  #sink(pattern: readonly string[], listener: Sink["listener"], queue: QueueSubscription | undefined): Sink {
    return { pattern, source: this.source, serial: 0, live: false, listener, queue, failures: 0 };
  }

  #register(sink: Sink, position: number | undefined): void {
    this.#sinks.set(sink, position);
    if (this.#live) this.#attach(sink, position);
  }

  #attach(sink: Sink, position: number | undefined): void {
    // Only those with a queue have one.
    if (position !== undefined)
      this.#exchange.history.replay(sink.pattern, sink.queue as QueueSubscription, position);
    this.#exchange.attach(sink);
  }

  #remove(sink: Sink): void {
    if (this.#sinks.delete(sink)) this.#exchange.detach(sink);
  }

  #check(): void {
    if (!this.#open) throw this.#refusal();
    if (this.#exchange.closed) throw this.#exchange.refusal();
  }

  /** A topic has one responder. One of the same source may be that of the generation which this door is to replace. */
  #refuseSecond(topic: string): void {
    const present = this.#requests.responder(topic);
    const own = [...this.#responders].some((other) => other.topic === topic);
    if (!own && (present === undefined || (!this.#live && present.source === this.source))) return;
    const by = own ? this.source : present?.source;
    throw busError(
      "DUPLICATE_RESPONDER",
      `${by} answers requests on "${topic}" already`,
      topic,
      "choose another topic, or end the other responder first",
    );
  }

  #denied(topic: string, what: string): KeelsonError {
    return busError(
      "DENIED",
      `${this.source} may not ${what} on "${topic}"`,
      topic,
      "kernel, module and supervisor topics belong to the kernel; begin yours with another word",
    );
  }

  #refusal(): KeelsonError {
    return new KeelsonError("DOOR_CLOSED", `The door of ${this.source} to the bus is closed`, {
      hint: "the module has ended: stop its work when its context's signal fires",
      details: { source: this.source },
    });
  }
}

/** A send in messages; written only for one that waits or fails. */
function whatOf(topic: string): string {
  return `The envelope sent on "${topic}"`;
}
