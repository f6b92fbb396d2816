// Metrics: counters, gauges and histograms, and their text in the format of OpenMetrics.

export { createMetrics, type MetricsRegistry } from "./metrics.ts";
export { openMetricsContentType } from "./openmetrics.ts";
