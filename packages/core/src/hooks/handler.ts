import { describeThrown, KeelsonError } from "../contract/errors.ts";
import type { Metrics } from "../contract/metrics.ts";
import type { Clock, Log } from "../contract/platform.ts";
import type { MaybePromise, Value } from "../contract/value.ts";
import { Breaker, type BreakerOptions, type BreakerPass } from "../primitives/breaker.ts";
import type { DeadlineQueue } from "../primitives/deadline.ts";
import { isPromise } from "../primitives/deferred.ts";
import { refusals } from "../primitives/quarantine.ts";

/** What handlers need of the world; one for all handlers of a kernel. */
export interface HandlerWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly deadlines: DeadlineQueue;
  readonly breaker: BreakerOptions;
}

/** What a handler was registered with. */
export interface HandlerRecord {
  readonly hook: string;
  readonly type: "filter" | "action";
  /** Undefined for the host's own. */
  readonly module: string | undefined;
  readonly run: (...args: Value[]) => MaybePromise<unknown>;
  readonly priority: number;
  readonly timeoutMs: number;
  /** Which of its module's registrations it is, from 0: what a new generation registers at the same place comes after it. */
  readonly order: number;
}

/** Stands for "this handler was skipped", told apart from every value that a handler can return. */
export const SKIPPED: unique symbol = Symbol("skipped");

/** One handler of one hook, with its breaker: whatever it does, the run that called it goes on. */
export class HookHandler {
  readonly priority: number;
  readonly module: string | undefined;
  readonly order: number;
  /** Whether a run may call it; one that began before it left calls what came after it. */
  active = false;
  readonly #world: HandlerWorld;
  readonly #record: HandlerRecord;
  readonly #breaker: Breaker;
  /** What lets the runs that wait for this handler go when it is closed, and what they wait for. */
  readonly #waiting = new Map<() => void, Promise<unknown>>();
  #metrics: (Metrics & Disposable) | undefined;
  #closed = false;

  constructor(world: HandlerWorld, record: HandlerRecord) {
    this.#world = world;
    this.#record = record;
    this.priority = record.priority;
    this.module = record.module;
    this.order = record.order;
    this.#breaker = new Breaker(world.clock, world.breaker);
  }

  /** What runs wait for from this handler now. None of it rejects. */
  get unanswered(): Iterable<Promise<unknown>> {
    return this.#waiting.values();
  }

  /**
   * Calls the handler, once. Never throws and never rejects: a failure, a time-out, a closed handler and one that is cut off all
   * answer {@link SKIPPED}. A handler that answers at once costs no promise.
   */
  call(args: Value[]): unknown {
    if (this.#closed) return SKIPPED;
    const pass = this.#breaker.enter();
    if (pass === undefined) return SKIPPED;
    try {
      const result = this.#record.run(...args);
      if (isPromise(result)) return this.#wait(result, pass);
      this.#breaker.succeeded(pass);
      return result;
    } catch (error) {
      this.#failed(error, pass);
      return SKIPPED;
    }
  }

  /** Is never called again; runs that wait for it go on at once, and its series vanish. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const release of this.#waiting.keys()) release();
    this.#waiting.clear();
    this.#metrics?.[Symbol.dispose]();
    this.#metrics = undefined;
  }

  #wait(result: PromiseLike<unknown>, pass: BreakerPass): Promise<unknown> {
    const { clock, deadlines } = this.#world;
    const { timeoutMs } = this.#record;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const settle = (value: unknown): void => {
      if (deadline !== undefined) deadlines.cancel(deadline);
      this.#waiting.delete(release);
      resolve(value);
    };
    const fail = (error: unknown): void => {
      if (!this.#waiting.has(release)) return;
      this.#failed(error, pass);
      settle(SKIPPED);
    };
    const release = (): void => settle(SKIPPED);
    this.#waiting.set(release, promise);
    const deadline =
      timeoutMs === Infinity
        ? undefined
        : deadlines.add(clock.now() + timeoutMs, () =>
            fail(new KeelsonError("DEADLINE_EXCEEDED", `it did not settle within ${timeoutMs} ms`)),
          );
    // Through a promise of our own: a foreign thenable may throw, or settle twice, or in the midst of this call.
    Promise.resolve(result).then((value) => {
      if (!this.#waiting.has(release)) return;
      this.#breaker.succeeded(pass);
      settle(value);
    }, fail);
    return promise;
  }

  #failed(error: unknown, pass: BreakerPass): void {
    const { hook, type } = this.#record;
    const module = this.module ?? "host";
    // Nothing was run, and the quarantine ends by itself, long before a handler that was cut off is back. It has told of itself, too.
    const refused = refusals.has(error as object);
    if (refused) this.#breaker.abandoned(pass);
    const opened = !refused && this.#breaker.failed(pass);
    this.#world.log.write(
      refused ? "debug" : "warn",
      `A handler of the ${type} "${hook}" failed and was skipped: ${describeThrown(error)}`,
      {
        hook,
        type,
        module,
        cutOff: opened,
      },
    );
    if (this.#closed) return;
    this.#metrics ??= this.#world.metrics.scoped({ hook, module });
    this.#metrics
      .counter("keelson_hook_failures_total", { help: "Calls of hook handlers that failed." })
      .add();
    if (opened) {
      this.#metrics
        .counter("keelson_hook_cutoffs_total", {
          help: "Times that a handler which failed too often was cut off.",
        })
        .add();
    }
  }
}
