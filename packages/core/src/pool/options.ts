import type { PoolOptions } from "../contract/pool.ts";
import { invalidOption, requireRange, requireWhole } from "../primitives/invalid-options.ts";

/** {@link PoolOptions} with the defaults filled in. */
export type ParsedPoolOptions = Required<PoolOptions>;

/** Checks `options` and fills in the defaults; `INVALID_OPTIONS` names the first that does not fit. */
export function parsePoolOptions(options: PoolOptions): ParsedPoolOptions {
  const given = options ?? {};
  const { min = 0 } = given;
  requireWhole("min", min, 0);
  const {
    max = Math.max(8, min),
    maxUses = Infinity,
    maxIdleMs = 60_000,
    timeoutMs = 30_000,
    maxWaiting = 10_000,
    maxMemoryBytes = Infinity,
    drainMs = 5_000,
  } = given;
  requireWhole("max", max, 1);
  if (max < min) throw invalidOption("max", max, `at least min, which is ${min}`);
  if (maxUses !== Infinity) requireWhole("maxUses", maxUses, 1);
  if (maxWaiting !== Infinity) requireWhole("maxWaiting", maxWaiting, 0);
  requireRange("maxIdleMs", maxIdleMs, Number.MIN_VALUE, Infinity);
  requireRange("timeoutMs", timeoutMs, 0, Infinity);
  requireRange("maxMemoryBytes", maxMemoryBytes, Number.MIN_VALUE, Infinity);
  requireRange("drainMs", drainMs, 0, Infinity);
  return { min, max, maxUses, maxIdleMs, timeoutMs, maxWaiting, maxMemoryBytes, drainMs };
}
