import type { Labels, Metrics } from "../contract/metrics.ts";
import type { PoolStats, RecycleReason } from "../contract/pool.ts";

/** Every reason, in the order in which the series are written. */
export const recycleReasons: readonly RecycleReason[] = ["trap", "max_uses", "idle", "memory", "close"];

/** A pool's series. Disposing them takes them off the metrics. */
export interface PoolSeries extends Disposable {
  /** Counts one checkout that waited so long. */
  waited(seconds: number): void;
}

/**
 * Shows a pool under `keelson_pool_*` (names as in GoNext, with the reason `memory` added). All but the waits are read
 * when someone asks, so that a checkout served at once pays for no metric: those are what the checkouts have more than the waits,
 * and enter the histogram as zeros at each scrape.
 */
export function exposePool(stats: () => PoolStats, metrics: Metrics, labels: Labels): PoolSeries {
  const scope = metrics.scoped(labels);
  let counted = 0;
  // The first name asked for is the first one read: so the histogram is complete when its turn comes.
  scope.observe("counter", "keelson_pool_checkout_total", { help: "Leases handed out." }, {}, () => {
    const { checkouts } = stats();
    if (checkouts > counted) wait.observe(0, checkouts - counted);
    counted = checkouts;
    return checkouts;
  });
  const wait = scope.histogram("keelson_pool_checkout_wait_seconds", {
    help: "Time from checkout to lease.",
    unit: "seconds",
  });
  const errors = "Checkouts that failed.";
  scope.observe(
    "counter",
    "keelson_pool_checkout_errors_total",
    { help: errors },
    {},
    () => stats().checkoutErrors,
  );
  for (const reason of recycleReasons) {
    const help = "Instances taken out of the pool.";
    scope.observe(
      "counter",
      "keelson_pool_recycle_total",
      { help },
      { reason },
      () => stats().recycled[reason],
    );
  }
  scope.observe("gauge", "keelson_pool_size", { help: "Instances that live." }, {}, () => stats().size);
  scope.observe("gauge", "keelson_pool_in_use", { help: "Instances under lease." }, {}, () => stats().inUse);
  return {
    waited(seconds) {
      wait.observe(seconds);
      counted++;
    },
    [Symbol.dispose]: () => scope[Symbol.dispose](),
  };
}
