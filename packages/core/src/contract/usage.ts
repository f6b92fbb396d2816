import type { CallOptions } from "./call.ts";
import { isKeelsonError, type ErrorCode } from "./errors.ts";
import type { MaybePromise, Value } from "./value.ts";

/** What one call used of its module. */
export interface Usage {
  /** Units of fuel, the same for the same input on each runtime; a rough measure of work where metering is "deadline", 0 where it is "off". */
  readonly fuel: number;
  /**
   * Set after a trap, and where an object did not fit, which comes in the midst of a slice: `fuel` is then what was used when the guest last called or returned, the same on
   * each runtime, and this the most that it can have used, which depends on how the slices fell.
   */
  readonly fuelAtMost?: number;
  /** Time from entering the module's code to leaving it, ms, with the host functions that it called; a wait for an instance is none of it. */
  readonly cpuMs: number;
  /** What the instance that answered takes of memory after the call, bytes. No instance ever gives memory back, so that is its peak. */
  readonly memoryPeakBytes: number;
}

/** Made by `kernel.measure` for one call, and filled by the module that answers it; what no module fills stays undefined. */
export interface Measurement {
  /** Whether the call is to be recorded. */
  readonly record: boolean;
  /** To be set before the call ends, also when it fails. */
  usage: Usage | undefined;
  /** A promise where finishing the record takes time: that is none of the call's, and may pass its deadline. It stays undefined when there is none. */
  recorded: MaybePromise<CallRecord | undefined>;
}

/**
 * All that is needed to run a call again: plain data, so that it can be written to a file with `encodeValue`. What made it says what is
 * in it; for WebAssembly that is `CallRecording` of @keelson/wasm.
 */
export interface CallRecord {
  /** Of the form of the record; a form that is not known is refused. */
  readonly version: number;
  /** The kind of the module that made it. */
  readonly kind: string;
  readonly [key: string]: Value;
}

/** Options of `kernel.measure`. */
export interface MeasureOptions extends CallOptions {
  /**
   * Record the call, on an instance that was never used before and is ended afterwards. Default false. A module that cannot is `UNSUPPORTED`.
   * When the call fails, the record is in the error's `details.record`.
   */
  readonly record?: boolean | undefined;
}

/** What `kernel.measure` answers. */
export interface Measured {
  readonly value: Value;
  /**
   * Undefined when the module cannot tell: WebAssembly can, native modules and child processes cannot, since nobody knows what
   * of the time of their thread or process one call took.
   */
  readonly usage: Usage | undefined;
  /** Set when it was asked for. */
  readonly record?: CallRecord;
}

/**
 * What the call that failed with `error` had used: of its guest, or of one that it called, as far as that got to be known. Undefined where nobody can
 * tell, and for whatever is no error of a call.
 */
export function usageOf(error: unknown): Usage | undefined {
  try {
    const usage = (isKeelsonError(error) ? error.details?.["usage"] : undefined) as Usage | null | undefined;
    // A child process may have sent the error, and anything as its details.
    const isUsage = [usage?.fuel, usage?.cpuMs, usage?.memoryPeakBytes].every((count) => count! >= 0);
    return isUsage ? (usage as Usage) : undefined;
  } catch {
    // Whoever threw it may have made details that throw when they are looked at.
    return undefined;
  }
}

/** Which limit a guest was stopped at. */
export type StopReason = "fuel" | "cpuMs" | "deadline" | "signal" | "stackBytes" | "memoryBytes";

/** What the details of a stopped guest's error hold. */
export interface StopDetails {
  /** The id of the module whose guest was stopped; an error may pass through others on its way. */
  readonly module: string;
  readonly limit: StopReason;
  /** What the guest had used until then; absent where it was lost with the guest. */
  readonly usage?: Usage;
}

const codes: Readonly<Record<StopReason, ErrorCode>> = {
  fuel: "FUEL_EXHAUSTED",
  cpuMs: "DEADLINE_EXCEEDED",
  deadline: "DEADLINE_EXCEEDED",
  signal: "ABORTED",
  stackBytes: "STACK_EXHAUSTED",
  memoryBytes: "OUT_OF_MEMORY",
};

/**
 * How the guest of `module` was stopped, if that is what `error` tells: something took the thread from a guest that was running. Errors of
 * calls that merely waited too long, and those of guests that ended by themselves, are none of these.
 */
export function stopOf(error: unknown, module: string): StopDetails | undefined {
  if (!isKeelsonError(error)) return undefined;
  try {
    const details = error.details as Partial<StopDetails> | undefined;
    if (details?.module !== module || typeof details.limit !== "string") return undefined;
    return Object.hasOwn(codes, details.limit) && codes[details.limit] === error.code
      ? (details as StopDetails)
      : undefined;
  } catch {
    return undefined;
  }
}
