import type { Call, CallOptions } from "../contract/call.ts";
import { KeelsonError } from "../contract/errors.ts";
import type { ModuleContext } from "../contract/module.ts";
import type { Clock } from "../contract/platform.ts";
import type { Measured, MeasureOptions, Measurement } from "../contract/usage.ts";
import type { MaybePromise, Value } from "../contract/value.ts";
import type { Life, PendingCall } from "../lifecycle/life.ts";
import { isPromise } from "../primitives/deferred.ts";
import { given } from "../primitives/given.ts";
import { invalidOptions, isSignal, shown } from "../primitives/invalid-options.ts";
import type { DeadlineQueue } from "../primitives/deadline.ts";
import { callFailed, CallFrame, nameOf, type CallMeter, type CallRouter } from "./call.ts";
import { unknownModule } from "./dependencies.ts";
import type { Entry } from "./entry.ts";
import type { Trial } from "./stop-guard.ts";
import { cannotRecord, createMeasurement, measuredError, measuredValue } from "./measured.ts";

/**
 * The way of a call, straight down and up again. A plain value from the module costs one frame, two clock reads and a resolved promise; timer,
 * signal and listener come only with a promise, an event only with a failure.
 */
export class Router implements CallRouter {
  readonly clock: Clock;
  readonly deadlines: DeadlineQueue;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #timeoutMs: number;

  constructor(
    entries: ReadonlyMap<string, Entry>,
    clock: Clock,
    deadlines: DeadlineQueue,
    timeoutMs: number,
  ) {
    this.#entries = entries;
    this.clock = clock;
    this.deadlines = deadlines;
    this.#timeoutMs = timeoutMs;
  }

  invoke(
    id: string,
    method: string,
    payload: Value,
    options: CallOptions | undefined,
    parent: Call | undefined,
    from?: ModuleContext,
  ): Promise<Value> {
    const entry = this.#entries.get(id);
    const life = entry?.open;
    // All that is rare lies apart: engines compile what a call runs through as one piece only while it is small.
    if (entry === undefined || life === undefined || !fits(options))
      return this.#aside(id, entry, method, payload, options, parent, from);
    const frame = this.#frame(entry, method, payload, options, parent);
    let value: MaybePromise<Value>;
    try {
      const { module } = life;
      if (module?.call === undefined) throw noMethod(frame);
      this.#refuseLate(frame, options);
      value = module.call(frame);
      if (isPromise(value)) return frame.settle(life, value, entry);
    } catch (thrown) {
      return Promise.reject(this.#failed(entry, frame, thrown));
    }
    entry.ended(this.clock.now() - frame.startedAt, undefined);
    return Promise.resolve(value);
  }

  invokeSync(id: string, method: string, payload: Value, parent: Call | undefined): Value {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw unknownModule(id);
    const life = entry.open ?? entry.openInside(parent);
    if (life !== undefined) return this.#answerSync(entry, life, method, payload, parent);
    const admitted = entry.admit();
    if (admitted === undefined) throw notRunning(entry);
    return onTrial(admitted.trial, () => this.#answerSync(entry, admitted.life, method, payload, parent));
  }

  #answerSync(entry: Entry, life: Life, method: string, payload: Value, parent: Call | undefined): Value {
    const { id } = entry;
    const frame = this.#frame(entry, method, payload, undefined, parent);
    let value: MaybePromise<Value>;
    let later: boolean;
    try {
      if (life.module?.call === undefined) throw noMethod(frame);
      this.#refuseLate(frame, undefined);
      value = life.module.call(frame);
      later = isPromise(value);
    } catch (thrown) {
      throw this.#failed(entry, frame, thrown);
    }
    if (!later) {
      entry.ended(this.clock.now() - frame.startedAt, undefined);
      return value as Value;
    }
    const error = new KeelsonError("WOULD_BLOCK", `${nameOf(frame)} answers with a promise`, {
      hint: "use invoke() instead of invokeSync()",
      details: { id, method },
    });
    frame.settle(life, value as Promise<Value>, entry).catch(() => {});
    frame.fail(error);
    throw error;
  }

  /** `invoke` on a way of its own, so that a plain call carries nothing of it. */
  async measure(
    id: string,
    method: string,
    payload: Value,
    options: MeasureOptions | undefined,
  ): Promise<Measured> {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw unknownModule(id);
    requireFit(options);
    const measurement = createMeasurement(options?.record === true);
    const frame = this.#frame(entry, method, payload, options, undefined, measurement);
    for (let { parked } = entry; parked !== undefined; { parked } = entry)
      await parked.wait(frame, options?.signal);
    let value: Value;
    try {
      value = await this.#enter(entry, frame, options);
    } catch (error) {
      throw await measuredError(error as KeelsonError, measurement);
    }
    return measuredValue(value, measurement);
  }

  /** Answers where a call may not pass straight on: on trial, or not at all. */
  #enter(entry: Entry, frame: CallFrame, options: CallOptions | undefined): MaybePromise<Value> {
    if (entry.open !== undefined) return this.#answer(entry, entry.open, frame, options);
    const admitted = entry.admit();
    if (admitted === undefined) throw notRunning(entry);
    return onTrial(admitted.trial, () => this.#answer(entry, admitted.life, frame, options));
  }

  #answer(entry: Entry, life: Life, frame: CallFrame, options: CallOptions | undefined): MaybePromise<Value> {
    const record = frame.measurement?.record === true;
    try {
      const { module } = life;
      if (module?.call === undefined) throw noMethod(frame);
      if (record && module.record === undefined) throw cannotRecord(entry.id, entry.definition.metadata.kind);
      this.#refuseLate(frame, options);
      const value = record && module.record !== undefined ? module.record(frame) : module.call(frame);
      if (isPromise(value)) return frame.settle(life, value, entry);
      entry.ended(this.clock.now() - frame.startedAt, undefined);
      return value;
    } catch (thrown) {
      throw this.#failed(entry, frame, thrown);
    }
  }

  async *stream(
    id: string,
    method: string,
    payload: Value,
    options: CallOptions | undefined,
  ): AsyncGenerator<Value> {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw unknownModule(id);
    requireFit(options);
    const admitted = entry.open === undefined ? entry.admit() : undefined;
    const life = entry.open ?? admitted?.life;
    if (life === undefined) throw notRunning(entry);
    const frame = this.#frame(entry, method, payload, options, undefined);
    if (life.module?.stream === undefined) {
      const error = this.#failed(entry, frame, noMethod(frame));
      admitted?.trial.ended(error);
      throw error;
    }
    const hold = new StreamHold();
    life.began(hold);
    let iterator: AsyncIterator<Value> | undefined;
    let over = false;
    let waitsForReader = false;
    const end = (failure: KeelsonError | undefined): void => {
      if (over) return;
      over = true;
      if (timer !== undefined) this.deadlines.cancel(timer);
      life.ended(hold);
      entry.ended(this.clock.now() - frame.startedAt, failure);
      admitted?.trial.ended(failure);
      // Not awaited for ever: a module that hangs in its own clean-up must not hold the caller.
      void iterator?.return?.()?.then(undefined, () => {});
    };
    // A reader that never comes back must not keep the instance, the trial or a drain for longer than a call may take.
    const onDeadline = (): void => {
      hold.fail(frame.tooLate());
      if (waitsForReader) end(hold.error);
    };
    const timer = frame.deadline < Infinity ? this.deadlines.add(frame.deadline, onDeadline) : undefined;
    let failure: KeelsonError | undefined;
    try {
      iterator = life.module.stream(frame)[Symbol.asyncIterator]();
      for (;;) {
        if (hold.error !== undefined) throw hold.error;
        const step = (await frame.settle(
          life,
          iterator.next() as unknown as PromiseLike<Value>,
          uncounted,
        )) as unknown as IteratorResult<Value>;
        if (step.done === true) break;
        waitsForReader = true;
        yield step.value;
        waitsForReader = false;
      }
    } catch (thrown) {
      failure = callFailed(frame, thrown);
      throw failure;
    } finally {
      end(failure);
    }
  }

  #frame(
    entry: Entry,
    method: string,
    payload: Value,
    options: CallOptions | undefined,
    parent: Call | undefined,
    measurement?: Measurement,
  ): CallFrame {
    const now = this.clock.now();
    const asked = options?.timeoutMs ?? this.#timeoutMs;
    let deadline = now + (asked < entry.maxCallMs ? asked : entry.maxCallMs);
    if (parent !== undefined && parent.deadline < deadline) deadline = parent.deadline;
    return new CallFrame(
      this,
      entry.id,
      method,
      payload,
      parent,
      now,
      deadline,
      options?.signal,
      measurement,
    );
  }

  #refuseLate(frame: CallFrame, options: CallOptions | undefined): void {
    if (options?.signal?.aborted === true) throw frame.aborted();
    if (frame.deadline <= frame.startedAt) throw frame.tooLate();
  }

  #failed(entry: Entry, frame: CallFrame, thrown: unknown): KeelsonError {
    const error = callFailed(frame, thrown);
    entry.ended(this.clock.now() - frame.startedAt, error);
    return error;
  }

  /** A call that may not pass straight on. */
  async #aside(
    id: string,
    entry: Entry | undefined,
    method: string,
    payload: Value,
    options: CallOptions | undefined,
    parent: Call | undefined,
    from: ModuleContext | undefined,
  ): Promise<Value> {
    if (entry === undefined) throw unknownModule(id);
    requireFit(options);
    const frame = this.#frame(entry, method, payload, options, parent);
    if (entry.parked === undefined) return this.#enter(entry, frame, options);
    const life = entry.openInside(parent, from);
    if (life !== undefined) return this.#answer(entry, life, frame, options);
    await entry.parked.wait(frame, options?.signal);
    const timeoutMs = frame.deadline - this.clock.now();
    return this.invoke(id, method, payload, { ...options, timeoutMs }, parent);
  }
}

/** Runs a call that decides whether its module's quarantine ends. */
function onTrial<T extends MaybePromise<Value>>(trial: Trial, run: () => T): T {
  let value: T;
  try {
    value = run();
  } catch (error) {
    trial.ended(error);
    throw error;
  }
  if (!isPromise(value)) {
    trial.ended(undefined);
    return value;
  }
  value.then(
    () => trial.ended(undefined),
    (error: unknown) => trial.ended(error),
  );
  return value;
}

class StreamHold implements PendingCall {
  place = -1;
  error: KeelsonError | undefined;

  fail(error: KeelsonError): void {
    this.error ??= error;
  }
}

const uncounted: CallMeter = { ended() {} };

/**
 * A deadline that is not a number would never pass, and would stand before all others in their queue; what is negative is over already. A signal
 * that cannot be listened to would be found out when the module works already.
 */
function fits(options: CallOptions | undefined): boolean {
  if (options == null) return true;
  const { timeoutMs, signal } = options;
  return (
    (timeoutMs === undefined || (typeof timeoutMs === "number" && timeoutMs === timeoutMs)) &&
    isSignal(signal)
  );
}

function requireFit(options: CallOptions | undefined): void {
  if (fits(options)) return;
  const { timeoutMs, signal } = options ?? {};
  throw invalidOptions(
    `The call's timeoutMs is ${shown(timeoutMs)}, its signal ${shown(signal)}`,
    "give a number of milliseconds or Infinity, and an AbortSignal, or neither",
  );
}

function noMethod(frame: CallFrame): KeelsonError {
  const { module: id, method } = frame;
  return new KeelsonError("UNKNOWN_METHOD", `There is no method ${nameOf(frame)}`, {
    hint: "a module answers calls by its function call, and streams by stream; this one lacks it",
    details: { id, method },
  });
}

function notRunning(entry: Entry): KeelsonError {
  const { id, state } = entry;
  return new KeelsonError("MODULE_NOT_RUNNING", `Module "${id}" is ${state} and takes no calls`, {
    hint:
      state === "failed"
        ? `see the cause; unless its supervisor does so, start("${id}") again`
        : `call start("${id}") and wait for it`,
    details: { id, state },
    ...given({ cause: entry.active.error }),
  });
}
