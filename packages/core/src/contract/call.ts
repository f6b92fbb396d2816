import type { Measurement } from "./usage.ts";
import type { MaybePromise, Value } from "./value.ts";

/** Options of one call. */
export interface CallOptions {
  /**
   * Wall time the call may take, the wait for an instance included, ms; `Infinity` for no limit, 0 for none left; what is below is `INVALID_OPTIONS`. Default: the kernel's `callTimeoutMs`, 30,000. A shorter one in
   * the module's manifest, or of the call inside which it is made, holds as well.
   */
  readonly timeoutMs?: number | undefined;
  /** Ends the call from outside; the caller gets `ABORTED`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * One call on its way through the kernel: the explicit context that is handed down, never ambient. A call made inside
 * another is its child: deadline, signal and the chain of calls pass on.
 */
export interface Call {
  /** The module called. */
  readonly module: string;
  readonly method: string;
  readonly payload: Value;
  /** The call inside which this one was made. */
  readonly parent: Call | undefined;
  /** When the call must have ended, on the platform's monotonic clock, ms; the smaller of its own and its parent's; `Infinity` if none. */
  readonly deadline: number;
  /** Fires when the deadline passes, the caller aborts or the module stops. Made when first read: do not read it needlessly. */
  readonly signal: AbortSignal;
  /** Set when the caller wants to know what the call uses; undefined for a plain call, and for the calls inside a measured one. */
  readonly measurement: Measurement | undefined;
  /** Calls another module (or this one) as a part of this call. */
  invoke(id: string, method: string, payload?: Value, options?: CallOptions): Promise<Value>;
  /** The same for a value that is there at once; `WOULD_BLOCK` when the module answers with a promise. */
  invokeSync(id: string, method: string, payload?: Value): Value;
}

/** Answers one call. Throwing is fine: the caller gets `CALL_FAILED` with the cause, or the KeelsonError itself. */
export type CallHandler = (call: Call) => MaybePromise<Value>;
