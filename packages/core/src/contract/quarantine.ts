/**
 * When a module is refused because its guest had to be stopped too often, and for how long. A stop is what a governor does to a guest that
 * ran: at its fuel, its time, its stack or its memory cap. What callers abort, what waits for an instance and what fails by itself is no stop.
 */
export interface QuarantineOptions {
  /** Stops that begin it. Default 3. */
  readonly stops?: number | undefined;
  /** The sliding window in which they must fall, ms. Default 10,000. */
  readonly withinMs?: number | undefined;
  /** How long the first lasts, ms; each further one that a trial brings about lasts twice as long as the one before. Default 1,000. */
  readonly initialMs?: number | undefined;
  /** The longest, ms. Default 60,000, or `initialMs` if that is more. */
  readonly maxMs?: number | undefined;
  /**
   * Time that a guest must have run before its stop at a call's deadline counts, ms: the caller chose that deadline, and a short one says nothing
   * of the guest. Default 10.
   */
  readonly minRunMs?: number | undefined;
}

/** A quarantine as of now. */
export interface QuarantineStatus {
  /** Time until one call is let through on trial, ms; 0 when the next one will be. */
  readonly trialInMs: number;
  /** A trial is on its way. */
  readonly onTrial: boolean;
  /** How long it lasts this time, ms. */
  readonly lastsMs: number;
  /** Trials that were stopped so far. */
  readonly failedTrials: number;
  /** Calls refused so far. */
  readonly refused: number;
}
