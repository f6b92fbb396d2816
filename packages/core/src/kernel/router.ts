import type { Call, CallOptions } from "../contract/call.ts";
import { KeelsonError } from "../contract/errors.ts";
import type { ModuleContext } from "../contract/module.ts";
import type { Clock } from "../contract/platform.ts";
import type { Measured, MeasureOptions, Measurement } from "../contract/usage.ts";
import type { MaybePromise, Value } from "../contract/value.ts";
import type { Life } from "../lifecycle/life.ts";
import { callOptions, fits, requireFit } from "../primitives/call-options.ts";
import { isPromise } from "../primitives/deferred.ts";
import type { DeadlineQueue } from "../primitives/deadline.ts";
import { requireOptions } from "../primitives/invalid-options.ts";
import { callFailed, CallFrame, nameOf, type CallRouter } from "./call.ts";
import { unknownModule } from "./dependencies.ts";
import type { Entry } from "./entry.ts";
import type { Trial } from "./stop-guard.ts";
import { cannotRecord, createMeasurement, measuredError, measuredValue } from "./measured.ts";
import { noMethod, notRunning } from "./refusals.ts";
import { streamCall } from "./stream.ts";

const MEASURE_OPTIONS = { ...callOptions, record: "boolean" } as const;

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
    const frame = this.frame(entry, method, payload, options, parent);
    let value: MaybePromise<Value>;
    try {
      const { module } = life;
      if (module?.call === undefined) throw noMethod(frame);
      this.#refuseLate(frame, options);
      value = module.call(frame);
      if (isPromise(value)) return frame.settle(life, value, entry);
    } catch (thrown) {
      return Promise.reject(this.failed(entry, frame, thrown));
    }
    entry.ended(this.clock.now() - frame.startedAt, undefined);
    return Promise.resolve(value);
  }

  invokeSync(id: string, method: string, payload: Value, parent: Call | undefined): Value {
    const entry = this.find(id);
    const life = entry.open ?? entry.openInside(parent);
    if (life !== undefined) return this.#answerSync(entry, life, method, payload, parent);
    const admitted = entry.admit();
    if (admitted === undefined) throw notRunning(entry);
    return onTrial(admitted.trial, () => this.#answerSync(entry, admitted.life, method, payload, parent));
  }

  #answerSync(entry: Entry, life: Life, method: string, payload: Value, parent: Call | undefined): Value {
    const { id } = entry;
    const frame = this.frame(entry, method, payload, undefined, parent);
    let value: MaybePromise<Value>;
    let later: boolean;
    try {
      if (life.module?.call === undefined) throw noMethod(frame);
      this.#refuseLate(frame, undefined);
      value = life.module.call(frame);
      later = isPromise(value);
    } catch (thrown) {
      throw this.failed(entry, frame, thrown);
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
    const entry = this.find(id);
    requireOptions("call", options, MEASURE_OPTIONS, Infinity);
    requireFit(options, "record");
    const measurement = createMeasurement(options?.record === true);
    const frame = this.frame(entry, method, payload, options, undefined, measurement);
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
      throw this.failed(entry, frame, thrown);
    }
  }

  stream(
    id: string,
    method: string,
    payload: Value,
    options: CallOptions | undefined,
  ): AsyncGenerator<Value> {
    return streamCall(this, id, method, payload, options);
  }

  /** @throws KeelsonError `UNKNOWN_MODULE` */
  find(id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw unknownModule(id, this.#entries);
    return entry;
  }

  /** A call that begins now, and ends by the earliest of the deadlines that hold for it. */
  frame(
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

  /** The error of a call that failed before anything of it was left to wait for; counted. */
  failed(entry: Entry, frame: CallFrame, thrown: unknown): KeelsonError {
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
    if (entry === undefined) throw unknownModule(id, this.#entries);
    requireFit(options);
    const frame = this.frame(entry, method, payload, options, parent);
    if (entry.parked === undefined) return this.#enter(entry, frame, options);
    const life = entry.openInside(parent, from);
    if (life !== undefined) return this.#answer(entry, life, frame, options);
    await entry.parked.wait(frame, options?.signal);
    // It may have been let go on in the very moment in which its time was over.
    const timeoutMs = Math.max(0, frame.deadline - this.clock.now());
    // Options may be of a class, whose members a spread would lose.
    return this.invoke(id, method, payload, { timeoutMs, signal: options?.signal }, parent);
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
