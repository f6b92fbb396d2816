import type { Call } from "./call.ts";
import type { ModuleContext } from "./module.ts";
import type { PoolPlaces } from "./places.ts";
import type { MaybePromise, Value } from "./value.ts";

/**
 * A source of instances that are used by one call at a time, such as a WebAssembly module. `pooled()` makes a Module of it.
 */
export interface WasmModule {
  /** Makes one instance; called once for each that the pool holds. */
  instantiate(context: ModuleContext): MaybePromise<Instance>;
  /** Answers one call on an instance of its own, which ends with it, and leaves a record in the call's `measurement`. Absent: cannot. */
  record?(call: Call, context: ModuleContext): MaybePromise<Value>;
  /** See `stopReportMs` of a module; instances keep it. */
  readonly stopReportMs?: number;
  /** Called once a generation before the first instance: compile, link, check. */
  prepare?(context: ModuleContext): MaybePromise<void>;
  /**
   * False where no instance can make calls of its own while it works on one: then none can come to wait for itself, and who works for whom
   * need not be noted at each call. Default true.
   */
  readonly callsOut?: boolean;
  /** The places that its instances share with those of other modules; absent when `instantiate` never fails with `INSTANCE_LIMIT`. */
  places?(context: ModuleContext): PoolPlaces;
}

/** One live instantiation, used by one call at a time. Disposing it frees its memory. */
export interface Instance extends Disposable {
  /** True after a trap or a stop: it must never be used again. */
  readonly dead: boolean;
  /** Size of its linear memories now, bytes; a cheap read. */
  readonly memoryBytes: number;
  call(call: Call): MaybePromise<Value>;
  stream?(call: Call): AsyncIterable<Value>;
}
