import type { HistogramOptions, InstrumentOptions } from "../contract/metrics.ts";
import { BoundCounter, BoundGauge, BoundHistogram } from "./instruments.ts";
import { claimedNames, escapeText, type FamilyType, invalidMetric } from "./names.ts";

/** Upper bounds in seconds: 1, 2.5, 5 steps from 0.0001 to 10. */
export const defaultBuckets: readonly number[] = Object.freeze([
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]);

/** The instruments that a family of each type holds. */
export interface Instruments {
  counter: BoundCounter;
  gauge: BoundGauge;
  histogram: BoundHistogram;
}

/** One figure of a family: an instrument, and what is read at each scrape besides. */
export interface Series<T extends FamilyType = FamilyType> {
  /** What stands between the braces. */
  readonly labels: string;
  readonly instrument: Instruments[T];
  /** Read at a scrape and added to the instrument's own value. */
  readonly observers: Set<() => number>;
  /** Who wants the series: it goes with the last of them. */
  readonly holders: Set<object>;
}

/** All series of one name. */
export interface Family<T extends FamilyType = FamilyType> {
  readonly type: T;
  readonly name: string;
  readonly unit: string | undefined;
  /** Escaped. */
  readonly help: string;
  readonly bounds: readonly number[];
  readonly series: Map<string, Series<T>>;
}

/** All families of one registry, in the order they came. A family lives as long as it has a series. */
export class Families {
  readonly #families = new Map<string, Family>();
  /** Every sample name that a family may write → that family. */
  readonly #claims = new Map<string, Family>();

  [Symbol.iterator](): Iterator<Family> {
    return this.#families.values();
  }

  /**
   * The series of these labels, made if there is none, held by `holder` from now on.
   * @throws KeelsonError `INVALID_OPTIONS` when the name is taken by another type, unit or row of buckets
   */
  hold<T extends FamilyType>(
    type: T,
    name: string,
    options: InstrumentOptions & HistogramOptions,
    labels: string,
    holder: object,
  ): Series<T> {
    const family = this.#family(type, name, options);
    let series = family.series.get(labels);
    if (series === undefined) {
      series = {
        labels,
        instrument: makeInstrument(type, family.bounds),
        observers: new Set(),
        holders: new Set(),
      };
      family.series.set(labels, series);
    }
    series.holders.add(holder);
    return series;
  }

  /** Ends what `holder` holds of a series; the last holder takes the series away, the last series its family. */
  release(name: string, series: Series, holder: object): void {
    if (!series.holders.delete(holder) || series.holders.size > 0) return;
    const family = this.#families.get(name) as Family;
    family.series.delete(series.labels);
    if (family.series.size > 0) return;
    this.#families.delete(name);
    for (const claimed of claimedNames(family.type, name)) this.#claims.delete(claimed);
  }

  #family<T extends FamilyType>(
    type: T,
    name: string,
    options: InstrumentOptions & HistogramOptions,
  ): Family<T> {
    const { buckets = defaultBuckets } = options;
    if (!Array.isArray(buckets)) throw invalidMetric(`the buckets of ${name} must be an array`);
    const known = this.#families.get(name);
    if (known !== undefined) {
      checkSame(known, type, options);
      return known as Family as Family<T>;
    }
    const claims = claimedNames(type, name);
    for (const claimed of claims) {
      const other = this.#claims.get(claimed);
      if (other !== undefined) {
        throw invalidMetric(
          `the ${type} ${name} would write ${claimed}, which belongs to the ${other.type} ${other.name}`,
        );
      }
    }
    const family: Family<T> = {
      type,
      name,
      unit: options.unit,
      help: escapeText(options.help.toWellFormed()),
      bounds: type === "histogram" ? checkBounds(name, buckets) : [],
      series: new Map(),
    };
    this.#families.set(name, family as Family as Family<FamilyType>);
    for (const claimed of claims) this.#claims.set(claimed, family as Family as Family<FamilyType>);
    return family;
  }
}

/** An instrument that belongs to no series. */
export function makeInstrument<T extends FamilyType>(type: T, bounds: readonly number[]): Instruments[T] {
  const made =
    type === "counter"
      ? new BoundCounter()
      : type === "gauge"
        ? new BoundGauge()
        : new BoundHistogram(bounds);
  return made as Instruments[T];
}

function checkSame(known: Family, type: FamilyType, options: InstrumentOptions & HistogramOptions): void {
  if (known.type !== type) throw invalidMetric(`the metric ${known.name} is a ${known.type}, not a ${type}`);
  if (known.unit !== options.unit) {
    throw invalidMetric(
      `the metric ${known.name} has the unit ${known.unit ?? "none"}, not ${options.unit ?? "none"}`,
    );
  }
  const { buckets } = options;
  if (type !== "histogram" || buckets === undefined) return;
  if (buckets.length !== known.bounds.length || buckets.some((bound, at) => bound !== known.bounds[at])) {
    throw invalidMetric(`the histogram ${known.name} has other buckets already`);
  }
}

function checkBounds(name: string, bounds: readonly number[]): readonly number[] {
  let last = -1;
  for (const bound of bounds) {
    if (typeof bound !== "number" || !(bound >= 0 && bound < Infinity && bound > last)) {
      throw invalidMetric(`the buckets of ${name} must be finite numbers ≥ 0, ascending; +Inf is added`);
    }
    last = bound;
  }
  return Object.freeze([...bounds]);
}
