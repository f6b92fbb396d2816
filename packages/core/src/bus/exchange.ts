import type { Envelope } from "../contract/bus.ts";
import { describeThrown, KeelsonError } from "../contract/errors.ts";
import type { Metrics } from "../contract/metrics.ts";
import type { Clock, Log, Random } from "../contract/platform.ts";
import type { Value } from "../contract/value.ts";
import { DeadlineQueue } from "../primitives/deadline.ts";
import { isPromise } from "../primitives/deferred.ts";
import { History } from "./history.ts";
import { Message } from "./message.ts";
import type { Listener, Route, Sink } from "./route.ts";
import { Stamp } from "./stamp.ts";
import { PendingSend } from "./subscription.ts";
import { hasWildcard, isReservedTopic, parseTopic, TopicTree } from "./topics.ts";
import { timeoutOf } from "./waiting.ts";

/** Topics whose routes are kept at most; beyond, all are forgotten and found again when next published on. */
const MAX_ROUTES = 10_000;
/** Envelopes that the listeners of one publish may publish in turn before they are taken for an endless circle. */
const MAX_FOLLOWING = 100_000;
/** Listeners of a topic from which on they are run by a loop of eight at a turn. */
const MANY = 8;

/** Options of a bus. */
export interface BusOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: Metrics;
  /** Envelopes kept for replay. Default 10,000. */
  readonly logCapacity?: number;
  /** Patterns of further topics to keep for replay, besides `kernel.**`, `module.**`, `supervisor.**` and `boundary.**`. */
  readonly logged?: readonly string[];
  /** Default time of requests and of waiting sends, ms. Default 30,000. */
  readonly timeoutMs?: number;
}

/** A door, as the exchange sees it. */
export interface Party {
  /** Rejects with `error` what waits here for others. */
  refuse(error: KeelsonError): void;
  /** The bus ends: subscriptions end after what they hold, what waits is rejected with `error`. */
  shut(error: KeelsonError): void;
}

interface Following {
  readonly route: Route;
  readonly envelope: Envelope;
  readonly send: PendingSend | undefined;
}

/**
 * Where envelopes change hands: the routes of a bus, the delivery in order and the log. Doors are made over it; it knows nothing of
 * rights.
 */
export class Exchange {
  readonly clock: Clock;
  readonly log: Log;
  readonly deadlines: DeadlineQueue;
  readonly history: History;
  readonly timeoutMs: number;
  /** Random part of all ids of this bus. */
  readonly id: string;
  /** Counts for the metrics; plain numbers, read when scraped. */
  readonly counts: { lagged: number; failures: number; requests: number; requestFailures: number } = {
    lagged: 0,
    failures: 0,
    requests: 0,
    requestFailures: 0,
  };
  /** All doors that are open. */
  readonly parties: Set<Party> = new Set();
  readonly #stamp: Stamp;
  readonly #sinks: TopicTree<Sink> = new TopicTree();
  #serial = 0;
  #seq = 0;
  #routes: Map<string, Route> = new Map();
  /** The route used last, which is often the next one too. */
  #recent: Route | undefined;
  #delivering = false;
  /** The route being delivered on. */
  #current: Route | undefined;
  /** Whether someone left during the delivery, so that routes that wait may name those who are gone. */
  #left = false;
  #following: Following[] = [];
  #closed = false;

  constructor(options: BusOptions) {
    const { clock, random, log, logCapacity = 10_000, logged = [], timeoutMs = 30_000 } = options;
    this.clock = clock;
    this.log = log;
    this.timeoutMs = timeoutOf({ timeoutMs }, timeoutMs);
    this.id = random.id();
    this.deadlines = new DeadlineQueue(clock);
    this.#stamp = new Stamp(clock);
    this.history = new History(logCapacity, logged);
    if (options.metrics !== undefined) this.#expose(options.metrics);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The route of `topic`. @throws KeelsonError `INVALID_TOPIC`, `KERNEL_CLOSED` */
  route(topic: string): Route {
    const recent = this.#recent;
    if (recent !== undefined && recent.topic === topic) return recent;
    const route = this.#routes.get(topic) ?? this.#find(topic);
    this.#recent = route;
    return route;
  }

  /** Gives `data` to all who listen on the route; behind the envelope that is being delivered, if one is. */
  emit(route: Route, source: string, data: Value, correlationId?: string, chars?: number): void {
    if (route.sinks.length === 0 && !route.logged) {
      this.#seq++;
      return;
    }
    if (this.#following.length >= MAX_FOLLOWING) throw circle(route.topic);
    const envelope = this.#envelope(route, source, data, correlationId, chars);
    if (this.#delivering) {
      this.#following.push({ route, envelope, send: undefined });
      return;
    }
    this.#delivering = true;
    this.#deliver(route, envelope);
    if (this.#following.length > 0) this.#deliverFollowing();
    this.#delivering = false;
  }

  /** The same as {@link Exchange.emit}, but full queues with back-pressure hold the envelope until they have room. */
  emitSend(route: Route, source: string, data: Value): PendingSend {
    if (this.#following.length >= MAX_FOLLOWING) throw circle(route.topic);
    const send = new PendingSend();
    const envelope = this.#envelope(route, source, data);
    if (this.#delivering) {
      this.#following.push({ route, envelope, send });
      return send;
    }
    this.#delivering = true;
    this.#deliverSend(route, envelope, send);
    if (this.#following.length > 0) this.#deliverFollowing();
    this.#delivering = false;
    return send;
  }

  /** Puts a sink on the bus. */
  attach(sink: Sink): void {
    sink.serial = this.#serial++;
    sink.live = true;
    this.#sinks.add(sink.pattern, sink);
    this.#forgetRoutes(sink.pattern);
  }

  /** Takes a sink off the bus; no envelope reaches it any more, not even the one being delivered. */
  detach(sink: Sink): void {
    if (!sink.live) return;
    sink.live = false;
    this.#sinks.remove(sink.pattern, sink);
    this.#forgetRoutes(sink.pattern);
    if (!this.#delivering) return;
    this.#left = true;
    const index = this.#current?.sinks.indexOf(sink) ?? -1;
    if (index !== -1) (this.#current as Route).listeners[index] = ignore;
  }

  /** Ends all: subscriptions end after what they hold, waiting sends and requests are rejected. Twice is fine. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Who waits is told of the end, not of what the end does to those waited for.
    for (const party of this.parties) party.refuse(this.refusal());
    for (const party of [...this.parties]) party.shut(this.refusal());
    this.parties.clear();
    this.deadlines.close();
    this.#following = [];
    this.#routes = new Map();
    this.#recent = undefined;
  }

  /** The error of every use after the end. */
  refusal(): KeelsonError {
    return new KeelsonError("KERNEL_CLOSED", "The bus is closed", {
      hint: "the kernel was shut down; make a new one",
    });
  }

  /** Counts and logs what a listener threw; every time at first, then one in a thousand. */
  #failed(sink: Sink, topic: string, thrown: unknown): void {
    this.counts.failures++;
    sink.failures++;
    if (sink.failures > 10 && sink.failures % 1000 !== 0) return;
    try {
      this.log.write("error", `A listener of ${sink.source} threw`, {
        topic,
        pattern: sink.pattern.join("."),
        source: sink.source,
        failures: sink.failures,
        error: describeThrown(thrown),
      });
    } catch {
      // A log must not throw; one that does must not stop the delivery.
    }
  }

  #envelope(route: Route, source: string, data: Value, correlationId?: string, chars?: number): Message {
    const timestamp = route.logged ? this.#stamp.exact() : this.#stamp.near();
    const envelope = new Message(this.id, ++this.#seq, route.topic, source, correlationId, timestamp, data);
    if (route.logged) this.history.push(envelope, chars);
    return envelope;
  }

  #deliver(route: Route, envelope: Envelope): void {
    this.#current = route;
    const { listeners, sinks } = route;
    const count = listeners.length;
    if (count >= MANY) return this.#deliverToMany(listeners, sinks, envelope);
    let index = 0;
    while (index < count) {
      try {
        while (index < count) this.#give(listeners, sinks, index++, envelope);
      } catch (error) {
        this.#failed(sinks[index - 1] as Sink, envelope.topic, error);
      }
    }
  }

  /**
   * The same for many. Turning round after each would cost a third, so eight stand in a row, by way of one small method. A function of its
   * own, since engines judge what is worth compiling into it by all that it ran, and most deliveries are to few.
   */
  #deliverToMany(listeners: readonly Listener[], sinks: readonly Sink[], envelope: Envelope): void {
    const count = listeners.length;
    let index = 0;
    while (index < count) {
      try {
        while (index + MANY <= count) {
          this.#give(listeners, sinks, index++, envelope);
          this.#give(listeners, sinks, index++, envelope);
          this.#give(listeners, sinks, index++, envelope);
          this.#give(listeners, sinks, index++, envelope);
          this.#give(listeners, sinks, index++, envelope);
          this.#give(listeners, sinks, index++, envelope);
          this.#give(listeners, sinks, index++, envelope);
          this.#give(listeners, sinks, index++, envelope);
        }
        while (index < count) this.#give(listeners, sinks, index++, envelope);
      } catch (error) {
        this.#failed(sinks[index - 1] as Sink, envelope.topic, error);
      }
    }
  }

  #give(listeners: readonly Listener[], sinks: readonly Sink[], index: number, envelope: Envelope): void {
    const result = (listeners[index] as Listener)(envelope);
    if (result !== undefined) this.#watch(result, sinks[index] as Sink, envelope.topic);
  }

  #deliverSend(route: Route, envelope: Envelope, send: PendingSend): void {
    this.#current = undefined;
    for (const sink of route.sinks) {
      if (!sink.live) continue;
      if (sink.queue?.overflow === "back-pressure") {
        sink.queue.accept(envelope, send);
        continue;
      }
      try {
        this.#watch(sink.listener(envelope), sink, envelope.topic);
      } catch (error) {
        this.#failed(sink, envelope.topic, error);
      }
    }
    send.delivered = true;
    send.settle();
  }

  /** What listeners published while they ran, in order; they may go on doing so. */
  #deliverFollowing(): void {
    for (let index = 0; index < this.#following.length; index++) {
      const { route, envelope, send } = this.#following[index] as Following;
      if (send !== undefined && send.waiting?.ended !== true) this.#deliverSend(route, envelope, send);
      else this.#deliver(this.#left ? withoutThoseWhoLeft(route) : route, envelope);
    }
    this.#following = [];
    this.#left = false;
  }

  /** Sees to it that a listener that returned a promise fails as one that threw. */
  #watch(result: unknown, sink: Sink, topic: string): void {
    if (isPromise(result)) void result.then(undefined, (error: unknown) => this.#failed(sink, topic, error));
  }

  #find(topic: string): Route {
    if (this.#closed) throw this.refusal();
    const words = parseTopic(topic);
    const sinks = this.#sinks.match(words).sort((one, other) => one.serial - other.serial);
    const logged = this.history.keeps(words);
    const blocking = sinks.some((sink) => sink.queue?.overflow === "back-pressure");
    const listeners = sinks.map(({ listener }) => listener);
    const route: Route = { topic, reserved: isReservedTopic(topic), logged, blocking, sinks, listeners };
    if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
    this.#routes.set(topic, route);
    return route;
  }

  #forgetRoutes(pattern: readonly string[]): void {
    this.#recent = undefined;
    if (hasWildcard(pattern)) this.#routes.clear();
    else this.#routes.delete(pattern.join("."));
  }

  #expose(metrics: Metrics): void {
    const count = (name: string, help: string, sample: () => number): unknown =>
      metrics.observe("counter", `keelson_bus_${name}`, { help }, {}, sample);
    count("published", "Envelopes published.", () => this.#seq);
    count("lagged", "Envelopes dropped by full queues.", () => this.counts.lagged);
    count("listener_failures", "Times that a listener threw.", () => this.counts.failures);
    count("requests", "Requests made.", () => this.counts.requests);
    count("request_failures", "Requests that got no answer.", () => this.counts.requestFailures);
    const help = "Listeners and subscriptions on the bus.";
    metrics.observe("gauge", "keelson_bus_listeners", { help }, {}, () => this.#sinks.size);
  }
}

/** Stands in for a listener that is off the bus. */
function ignore(): void {}

function withoutThoseWhoLeft(route: Route): Route {
  const sinks = route.sinks.filter(({ live }) => live);
  return { ...route, sinks, listeners: sinks.map(({ listener }) => listener) };
}

function circle(topic: string): RangeError {
  return new RangeError(
    `Listeners of one publish published ${MAX_FOLLOWING} times, the last on "${topic}": do they answer each other in a circle?`,
  );
}
