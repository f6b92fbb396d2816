import type { Filled } from "../primitives/given.ts";
import type { PoolOptions } from "../contract/pool.ts";
import { above0, invalidOption, requireOptions, requireWhole } from "../primitives/invalid-options.ts";

/** {@link PoolOptions} with the defaults filled in. */
export type ParsedPoolOptions = Filled<PoolOptions>;

const WANTED = {
  min: 0,
  max: 1,
  maxUses: 1,
  maxIdleMs: above0,
  timeoutMs: 0,
  maxWaiting: 0,
  maxMemoryBytes: above0,
  drainMs: 0,
};

/** Checks `options` and fills in the defaults; `INVALID_OPTIONS` names the first that does not fit. */
export function parsePoolOptions(options: PoolOptions): ParsedPoolOptions {
  const given = options ?? {};
  requireOptions("pool", given, WANTED, Infinity);
  const { min = 0 } = given;
  requireWhole("pool.min", min, 0);
  const {
    max = Math.max(8, min),
    maxUses = Infinity,
    maxIdleMs = 60_000,
    timeoutMs = 30_000,
    maxWaiting = 10_000,
    maxMemoryBytes = Infinity,
    drainMs = 5_000,
  } = given;
  requireWhole("pool.max", max, 1);
  if (max < min) throw invalidOption("pool.max", max, `at least min, which is ${min}`);
  if (maxUses !== Infinity) requireWhole("pool.maxUses", maxUses, 1);
  if (maxWaiting !== Infinity) requireWhole("pool.maxWaiting", maxWaiting, 0);
  return { min, max, maxUses, maxIdleMs, timeoutMs, maxWaiting, maxMemoryBytes, drainMs };
}
