import { shown } from "../primitives/invalid-options.ts";
import type { Counter, Gauge, Histogram } from "../contract/metrics.ts";

// Each instrument is one object of one shape with plain number fields, so that an addition in a hot path is an addition and
// nothing else: no map, no label, no closure.

/** A counter that only grows. */
export class BoundCounter implements Counter {
  value = 0;

  /** @throws RangeError for anything that is not a finite number ≥ 0 */
  add(by: number = 1): void {
    if (!(typeof by === "number" && by >= 0 && by < Infinity))
      throw new RangeError(`a counter cannot grow by ${shown(by)}`);
    this.value += by;
  }
}

/** A figure that goes up and down. */
export class BoundGauge implements Gauge {
  value = 0;

  /** @throws RangeError for what is no number, as `add` does */
  set(value: number): void {
    if (typeof value !== "number") throw notANumber(value);
    this.value = value;
  }

  add(by: number): void {
    if (typeof by !== "number") throw notANumber(by);
    this.value += by;
  }
}

/**
 * A distribution, kept as counts for a fixed row of upper bounds. The figures lie in typed arrays: reading a frozen array of bounds
 * was two to five times slower.
 */
export class BoundHistogram implements Histogram {
  /** Ascending, +Infinity the last: a search for the bucket ends there without counting. */
  readonly bounds: Float64Array;
  /** One for each bound; not cumulated. */
  readonly counts: Float64Array;
  readonly #sum = new Float64Array(1);

  /** @param bounds ascending, without +Infinity */
  constructor(bounds: readonly number[]) {
    this.bounds = Float64Array.of(...bounds, Infinity);
    this.counts = new Float64Array(this.bounds.length);
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  get sum(): number {
    return this.#sum[0] as number;
  }

  /** @throws RangeError for anything that is not a finite number ≥ 0, the times included: what a histogram counts must only grow */
  observe(value: number, times: number = 1): void {
    if (!(value >= 0 && value < Infinity && times >= 0 && times < Infinity))
      throw notObservable(value, times);
    const { bounds, counts } = this;
    let at = 0;
    // One by one from below: what is measured most lies in the first buckets, where this beats halving.
    while (value > (bounds[at] as number)) at++;
    counts[at] = (counts[at] as number) + times;
    const sum = this.#sum;
    sum[0] = (sum[0] as number) + value * times;
  }
}

// Apart, so that what is called for each call of a module stays small enough to be compiled into its caller.
function notObservable(value: number, times: number): RangeError {
  return new RangeError(`a histogram cannot observe ${shown(value)} ${shown(times)} times`);
}

function notANumber(value: unknown): RangeError {
  return new RangeError(`a gauge cannot be ${shown(value)}`);
}
