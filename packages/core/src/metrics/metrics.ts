import type {
  Counter,
  Gauge,
  Histogram,
  HistogramOptions,
  InstrumentOptions,
  Labels,
  Metrics,
} from "../contract/metrics.ts";
import { defaultBuckets, Families, type Instruments, makeInstrument, type Series } from "./families.ts";
import { shown } from "../primitives/invalid-options.ts";
import { type FamilyType, familyName, invalidMetric, joinLabels, writeLabels } from "./names.ts";
import { readSample, writeOpenMetrics } from "./openmetrics.ts";

/** The root of all metrics of a kernel: makes instruments and writes them out. */
export interface MetricsRegistry extends Metrics {
  /** All series as OpenMetrics 1.0 text; serve it as {@link openMetricsContentType}. */
  text(): string;
}

/**
 * Makes an empty set of metrics.
 *
 * A series lives while somebody holds it: the root for ever, a scope until it is disposed, an observer until it is
 * disposed. Two scopes with the same labels share their series, so that a counter goes on when a new generation of a module
 * takes over from the old one. Several observers of one series, and an instrument beside them, are added up.
 */
export function createMetrics(): MetricsRegistry {
  return new Registry();
}

/** What a scope has to give back of one series. */
interface Held {
  readonly family: string;
  readonly series: Series;
}

class MetricsScope implements Metrics, Disposable {
  protected readonly families: Families;
  readonly #labels: Labels;
  readonly #parent: MetricsScope | undefined;
  readonly #held = new Map<Series, Held>();
  /** Scopes and observers made here: they end with this one. */
  readonly #inner = new Set<Disposable>();
  #open = true;

  constructor(families: Families, labels: Labels, parent?: MetricsScope) {
    this.families = families;
    this.#labels = labels;
    this.#parent = parent;
  }

  counter(name: string, options: InstrumentOptions, labels?: Labels): Counter {
    return this.#instrument("counter", name, options, labels);
  }

  gauge(name: string, options: InstrumentOptions, labels?: Labels): Gauge {
    return this.#instrument("gauge", name, options, labels);
  }

  histogram(name: string, options: HistogramOptions, labels?: Labels): Histogram {
    return this.#instrument("histogram", name, options, labels);
  }

  observe(
    type: "counter" | "gauge",
    name: string,
    options: InstrumentOptions,
    labels: Labels,
    sample: () => number,
  ): Disposable {
    if (type !== "counter" && type !== "gauge") throw invalidMetric(`a ${shown(type)} cannot be observed`);
    if (typeof sample !== "function")
      throw invalidMetric(`observing ${name} needs a function that gives the value`);
    const family = familyName(type, name, options);
    const key = writeLabels(joinLabels(type, this.#labels, labels));
    if (!this.#open) return { [Symbol.dispose](): void {} };
    // A wrapper of its own: the same function may be registered twice and must be taken away twice.
    const observer = (): number => sample();
    const series = this.families.hold(type, family, options, key, observer);
    series.observers.add(observer);
    const registration: Disposable = {
      [Symbol.dispose]: (): void => {
        if (!series.observers.delete(observer)) return;
        this.#inner.delete(registration);
        // While others go on with the series, what this one had counted must not be taken back.
        if (type === "counter" && series.holders.size > 1) {
          const last = readSample(observer);
          if (last !== undefined && last >= 0) series.instrument.value += last;
        }
        this.families.release(family, series, observer);
      },
    };
    this.#inner.add(registration);
    return registration;
  }

  scoped(labels: Labels): Metrics & Disposable {
    const scope = new MetricsScope(this.families, joinLabels(undefined, this.#labels, labels), this);
    if (this.#open) this.#inner.add(scope);
    else scope[Symbol.dispose]();
    return scope;
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    for (const inner of this.#inner) inner[Symbol.dispose]();
    for (const { family, series } of this.#held.values()) this.families.release(family, series, this);
    this.#held.clear();
    if (this.#parent !== undefined) this.#parent.#inner.delete(this);
  }

  #instrument<T extends FamilyType>(
    type: T,
    name: string,
    options: InstrumentOptions & HistogramOptions,
    labels: Labels | undefined,
  ): Instruments[T] {
    const family = familyName(type, name, options);
    const key = writeLabels(joinLabels(type, this.#labels, labels));
    // What outlives its scope still gets an instrument it may add to; nobody reads it any more.
    if (!this.#open) return makeInstrument(type, options.buckets ?? defaultBuckets);
    const series = this.families.hold(type, family, options, key, this);
    this.#held.set(series, { family, series });
    return series.instrument;
  }
}

class Registry extends MetricsScope implements MetricsRegistry {
  constructor() {
    super(new Families(), {});
  }

  text(): string {
    return writeOpenMetrics(this.families);
  }
}
