/** Label names and their values; an empty value means no label. */
export type Labels = Readonly<Record<string, string>>;

/** What an instrument says of itself. */
export interface InstrumentOptions {
  /** One sentence, for the `# HELP` line. */
  readonly help: string;
  /** "seconds", "bytes", … must also end the name. */
  readonly unit?: string;
}

/** The same of a histogram, with its buckets. */
export interface HistogramOptions extends InstrumentOptions {
  /** Upper bounds, ascending, without +Inf. Default: 1, 2.5, 5 steps from 0.0001 to 10 (seconds). */
  readonly buckets?: readonly number[];
}

/** A counter bound to its labels: adding is one addition. */
export interface Counter {
  add(by?: number): void;
  readonly value: number;
}

/** A figure that goes up and down, bound to its labels. */
export interface Gauge {
  set(value: number): void;
  add(by: number): void;
  readonly value: number;
}

/** Counts values by size, bound to its labels. */
export interface Histogram {
  /** Counts `value`, `times` over (default 1). */
  observe(value: number, times?: number): void;
  readonly count: number;
  readonly sum: number;
}

/** Makes instruments. Asking twice for the same name and labels gives the same instrument; another type under a taken name is `INVALID_OPTIONS`. */
export interface Metrics {
  counter(name: string, options: InstrumentOptions, labels?: Labels): Counter;
  gauge(name: string, options: InstrumentOptions, labels?: Labels): Gauge;
  histogram(name: string, options: HistogramOptions, labels?: Labels): Histogram;
  /**
   * Reads `sample` at each scrape; for figures that are kept elsewhere and cost nothing until asked for. Names are read and written in the
   * order in which they were first asked for, so a sample may bring instruments asked for later up to date. Disposing removes the series.
   */
  observe(
    type: "counter" | "gauge",
    name: string,
    options: InstrumentOptions,
    labels: Labels,
    sample: () => number,
  ): Disposable;
  /** Metrics that add `labels` to all they make, and take it all away when disposed. */
  scoped(labels: Labels): Metrics & Disposable;
}
