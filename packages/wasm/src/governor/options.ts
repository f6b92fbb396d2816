import type { Clock } from "@keelson/core";
import type { Governor } from "./governor.ts";
import type { Tally } from "./tally.ts";

/** Options of {@link Governor}. */
export interface GovernorOptions {
  /** The platform's monotonic clock, ms; and, where it can tell, how long the thread has had a core. */
  readonly clock: Pick<Clock, "now" | "ran">;
  /** The thread's guests, for those that call one another through the host; see {@link GuestThread}. */
  readonly thread?: GuestThread;
  /** A flag that another thread may raise: a value other than 0 at index 0 aborts the guest. */
  readonly interrupt?: Int32Array;
  /** Counts what runs use, those of other governors too. */
  readonly tally?: Tally;
}

/** What is asked of a signal: an AbortSignal, or something that knows of one. */
export interface Abortable {
  readonly aborted: boolean;
}

/** What one run may take. Absent limits do not hold. */
export interface RunLimits {
  /** Units of fuel. */
  readonly fuel?: number | undefined;
  /** Time in the guest and the host functions it calls, ms. */
  readonly cpuMs?: number | undefined;
  /** When the run must have ended, on the governor's clock, ms. */
  readonly deadline?: number | undefined;
  readonly signal?: Abortable | undefined;
  /** Read the clock at the end too, so that {@link Usage} knows the time. A run inside another has no usage of its own: the outer one decides. */
  readonly measure?: boolean;
}

/** Guests that run on one thread, inside one another: what they take of the stack is taken from one budget. */
export interface GuestThread {
  /** The governor whose guest runs now; set by governors. */
  current: Governor | undefined;
}
