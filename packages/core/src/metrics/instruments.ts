import type { Counter, Gauge, Histogram } from "../contract/metrics.ts";

// Each instrument is one object of one shape with plain number fields, so that an addition in a hot path is an addition and
// nothing else: no map, no label, no closure.

/** A counter that only grows. */
export class BoundCounter implements Counter {
  value = 0;

  /** @throws RangeError for anything that is not a finite number ≥ 0 */
  add(by: number = 1): void {
    if (!(by >= 0 && by < Infinity)) throw new RangeError(`a counter cannot grow by ${by}`);
    this.value += by;
  }
}

/** A figure that goes up and down. */
export class BoundGauge implements Gauge {
  value = 0;

  set(value: number): void {
    this.value = value;
  }

  add(by: number): void {
    this.value += by;
  }
}

/** A distribution, kept as counts for a fixed row of upper bounds. */
export class BoundHistogram implements Histogram {
  count = 0;
  sum = 0;
  /** Ascending, without +Inf. */
  readonly bounds: readonly number[];
  /** One more than there are bounds; not cumulated. */
  readonly counts: number[];

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  /** @throws RangeError for anything that is not a finite number ≥ 0: the sum of a histogram must only grow */
  observe(value: number, times: number = 1): void {
    if (!(value >= 0 && value < Infinity)) throw new RangeError(`a histogram cannot observe ${value}`);
    const { bounds, counts } = this;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at++;
    counts[at] = (counts[at] as number) + times;
    this.count += times;
    this.sum += value * times;
  }
}
