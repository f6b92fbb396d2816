import type { RequestContext } from "../contract/bus.ts";
import type { CallOptions } from "../contract/call.ts";
import { describeThrown, isKeelsonError, KeelsonError, plainMessage } from "../contract/errors.ts";
import type { MaybePromise, Value } from "../contract/value.ts";
import { controllerWith } from "../primitives/abort.ts";
import { isPromise } from "../primitives/deferred.ts";
import type { Exchange } from "./exchange.ts";
import { serial } from "./message.ts";
import { parseTopic } from "./topics.ts";
import { aborted, busError, timeoutOf, Waiting, type WaitingOptions, type WaitingSet } from "./waiting.ts";

/** One who answers requests on a topic. */
export interface Responder {
  readonly topic: string;
  readonly source: string;
  readonly run: (data: Value, request: RequestContext) => MaybePromise<Value>;
  /** Requests it has not answered yet. */
  readonly open: WaitingSet;
}

/** Who asks, and where its waiting is entered. */
export interface Asker {
  readonly source: string;
  readonly waiting: WaitingSet;
}

/** Topics of a module that is being replaced: requests wait for its new version. */
interface Gap {
  readonly source: string;
  readonly topics: ReadonlySet<string>;
  readonly max: number;
  readonly waiting: Set<Waiting<never>>;
  /** The new version answers, or nobody will. */
  over: boolean;
}

/** Requests and those who answer them. A reply goes to the one who asked and to nobody else. */
export class Requests {
  readonly #exchange: Exchange;
  /** The first answers; the others stand by until it leaves. */
  readonly #responders: Map<string, Responder[]> = new Map();
  readonly #gaps: Set<Gap> = new Set();
  #count = 0;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** Who answers on `topic` now. */
  responder(topic: string): Responder | undefined {
    return this.#responders.get(topic)?.[0];
  }

  attach(responder: Responder): void {
    const { topic, source } = responder;
    const present = this.#responders.get(topic);
    if (present === undefined) {
      this.#responders.set(topic, [responder]);
      return;
    }
    present.push(responder);
    this.#exchange.log.write("warn", `Requests on ${topic} are answered already; ${source} stands by`, {
      topic,
      source,
      answeredBy: present[0]?.source,
    });
  }

  detach(responder: Responder): void {
    const rest = this.#responders.get(responder.topic)?.filter((other) => other !== responder);
    if (rest === undefined) return;
    if (rest.length === 0) this.#responders.delete(responder.topic);
    else this.#responders.set(responder.topic, rest);
  }

  /** Lets at most `max` requests wait that nobody answers on the topics of `source` now, until the handle is disposed; each for its own time. */
  hold(source: string, max: number): Disposable {
    const own = [...this.#responders.keys()].filter((topic) => this.responder(topic)?.source === source);
    const gap: Gap = { source, max, topics: new Set(own), waiting: new Set(), over: false };
    this.#gaps.add(gap);
    return {
      [Symbol.dispose]: () => {
        gap.over = true;
        // Each is asked at once, and who asks meanwhile comes behind them.
        for (const waiting of gap.waiting) waiting.succeed(undefined as never);
        this.#gaps.delete(gap);
      },
    };
  }

  /** Where requests on `topic` wait, for one that is new, or that has `waited`. */
  #gap(topic: string, waited: boolean): Gap | undefined {
    for (const gap of this.#gaps) if (gap.topics.has(topic) && !(waited && gap.over)) return gap;
    return undefined;
  }

  /**
   * Asks; see {@link Bus.request}. Throws what is wrong at once, before a promise is made.
   * @param until set for a request that was held, which is no new one: when its time is over, monotonic ms
   */
  request(
    asker: Asker,
    topic: string,
    data: Value,
    options: CallOptions | undefined,
    until?: number,
  ): MaybePromise<Value> {
    const { counts } = this.#exchange;
    if (until === undefined) counts.requests++;
    const failed = (error: KeelsonError): KeelsonError => {
      counts.requestFailures++;
      return error;
    };
    // It is about to be shown; whether it is a topic only matters where nobody answers.
    if (typeof topic !== "string") parseTopic(topic);
    const timeoutMs = timeoutOf(options, this.#exchange.timeoutMs);
    const signal = options?.signal;
    if (signal?.aborted) throw failed(aborted(whatOf(topic), topic, signal));
    const responder = this.responder(topic);
    // First come, first served: also where the new version answers already, and those who waited for it are about to be let go on.
    const gap = this.#gaps.size > 0 && until === undefined ? this.#gap(topic, false) : undefined;
    const before = gap !== undefined && gap.waiting.size > 0 && gap.source !== asker.source;
    if (responder === undefined || before)
      return this.#unanswered(asker, topic, data, options, timeoutMs, until);
    const request = new Asked(asker.source, this.#exchange.id, ++this.#count);
    let answer: MaybePromise<Value>;
    try {
      answer = responder.run(data, request);
      if (!isPromise(answer)) return answer;
    } catch (error) {
      throw failed(failure(responder, error));
    }
    const onEnd: WaitingOptions["onEnd"] = (error, ended) => {
      responder.open.delete(ended);
      if (error === undefined) return;
      failed(error);
      request.abandon(error);
    };
    const waiting = this.#wait<Value>(asker, topic, timeoutMs, signal, onEnd, until);
    if (!waiting.ended) responder.open.add(waiting as unknown as Waiting<never>);
    void Promise.resolve(answer).then(
      (value) => waiting.succeed(value),
      (error: unknown) => {
        request.failed();
        waiting.fail(failure(responder, error));
      },
    );
    return waiting.promise;
  }

  /** A request that finds nobody: it waits for who is being replaced, or is told. */
  #unanswered(
    asker: Asker,
    topic: string,
    data: Value,
    options: CallOptions | undefined,
    timeoutMs: number,
    until?: number,
  ): Promise<Value> {
    const { counts } = this.#exchange;
    if (this.#exchange.closed) throw this.#exchange.refusal();
    parseTopic(topic);
    const gap = this.#gap(topic, until !== undefined);
    // The module itself would wait for itself.
    if (gap === undefined || gap.source === asker.source || gap.waiting.size >= gap.max) {
      counts.requestFailures++;
      throw busError(
        "NO_RESPONDER",
        `Nobody answers requests on "${topic}"`,
        topic,
        gap === undefined
          ? "start the module that responds on it"
          : "its module is being replaced: ask again later",
      );
    }
    const ends = until ?? this.#exchange.clock.now() + timeoutMs;
    const { promise, resolve, reject } = Promise.withResolvers<Value>();
    // As of one that waits for its answer: a rejection that nobody looks at must not end the host.
    promise.catch(() => {});
    const onEnd: WaitingOptions["onEnd"] = (error, ended) => {
      gap.waiting.delete(ended);
      if (error !== undefined) {
        counts.requestFailures++;
        return reject(error);
      }
      try {
        resolve(this.request(asker, topic, data, options, ends));
      } catch (refusal) {
        reject(refusal);
      }
    };
    const waiting = this.#wait<never>(asker, topic, timeoutMs, options?.signal, onEnd, ends);
    if (!waiting.ended) gap.waiting.add(waiting);
    return promise;
  }

  #wait<T>(
    asker: Asker,
    topic: string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    onEnd: WaitingOptions["onEnd"],
    until = this.#exchange.clock.now() + timeoutMs,
  ): Waiting<T> {
    const { deadlines } = this.#exchange;
    const among = asker.waiting;
    return new Waiting<T>({ deadlines, among, what: whatOf(topic), topic, timeoutMs, until, signal, onEnd });
  }

  /** Gives up what a responder has not answered: its door closed. */
  abandon(responder: Responder, cause: KeelsonError): void {
    for (const waiting of responder.open) waiting.fail(failure(responder, cause));
  }
}

/** A request in messages; written only for one that waits or fails. */
function whatOf(topic: string): string {
  return `The request on "${topic}"`;
}

function failure(responder: Responder, cause: unknown): KeelsonError {
  const { topic, source } = responder;
  // Its own hint follows, and one is enough.
  const why = isKeelsonError(cause) ? plainMessage(cause) : describeThrown(cause);
  return new KeelsonError("REQUEST_FAILED", `${source} failed to answer on "${topic}": ${why}`, {
    hint: "the cause says why",
    details: isKeelsonError(cause) ? { topic, source, code: cause.code } : { topic, source },
    cause,
  });
}

/**
 * The responder's view of a request. The id and the signal are made when first read. It has no property of its own, so that a responder may give it on as
 * the options of a call.
 */
class Asked implements RequestContext {
  readonly #source: string;
  #failed = false;
  readonly #busId: string;
  readonly #count: number;
  #controller: AbortController | undefined;
  #reason: KeelsonError | undefined;

  constructor(source: string, busId: string, count: number) {
    this.#source = source;
    this.#busId = busId;
    this.#count = count;
  }

  get source(): string {
    return this.#source;
  }

  get correlationId(): string {
    return `${this.#busId}-r${serial(this.#count)}`;
  }

  get signal(): AbortSignal {
    return (this.#controller ??= controllerWith(this.#reason)).signal;
  }

  /** The responder's promise was rejected: nobody needs the signal any more. */
  failed(): void {
    this.#failed = true;
  }

  abandon(reason: KeelsonError): void {
    if (this.#failed) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}
