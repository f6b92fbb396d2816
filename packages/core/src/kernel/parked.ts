import { KeelsonError } from "../contract/errors.ts";
import { Deferred } from "../primitives/deferred.ts";
import type { DeadlineQueue } from "../primitives/deadline.ts";
import type { CallFrame } from "./call.ts";

/** Calls that wait while a module without overlap is replaced; bounded, each by its own deadline and signal. */
export class ParkedCalls {
  readonly #id: string;
  readonly #max: number;
  readonly #deadlines: DeadlineQueue;
  readonly #waiting: Set<Deferred> = new Set();

  constructor(id: string, max: number, deadlines: DeadlineQueue) {
    this.#id = id;
    this.#max = max;
    this.#deadlines = deadlines;
  }

  /**
   * Resolves when the replacement is done.
   * @throws KeelsonError `DEADLINE_EXCEEDED`, `ABORTED`, or `MODULE_NOT_RUNNING` when too many wait
   */
  async wait(call: CallFrame, signal: AbortSignal | undefined): Promise<void> {
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
    const onAbort = (): void => deferred.reject(call.aborted());
    const { deadline } = call;
    const onDeadline = (): void => {
      const timeoutMs = Math.round(deadline - call.startedAt);
      deferred.reject(
        new KeelsonError(
          "DEADLINE_EXCEEDED",
          `Module "${this.#id}" was not replaced within the call's ${timeoutMs} ms`,
          { details: { id: this.#id, timeoutMs } },
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
