import { KeelsonError } from "../contract/errors.ts";
import type { Clock } from "../contract/platform.ts";
import { Deferred } from "../primitives/deferred.ts";
import type { DeadlineQueue } from "../primitives/deadline.ts";

/** Calls that wait while a module without overlap is replaced; bounded, each by its own deadline and signal. */
export class ParkedCalls {
  readonly #id: string;
  readonly #max: number;
  readonly #clock: Clock;
  readonly #deadlines: DeadlineQueue;
  readonly #waiting: Set<Deferred> = new Set();

  constructor(id: string, max: number, clock: Clock, deadlines: DeadlineQueue) {
    this.#id = id;
    this.#max = max;
    this.#clock = clock;
    this.#deadlines = deadlines;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Resolves when the replacement is done.
   * @throws KeelsonError `DEADLINE_EXCEEDED`, `ABORTED`, or `MODULE_NOT_RUNNING` when too many wait
   */
  async wait(deadline: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.size >= this.#max) {
      throw new KeelsonError(
        "MODULE_NOT_RUNNING",
        `Module "${this.#id}" is being replaced and ${this.#max} calls wait already`,
        {
          hint: "try again in a moment, or raise maxParked",
          details: { id: this.#id },
        },
      );
    }
    const deferred = new Deferred();
    const waitedFrom = this.#clock.now();
    const onAbort = (): void =>
      deferred.reject(
        new KeelsonError("ABORTED", `The call of "${this.#id}" was aborted by its caller`, {
          cause: signal?.reason,
        }),
      );
    const onDeadline = (): void => {
      const timeoutMs = Math.round(deadline - waitedFrom);
      deferred.reject(
        new KeelsonError(
          "DEADLINE_EXCEEDED",
          `Module "${this.#id}" was not replaced within the call's ${timeoutMs} ms`,
          {
            details: { id: this.#id, timeoutMs },
          },
        ),
      );
    };
    const timer = deadline === Infinity ? undefined : this.#deadlines.add(deadline, onDeadline);
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted === true) onAbort();
    this.#waiting.add(deferred);
    try {
      await deferred.promise;
    } finally {
      this.#waiting.delete(deferred);
      if (timer !== undefined) this.#deadlines.cancel(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Lets all go on, in the order they came. */
  release(): void {
    for (const deferred of this.#waiting) deferred.resolve();
  }
}
