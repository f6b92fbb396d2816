import type { Metrics } from "@keelson/core";

/** What the guests of a module used altogether, by index. An array of numbers, so that counting allocates nothing. */
export type Tally = Float64Array;

/** Units of fuel. */
export const TALLY_FUEL = 0;
/** Running time as far as a clock was read, ms. */
export const TALLY_CPU_MS = 1;

/** Begins at zero, and is shown in `metrics` as `keelson_guest_fuel_total` and `keelson_guest_cpu_seconds_total`, read at each scrape. */
export function exposeTally(metrics: Metrics): Tally {
  const tally = new Float64Array(2);
  const fuel = { help: "Units of fuel that guests used." };
  const cpu = {
    help: "Running time of guests, up to the last look at the clock in each call.",
    unit: "seconds",
  };
  metrics.observe("counter", "keelson_guest_fuel_total", fuel, {}, () => tally[TALLY_FUEL] as number);
  const seconds = (): number => (tally[TALLY_CPU_MS] as number) / 1000;
  metrics.observe("counter", "keelson_guest_cpu_seconds_total", cpu, {}, seconds);
  return tally;
}

/** Adds what was counted elsewhere. */
export function addTally(to: Tally, counted: Tally): void {
  to[TALLY_FUEL]! += counted[TALLY_FUEL] as number;
  to[TALLY_CPU_MS]! += counted[TALLY_CPU_MS] as number;
}
