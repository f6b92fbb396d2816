export { createMetrics, type MetricsRegistry } from "./metrics.ts";
export { openMetricsContentType } from "./openmetrics.ts";
