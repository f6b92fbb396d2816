import type { Filled } from "./given.ts";
import type { QuarantineOptions, QuarantineStatus } from "../contract/quarantine.ts";
import type { Clock } from "../contract/platform.ts";

/** Options with their defaults filled in. */
export type ParsedQuarantine = Filled<QuarantineOptions>;

/** The errors by which the kernel refused a call, told from those that a module makes itself to look like one. */
export const refusals: WeakSet<object> = new WeakSet();

/** Fills in the defaults. */
export function parseQuarantine(options: QuarantineOptions): ParsedQuarantine {
  const { stops = 3, withinMs = 10_000, initialMs = 1_000, minRunMs = 10 } = options;
  return { stops, withinMs, initialMs, maxMs: options.maxMs ?? Math.max(60_000, initialMs), minRunMs };
}

/**
 * Holds back what was stopped too often, and lets one call through when the time is over: that trial alone decides. One object serves one
 * generation; it reads the clock only when something was stopped or asks to pass.
 */
export class Quarantine {
  readonly #clock: Clock;
  readonly #options: ParsedQuarantine;
  /** Times of the stops within the window, oldest first. */
  #stops: number[] = [];
  #until: number | undefined;
  #lastsMs = 0;
  #onTrial = false;
  #failedTrials = 0;
  #refused = 0;

  constructor(clock: Clock, options: ParsedQuarantine) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Whether calls must ask {@link admit}. */
  get holds(): boolean {
    return this.#until !== undefined;
  }

  get lastsMs(): number {
    return this.#lastsMs;
  }

  /** Something that nobody had on trial was stopped. Answers whether the quarantine begins by it; late stops change nothing any more. */
  stopped(): boolean {
    if (this.holds) return false;
    const now = this.#clock.now();
    const { stops, withinMs, initialMs, maxMs } = this.#options;
    this.#stops = this.#stops.filter((at) => now - at < withinMs);
    this.#stops.push(now);
    if (this.#stops.length < stops) return false;
    this.#stops = [];
    this.#failedTrials = this.#refused = 0;
    this.#hold(now, Math.min(initialMs, maxMs));
    return true;
  }

  /** Whether one that asks may pass, as the trial; the outcome must be told by {@link passed}, {@link failed} or {@link undecided}. */
  admit(): boolean {
    if (this.#until !== undefined && !this.#onTrial && this.#clock.now() >= this.#until)
      return (this.#onTrial = true);
    this.#refused++;
    return false;
  }

  /** The trial came back by itself: all is forgiven. */
  passed(): void {
    this.#until = undefined;
  }

  /** The trial had to be stopped. */
  failed(): void {
    this.#failedTrials++;
    this.#hold(this.#clock.now(), Math.min(this.#lastsMs * 2, this.#options.maxMs));
  }

  /** The trial never came to the guest, or was given up: the next one decides. */
  undecided(): void {
    this.#onTrial = false;
  }

  /** As of now; undefined while nothing is held back. */
  get status(): QuarantineStatus | undefined {
    if (this.#until === undefined) return undefined;
    return {
      trialInMs: Math.max(0, this.#until - this.#clock.now()),
      onTrial: this.#onTrial,
      lastsMs: this.#lastsMs,
      failedTrials: this.#failedTrials,
      refused: this.#refused,
    };
  }

  #hold(now: number, ms: number): void {
    this.#onTrial = false;
    this.#lastsMs = ms;
    this.#until = now + ms;
  }
}
