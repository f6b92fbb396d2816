import { KeelsonError, type ErrorCode } from "../contract/errors.ts";
import type { CallOptions } from "../contract/call.ts";
import type { DeadlineQueue, PendingDeadline } from "../primitives/deadline.ts";
import { requireFit } from "../primitives/call-options.ts";

/** Everything that waits on behalf of one door, so that closing the door ends it. */
export type WaitingSet = Set<Waiting<never>>;

/** What a {@link Waiting} needs to know. */
export interface WaitingOptions {
  readonly deadlines: DeadlineQueue;
  /** Where it is entered until it ends. */
  readonly among: WaitingSet;
  /** For messages: `The request on "a.b"`. */
  readonly what: string;
  readonly topic: string;
  /** For messages: what it was given. */
  readonly timeoutMs: number;
  /** When its time is over, monotonic ms; `Infinity` for never. */
  readonly until: number;
  readonly signal: AbortSignal | undefined;
  /** Runs once, before the promise settles; `error` is undefined when it ended well. */
  readonly onEnd: (error: KeelsonError | undefined, waiting: Waiting<never>) => void;
}

/**
 * A promise that ends once: with its value, by its deadline, by the caller's signal or because its door closed, whichever comes first.
 * It leaves neither a deadline nor a listener behind.
 */
export class Waiting<T> {
  readonly promise: Promise<T>;
  readonly #options: WaitingOptions;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: KeelsonError) => void;
  readonly #deadline: PendingDeadline | undefined;
  readonly #onAbort: (() => void) | undefined;
  #ended = false;

  constructor(options: WaitingOptions) {
    this.#options = options;
    const { deadlines, until, signal } = options;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    options.among.add(this as unknown as Waiting<never>);
    if (signal?.aborted) {
      this.fail(aborted(options.what, options.topic, signal));
      return;
    }
    if (until !== Infinity) this.#deadline = deadlines.add(until, () => this.fail(late(options)));
    if (signal != null) {
      this.#onAbort = () => this.fail(aborted(options.what, options.topic, signal));
      signal.addEventListener("abort", this.#onAbort);
    }
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Settles the promise, unless it ended before. */
  succeed(value: T): void {
    if (this.#end(undefined)) this.#resolve(value);
  }

  /** Rejects the promise, unless it ended before. A rejection that nobody looks at must not end the host. */
  fail(error: KeelsonError): void {
    if (!this.#end(error)) return;
    this.promise.catch(ignore);
    this.#reject(error);
  }

  #end(error: KeelsonError | undefined): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    const { deadlines, signal, among, onEnd } = this.#options;
    if (this.#deadline !== undefined) deadlines.cancel(this.#deadline);
    if (this.#onAbort !== undefined) signal?.removeEventListener("abort", this.#onAbort);
    const self = this as unknown as Waiting<never>;
    among.delete(self);
    onEnd(error, self);
    return true;
  }
}

/** The time-out in `options`, or `fallback`; the signal is looked at as well. @throws KeelsonError `INVALID_OPTIONS` */
export function timeoutOf(options: CallOptions | undefined, fallback: number): number {
  requireFit(options);
  return options?.timeoutMs ?? fallback;
}

/** The error for a caller whose signal fired. */
export function aborted(what: string, topic: string, signal: AbortSignal): KeelsonError {
  return new KeelsonError("ABORTED", `${what} was aborted by its caller`, {
    details: { topic },
    cause: signal.reason,
  });
}

/** A failure of this folder, with the topic among its details. */
export function busError(
  code: ErrorCode,
  message: string,
  topic: string,
  hint: string,
  cause?: unknown,
): KeelsonError {
  const options = { hint, details: { topic } };
  return new KeelsonError(code, message, cause === undefined ? options : { ...options, cause });
}

function ignore(): void {}

function late({ what, topic, timeoutMs }: WaitingOptions): KeelsonError {
  return new KeelsonError("DEADLINE_EXCEEDED", `${what} did not end within ${timeoutMs} ms`, {
    hint: "give it more time with timeoutMs, or find out what it waits for",
    details: { topic, timeoutMs },
  });
}
