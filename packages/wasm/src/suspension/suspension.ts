import type { Call } from "@keelson/core";
import { isKeelsonError, KeelsonError } from "@keelson/core/plain";
import type { Governor } from "../governor/index.ts";
import { type HostFunction, isPromise } from "./host-functions.ts";
import type { Turns } from "./turns.ts";
import type { Waiting } from "./waiting-line.ts";

/** An export that answers by promise, since its guest may be suspended on the way. */
export type LaterFunction<A extends readonly unknown[] = readonly unknown[], R = unknown> = (
  ...args: A
) => Promise<R>;

/**
 * What is known of one guest that may be suspended: the call in progress, what its stack waits for, and how to end it from outside. The
 * guest's own stack lies with the engine; it comes back when what it waits for settles.
 */
export class Suspension {
  /** True once the guest must never run again. */
  ended = false;
  readonly #id: string;
  readonly #governor: Governor | undefined;
  readonly #now: () => number;
  readonly #turns: Turns | undefined;
  #call: Call | undefined;
  /** Told when the call is ended from outside. */
  #onEnd: ((error: unknown) => void) | undefined;
  /** Lets the stack come back with an answer that means nothing, so that it ends; undefined when it does not wait. */
  #release: (() => void) | undefined;
  #listening: AbortSignal | undefined;
  readonly #abort = (): void => this.#aborted();
  // One of each for all slices: there are thousands a second.
  /** Ends the wait for a turn. */
  #goOn: () => void = () => {};
  readonly #place: Waiting = {
    resume: () => {
      this.#release = undefined;
      this.#governor?.wake();
      this.#goOn();
    },
    before: undefined,
    behind: undefined,
  };
  readonly #leaveLine = (): void => {
    this.#turns?.leave(this.#place);
    this.#goOn();
  };

  /** @param turns set for a guest that shares the thread in slices */
  constructor(id: string, governor: Governor | undefined, now: () => number, turns?: Turns) {
    this.#id = id;
    this.#governor = governor;
    this.#now = now;
    this.#turns = turns;
    if (governor !== undefined && turns !== undefined) {
      governor.nextTurn = (time) => (turns.mayRun(time) ? undefined : this.#nextTurn(turns, time));
    }
  }

  /** Whether a call is in progress. */
  get busy(): boolean {
    return this.#call !== undefined;
  }

  /** A call begins; `onEnd` is told when it is ended before it has answered. */
  begin(call: Call, onEnd: (error: unknown) => void): void {
    this.#call = call;
    this.#onEnd = onEnd;
  }

  /** The call has answered, or failed by itself. */
  finish(): void {
    this.#call = undefined;
    this.#onEnd = undefined;
    this.#listening?.removeEventListener("abort", this.#abort);
    this.#listening = undefined;
  }

  /** Ends the guest because its instance is: the call in progress, if any, fails with `MODULE_NOT_RUNNING`. */
  dispose(): void {
    this.#end("ABORTED", () => stopped(this.#id));
  }

  /** Ends the guest, and with it the call in progress. What its stack waits for may settle later: nothing of the guest runs then. */
  #end(code: "DEADLINE_EXCEEDED" | "ABORTED", error: (stop: unknown) => unknown): void {
    if (this.ended) return;
    this.ended = true;
    const onEnd = this.#onEnd;
    this.finish();
    const stop = this.#governor?.abandon(code, code === "ABORTED" ? "signal" : "deadline");
    onEnd?.(error(stop));
    // Only metered code is sure to stop when its stack comes back. Any other stays where it is, stack, memory and all, until the process ends: V8 collects no
    // stack that waits.
    const release = this.#release;
    this.#release = undefined;
    if (this.#governor !== undefined) release?.();
  }

  /** An export as one that may be suspended. Call it between {@link begin} and {@link finish}. */
  later<A extends readonly unknown[], R>(run: (...args: A) => R): LaterFunction<A, R> {
    const promising = (WebAssembly.promising as NonNullable<typeof WebAssembly.promising>)(
      run as unknown as (...args: never[]) => unknown,
    ) as unknown as LaterFunction<A, R>;
    const governor = this.#governor;
    if (governor === undefined) return promising;
    const enter: LaterFunction<A, R> = (...args) => {
      governor.wake();
      const answer = promising(...args);
      // It has returned or is suspended: either way it does not run, whatever the caller does before it looks at the promise.
      governor.pause();
      return answer;
    };
    const turns = this.#turns;
    if (turns === undefined) return enter;
    return (...args) => {
      const now = this.#now();
      if (turns.mayRun(now)) return enter(...args);
      return this.#nextTurn(turns, now).then(() => {
        if (this.ended) throw gone(this.#id);
        return enter(...args);
      });
    };
  }

  /**
   * A host function as an import that suspends its caller.
   *
   * @param neutral what stands for its answer when nobody waits for it any more
   */
  suspend(run: HostFunction, neutral: { readonly value: unknown } | undefined): WebAssembly.ImportValue {
    const Suspending = WebAssembly.Suspending as NonNullable<typeof WebAssembly.Suspending>;
    const call = this.hold(run);
    const wait = (...args: unknown[]): unknown => {
      const answer = call(...args);
      return isPromise(answer) ? this.#wait(answer, neutral) : answer;
    };
    return new Suspending(wait) as unknown as WebAssembly.ImportValue;
  }

  /** A host function as an import of a guest that may be suspended: what it calls shares the guest's stack. */
  hold(run: HostFunction): HostFunction {
    const governor = this.#governor;
    return (...args) => {
      if (this.ended) throw gone(this.#id);
      if (governor === undefined) return run(...args);
      const before = governor.holdThread();
      try {
        return run(...args);
      } finally {
        governor.releaseThread(before);
      }
    };
  }

  /** Waits until the other guests on the thread have had theirs; never rejects. */
  #nextTurn(turns: Turns, now: number): Promise<void> {
    return new Promise((resolve) => {
      this.#goOn = resolve;
      this.#waitUntil(this.#leaveLine, now);
      // Given up in the same moment, it has its answer already.
      if (!this.ended) turns.wait(this.#place, now);
    });
  }

  /** The guest's stack waits; `release` lets it come back at once. */
  #waitUntil(release: () => void, now?: number): void {
    this.#release = release;
    this.#governor?.pause(now);
    const signal = this.#call?.signal;
    if (signal === undefined || signal === this.#listening) return;
    this.#listening = signal;
    if (signal.aborted) this.#aborted();
    else signal.addEventListener("abort", this.#abort);
  }

  #wait(answer: PromiseLike<unknown>, neutral: { readonly value: unknown } | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let waiting = true;
      const settled = (): boolean => {
        if (!waiting || this.ended) return false;
        waiting = false;
        this.#release = undefined;
        return true;
      };
      answer.then(
        (value) => {
          if (settled()) resolve(value);
        },
        (error: unknown) => {
          if (settled()) reject(error);
        },
      );
      this.#waitUntil(() => {
        waiting = false;
        if (neutral !== undefined) resolve(neutral.value);
      });
    });
  }

  #aborted(): void {
    const call = this.#call;
    if (call === undefined) return;
    const reason: unknown = call.signal.reason;
    const late = isKeelsonError(reason, "DEADLINE_EXCEEDED") || this.#now() >= call.deadline;
    const code = late ? "DEADLINE_EXCEEDED" : "ABORTED";
    this.#end(code, (stop) => stop ?? ended(this.#id, code, reason));
  }
}

function ended(id: string, code: "DEADLINE_EXCEEDED" | "ABORTED", cause: unknown): KeelsonError {
  return new KeelsonError(code, `${id}: the call ended while the guest waited for its host`, {
    hint: "its instance is discarded; nothing of the guest runs any more",
    cause,
  });
}

function stopped(id: string): KeelsonError {
  return new KeelsonError("MODULE_NOT_RUNNING", `${id}: the module was stopped while its guest waited`, {
    hint: "its instance is discarded; nothing of the guest runs any more",
  });
}

function gone(id: string): KeelsonError {
  return new KeelsonError("WASM_TRAP", `${id}: this guest was ended and may call nothing any more`, {
    hint: "its instance is discarded",
  });
}
