import type { Call } from "../contract/call.ts";
import { type ErrorCode, isKeelsonError, KeelsonError } from "../contract/errors.ts";
import type { Module, ModuleContext } from "../contract/module.ts";
import type { Lease, PoolOptions, Relief } from "../contract/pool.ts";
import type { MaybePromise, Value } from "../contract/value.ts";
import type { Instance, WasmModule } from "../contract/wasm.ts";
import { isPromise } from "../primitives/deferred.ts";
import { requireFunction } from "../primitives/invalid-options.ts";
import { parsePoolOptions } from "./options.ts";
import { SlotPool } from "./pool.ts";
import type { Slot } from "./slot.ts";

/**
 * Makes one generation of a module from a source of instances. init prepares, start warms `min` instances and fails if one
 * cannot be made, stop closes the pool. A call takes an instance at once if one is free or can be made at once, and then answers at once
 * if the instance does; else it waits, no longer than its deadline and the pool's `timeoutMs`. An instance that is dead after a call, or
 * whose call was cut off half-way, is discarded; any other error leaves it in use. A stream holds its lease from the first value asked
 * for until it ends or is returned.
 *
 * Use it as `create: () => pooled(source, options)`.
 *
 * @throws KeelsonError `INVALID_OPTIONS`
 */
export function pooled(source: WasmModule, options: PoolOptions = {}): Module {
  requireFunction("instantiate of a pooled source", source?.instantiate);
  return new PooledModule(source, options);
}

/** After these a guest's stack was thrown away in the midst of its work, whatever the instance says of itself. */
const cutOff: ReadonlySet<ErrorCode> = new Set([
  "WASM_TRAP",
  "OUT_OF_BOUNDS",
  "STACK_EXHAUSTED",
  "FUEL_EXHAUSTED",
  "DEADLINE_EXCEEDED",
  "ABORTED",
]);

/** Leaves time to destroy what did not drain within the default deadline of a stop, 5,000 ms. */
const DRAIN_MS = 4_000;

class PooledModule implements Module {
  readonly #source: WasmModule;
  readonly #options: PoolOptions;
  readonly #timeoutMs: number;
  readonly #callsOut: boolean;
  #pool: SlotPool<Instance> | undefined;
  #context: ModuleContext | undefined;
  #now: () => number = () => 0;
  /** What those who wait were refused with last; one object each time. */
  #refusal: KeelsonError | undefined;
  /** Only where the source can. */
  readonly record?: (call: Call) => MaybePromise<Value>;
  readonly stopReportMs?: number;

  constructor(source: WasmModule, options: PoolOptions) {
    this.#timeoutMs = parsePoolOptions(options).timeoutMs;
    this.#source = source;
    this.#callsOut = source.callsOut !== false;
    this.#options = options;
    const { record, stopReportMs } = source;
    if (stopReportMs !== undefined) this.stopReportMs = stopReportMs;
    if (record !== undefined) this.record = (call) => this.#record(record.bind(source), call);
  }

  async init(context: ModuleContext): Promise<void> {
    await this.#source.prepare?.(context);
  }

  async start(context: ModuleContext): Promise<void> {
    const { clock, metrics } = context;
    this.#context = context;
    const pool = new SlotPool<Instance>(
      {
        create: () => this.#source.instantiate(context),
        destroy: (instance) => instance[Symbol.dispose](),
        memoryBytes: (instance) => instance.memoryBytes,
        places: this.#source.places?.(context),
      },
      this.#options,
      { clock, metrics, name: `pool of "${context.id}"` },
    );
    // The scope ends when the stop has ended or failed: by then nobody waits for the calls any longer.
    context.scope.add({ [Symbol.asyncDispose]: () => pool.end() });
    this.#now = () => clock.now();
    await pool.warm();
    this.#pool = pool;
  }

  async stop(): Promise<void> {
    await this.#pool?.close({ timeoutMs: this.#options.drainMs ?? DRAIN_MS });
  }

  relieve(bytes: number): Relief {
    return this.#pool?.relieve(bytes) ?? { instances: 0, bytes: 0 };
  }

  call(call: Call): MaybePromise<Value> {
    const pool = this.#running(call);
    // A new object noted in an old one costs engines more than all else that taking it does.
    const noted = this.#callsOut ? call : undefined;
    const slot = pool.take(noted) ?? pool.grow(noted);
    return slot === undefined ? this.#callLater(pool, call) : run(slot, call);
  }

  /** Outside the pool: an instance that was never used before is not there to be had, and one that was recorded is worth nothing afterwards. */
  #record(record: NonNullable<WasmModule["record"]>, call: Call): MaybePromise<Value> {
    this.#running(call);
    return record(call, this.#context as ModuleContext);
  }

  async *stream(call: Call): AsyncGenerator<Value, void, undefined> {
    const pool = this.#running(call);
    const lease: Held = pool.take(call) ?? pool.grow(call) ?? (await this.#checkout(pool, call));
    const instance = lease.value;
    let failure: unknown;
    try {
      if (instance.stream === undefined) {
        throw new KeelsonError("UNKNOWN_METHOD", `"${call.module}".${call.method} does not stream`, {
          hint: "call it instead",
          details: { id: call.module, method: call.method },
        });
      }
      yield* instance.stream(call);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      endLease(lease, instance, failure);
    }
  }

  #running(call: Call): SlotPool<Instance> {
    if (this.#pool === undefined) throw notStarted(call);
    return this.#pool;
  }

  refuseWaiting(error: KeelsonError): void {
    this.#refusal = error;
    this.#pool?.refuseWaiting(error);
  }

  async #callLater(pool: SlotPool<Instance>, call: Call): Promise<Value> {
    const refusal = this.#refusal;
    const lease = await this.#checkout(pool, call);
    // One that was given its lease just before has not begun.
    if (this.#refusal !== refusal) {
      lease.release();
      throw this.#refusal;
    }
    return run(lease, call);
  }

  async #checkout(pool: SlotPool<Instance>, call: Call): Promise<Lease<Instance>> {
    const { deadline, signal } = call;
    // The signal fires at the deadline: where that comes first it ends the wait, and the caller learns of the deadline.
    const timeoutMs =
      deadline < Infinity && deadline - this.#now() <= this.#timeoutMs ? Infinity : this.#timeoutMs;
    try {
      const lease = await pool.checkout({ call, signal, timeoutMs });
      if (!signal.aborted) return lease;
      lease.release();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    if (isKeelsonError(signal.reason)) throw signal.reason;
    throw new KeelsonError("ABORTED", `The call of "${call.module}".${call.method} was aborted`, {
      cause: signal.reason,
    });
  }
}

/** An instance held for one call: its slot, or a lease if it had to be waited for. */
type Held = Pick<Slot<Instance>, "value" | "release" | "discard">;

// The way of each call: no lease, promise, closure or `finally` where the instance answers at once.
function run(lease: Held, call: Call): MaybePromise<Value> {
  const instance = lease.value;
  let result: MaybePromise<Value>;
  try {
    result = instance.call(call);
  } catch (error) {
    endLease(lease, instance, error);
    throw error;
  }
  if (isPromise(result)) return finish(lease, instance, result);
  if (instance.dead) lease.discard();
  else lease.release();
  return result;
}

async function finish(lease: Held, instance: Instance, result: PromiseLike<Value>): Promise<Value> {
  let failure: unknown;
  try {
    return await result;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    endLease(lease, instance, failure);
  }
}

function endLease(lease: Held, instance: Instance, failure: unknown): void {
  if (instance.dead || (isKeelsonError(failure) && cutOff.has(failure.code))) lease.discard("trap", true);
  else lease.release();
}

function notStarted({ module }: Call): KeelsonError {
  return new KeelsonError("MODULE_NOT_RUNNING", `"${module}" has not been started`, {
    hint: "start it first",
  });
}
