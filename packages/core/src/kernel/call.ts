import { asKeelsonError, KeelsonError } from "../contract/errors.ts";
import type { Call, CallOptions } from "../contract/call.ts";
import type { ModuleContext } from "../contract/module.ts";
import type { Clock } from "../contract/platform.ts";
import { stopOf, type Measurement, type StopReason } from "../contract/usage.ts";
import type { Value } from "../contract/value.ts";
import type { Life, PendingCall } from "../lifecycle/life.ts";
import { controllerWith } from "../primitives/abort.ts";
import type { DeadlineQueue, PendingDeadline } from "../primitives/deadline.ts";

/** What calls need of the kernel they run in. */
export interface CallRouter {
  readonly clock: Clock;
  readonly deadlines: DeadlineQueue;
  invoke(
    id: string,
    method: string,
    payload: Value,
    options: CallOptions | undefined,
    parent: Call | undefined,
    /** Of the module that calls, where no call of its own is the parent. */
    from?: ModuleContext,
  ): Promise<Value>;
  invokeSync(id: string, method: string, payload: Value, parent: Call | undefined): Value;
}

/** What a module's calls are counted by. */
export interface CallMeter {
  /** @param ms time from entry to end */
  ended(ms: number, error: KeelsonError | undefined): void;
  /** What a module threw after its caller had got another answer: a guest in another thread may hear of its deadline later than the caller. */
  endedLate?(startedAt: number, thrown: unknown): void;
}

/**
 * The one implementation of {@link Call}. It is made for each call, so it holds no more than a call needs: the signal, the timer
 * and the listener on the caller's signal are made only when asked for, or when a promise comes back.
 */
export class CallFrame implements Call, PendingCall {
  readonly module: string;
  readonly method: string;
  readonly payload: Value;
  readonly parent: Call | undefined;
  readonly deadline: number;
  readonly measurement: Measurement | undefined;
  readonly startedAt: number;
  place = -1;
  readonly #router: CallRouter;
  readonly #callerSignal: AbortSignal | undefined;
  #controller: AbortController | undefined;
  #failure: KeelsonError | undefined;
  #fail: ((error: KeelsonError) => void) | undefined;
  /** Calls made inside this one that have not ended: its end is theirs. */
  #children: Set<CallFrame> | undefined;

  constructor(
    router: CallRouter,
    module: string,
    method: string,
    payload: Value,
    parent: Call | undefined,
    startedAt: number,
    deadline: number,
    callerSignal: AbortSignal | undefined,
    measurement: Measurement | undefined,
  ) {
    this.#router = router;
    this.module = module;
    this.method = method;
    this.payload = payload;
    this.parent = parent;
    this.startedAt = startedAt;
    this.deadline = deadline;
    this.#callerSignal = callerSignal;
    this.measurement = measurement;
  }

  get signal(): AbortSignal {
    const controller = (this.#controller ??= controllerWith(this.#failure));
    // Looked at whenever it is read: nobody listens to the caller's signal while a synchronous answer is on its way.
    if (this.#callerSignal?.aborted === true && !controller.signal.aborted) controller.abort(this.aborted());
    return controller.signal;
  }

  invoke(id: string, method: string, payload?: Value, options?: CallOptions): Promise<Value> {
    return this.#router.invoke(id, method, payload, options, this);
  }

  invokeSync(id: string, method: string, payload?: Value): Value {
    return this.#router.invokeSync(id, method, payload, this);
  }

  fail(error: KeelsonError): void {
    this.#fail?.(error);
  }

  /**
   * The result for the caller: the module's promise, raced with the deadline, the caller's signal and the end of the generation.
   * Whatever comes first, timer and listener are gone afterwards.
   */
  settle(life: Life, promise: PromiseLike<Value>, meter: CallMeter): Promise<Value> {
    const { clock, deadlines } = this.#router;
    return new Promise<Value>((resolve, reject) => {
      let timer: PendingDeadline | undefined;
      const callerSignal = this.#callerSignal;
      const parent = this.parent instanceof CallFrame ? this.parent : undefined;
      const onAbort = (): void => this.fail(this.aborted());
      const end = (): boolean => {
        if (this.#fail === undefined) return false;
        this.#fail = undefined;
        if (timer !== undefined) deadlines.cancel(timer);
        // Left in place, it keeps what is around it alive until V8's next full collection: 12 ms a scavenge instead of under one.
        timer = undefined;
        callerSignal?.removeEventListener("abort", onAbort);
        if (parent !== undefined) parent.#children?.delete(this);
        life.ended(this);
        return true;
      };
      this.#fail = (error) => {
        if (!end()) return;
        this.#failure = error;
        meter.ended(clock.now() - this.startedAt, error);
        reject(error);
        this.#controller?.abort(error);
        if (this.#children !== undefined) for (const child of [...this.#children]) child.fail(error);
      };
      life.began(this);
      if (parent !== undefined) (parent.#children ??= new Set()).add(this);
      const onDeadline = (): void => {
        const reportMs = life.module?.stopReportMs;
        if (reportMs === undefined) return this.fail(this.tooLate());
        // Its guest is about to say how it was stopped.
        this.#failure = this.tooLate();
        timer = deadlines.add(clock.now() + reportMs, () => this.fail(this.tooLate("deadline")));
        this.#controller?.abort(this.#failure);
      };
      if (this.deadline !== Infinity) timer = deadlines.add(this.deadline, onDeadline);
      callerSignal?.addEventListener("abort", onAbort);
      // Through a promise of its own: the "then" of what is none may throw, answer twice, or with another like it.
      (promise instanceof Promise ? promise : Promise.resolve(promise)).then(
        (value: Value) => {
          if (this.#failure !== undefined) return this.fail(this.#failure);
          if (!end()) return;
          meter.ended(clock.now() - this.startedAt, undefined);
          resolve(value);
        },
        (thrown: unknown) => {
          const late = this.#failure;
          if (!end()) {
            if (stopOf(late, this.module) === undefined) meter.endedLate?.(this.startedAt, thrown);
            return;
          }
          const error =
            late !== undefined && stopOf(thrown, this.module) === undefined ? late : callFailed(this, thrown);
          meter.ended(clock.now() - this.startedAt, error);
          reject(error);
        },
      );
      if (callerSignal?.aborted === true) onAbort();
      else if (parent !== undefined && parent.#failure !== undefined) this.fail(parent.#failure);
    });
  }

  /** The error of a call that its caller gave up. */
  aborted(): KeelsonError {
    return new KeelsonError("ABORTED", `The call of ${nameOf(this)} was aborted by its caller`, {
      hint: "the signal given to the call fired; the cause is its reason",
      details: { id: this.module, method: this.method },
      cause: this.#callerSignal?.reason,
    });
  }

  /** The error of a call whose time is over. @param limit set when its guest ran, and has to be stopped */
  tooLate(limit?: StopReason): KeelsonError {
    const timeoutMs = Math.round(this.deadline - this.startedAt);
    return new KeelsonError("DEADLINE_EXCEEDED", `${nameOf(this)} did not answer within ${timeoutMs} ms`, {
      hint: "give it more time with timeoutMs, or find out what it waits for",
      details: {
        id: this.module,
        method: this.method,
        timeoutMs,
        ...(limit === undefined ? {} : { module: this.module, limit }),
      },
    });
  }
}

/** What messages call a call. Callers without types give what no template takes: a symbol, an object that cannot be printed. */
export function nameOf({ module, method }: Pick<Call, "module" | "method">): string {
  return `"${module}".${typeof method === "string" ? method : typeof method}`;
}

/** What a module threw, as the caller gets it. */
export function callFailed(call: Pick<Call, "module" | "method">, thrown: unknown): KeelsonError {
  return asKeelsonError(thrown, "CALL_FAILED", `${nameOf(call)} failed`, {
    hint: "the cause is what the module threw; the module runs on",
    details: { id: call.module, method: call.method },
  });
}
