import type { RequestContext } from "../contract/bus.ts";
import type { CallOptions } from "../contract/call.ts";
import { describeThrown, isKeelsonError, KeelsonError } from "../contract/errors.ts";
import type { MaybePromise, Value } from "../contract/value.ts";
import { isPromise } from "../primitives/deferred.ts";
import type { Exchange } from "./exchange.ts";
import { serial } from "./message.ts";
import { parseTopic } from "./topics.ts";
import { aborted, busError, timeoutOf, Waiting, type WaitingSet } from "./waiting.ts";

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

/** Requests and those who answer them. A reply goes to the one who asked and to nobody else. */
export class Requests {
  readonly #exchange: Exchange;
  /** The first answers; the others stand by until it leaves. */
  readonly #responders: Map<string, Responder[]> = new Map();
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

  /** Asks; see {@link Bus.request}. Throws what is wrong at once, before a promise is made. */
  request(asker: Asker, topic: string, data: Value, options: CallOptions | undefined): MaybePromise<Value> {
    const { counts } = this.#exchange;
    counts.requests++;
    const failed = (error: KeelsonError): KeelsonError => {
      counts.requestFailures++;
      return error;
    };
    // It is about to be shown; whether it is a topic only matters where nobody answers.
    if (typeof topic !== "string") parseTopic(topic);
    const timeoutMs = timeoutOf(options, this.#exchange.timeoutMs);
    const signal = options?.signal;
    const what = `The request on "${topic}"`;
    if (signal?.aborted) throw failed(aborted(what, topic, signal));
    const responder = this.responder(topic);
    if (responder === undefined) {
      if (this.#exchange.closed) throw this.#exchange.refusal();
      parseTopic(topic);
      throw failed(
        busError(
          "NO_RESPONDER",
          `Nobody answers requests on "${topic}"`,
          topic,
          "start the module that responds on it",
        ),
      );
    }
    const request = new Asked(asker.source, this.#exchange.id, ++this.#count);
    let answer: MaybePromise<Value>;
    try {
      answer = responder.run(data, request);
      if (!isPromise(answer)) return answer;
    } catch (error) {
      throw failed(failure(responder, error));
    }
    const waiting = new Waiting<Value>({
      clock: this.#exchange.clock,
      deadlines: this.#exchange.deadlines,
      among: asker.waiting,
      what,
      topic,
      timeoutMs,
      signal,
      onEnd: (error, ended) => {
        responder.open.delete(ended);
        if (error === undefined) return;
        failed(error);
        if (!request.failed) request.abandon(error);
      },
    });
    if (!waiting.ended) responder.open.add(waiting as unknown as Waiting<never>);
    void Promise.resolve(answer).then(
      (value) => waiting.succeed(value),
      (error: unknown) => {
        request.failed = true;
        waiting.fail(failure(responder, error));
      },
    );
    return waiting.promise;
  }

  /** Gives up what a responder has not answered: its door closed. */
  abandon(responder: Responder, cause: KeelsonError): void {
    for (const waiting of responder.open) waiting.fail(failure(responder, cause));
  }
}

function failure(responder: Responder, cause: unknown): KeelsonError {
  const { topic, source } = responder;
  return new KeelsonError(
    "REQUEST_FAILED",
    `${source} failed to answer on "${topic}": ${describeThrown(cause)}`,
    {
      hint: "the cause says why",
      details: isKeelsonError(cause) ? { topic, source, code: cause.code } : { topic, source },
      cause,
    },
  );
}

/** The responder's view of a request. The id and the signal are made when first read. */
class Asked implements RequestContext {
  readonly source: string;
  /** Whether the responder's promise was rejected: then nobody needs the signal. */
  failed = false;
  readonly #busId: string;
  readonly #count: number;
  #controller: AbortController | undefined;
  #reason: KeelsonError | undefined;

  constructor(source: string, busId: string, count: number) {
    this.source = source;
    this.#busId = busId;
    this.#count = count;
  }

  get correlationId(): string {
    return `${this.#busId}-r${serial(this.#count)}`;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abandon(reason: KeelsonError): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}
