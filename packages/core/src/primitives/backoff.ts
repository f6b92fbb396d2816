import type { BackoffOptions } from "../contract/supervised.ts";
import { requireOptions, requireRange } from "./invalid-options.ts";

/** Waits that grow with each try in a row: see {@link BackoffOptions} for the formula. */
export interface Backoff {
  /**
   * The wait before the n-th try, ms; `n` counts from 1. `chance`, uniform in [0, 1), chooses within ± jitter: 0.5 is the middle. The cap
   * holds before the jitter, so that a herd at the cap is spread as well.
   */
  waitMs(n: number, chance: number): number;
}

/** A {@link Backoff} with defaults filled in. Throws `INVALID_OPTIONS` for what is out of range. */
export function createBackoff(options?: BackoffOptions): Backoff {
  const { initialMs = 100, factor = 2, maxMs = 30_000, jitter = 0.2 } = options ?? {};
  requireOptions("backoff", options, { initialMs: 0, factor: 1, maxMs: 0, jitter: 0 });
  requireRange("backoff.jitter", jitter, 0, 1);
  return {
    waitMs(n, chance) {
      // 0 × Infinity is NaN: a wait of nothing stays nothing however often it is doubled.
      const grown = initialMs === 0 ? 0 : initialMs * factor ** (n - 1);
      return Math.min(grown, maxMs) * (1 + jitter * (2 * chance - 1));
    },
  };
}
