import type { RestartOptions } from "../contract/supervised.ts";
import { requireOptions, requireRange } from "../primitives/invalid-options.ts";

/** Counts restarts in a sliding window. */
export class Intensity {
  readonly max: number;
  readonly withinMs: number;
  #times: number[] = [];

  /** Throws `INVALID_OPTIONS` for what is out of range. */
  constructor(options: RestartOptions["intensity"]) {
    const { max, withinMs } = options ?? { max: 5, withinMs: 60_000 };
    requireOptions("restart.intensity", options, { max: 0, withinMs: 0 });
    requireRange("restart.intensity.max", max, 0);
    requireRange("restart.intensity.withinMs", withinMs, 0);
    this.max = max;
    this.withinMs = withinMs;
  }

  /** Counts a restart at `now` (monotonic ms) and answers true, or false if it would be one too many. */
  take(now: number): boolean {
    this.#times = this.#times.filter((time) => time > now - this.withinMs);
    if (this.#times.length >= this.max) return false;
    this.#times.push(now);
    return true;
  }

  /** Forgets all restarts. */
  reset(): void {
    this.#times = [];
  }
}
