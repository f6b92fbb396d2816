import type { KeelsonError } from "../contract/errors.ts";
import type { PoolOptions } from "../contract/pool.ts";
import { requireRange } from "../primitives/backoff.ts";
import { invalidOptions, shown } from "../primitives/invalid-options.ts";

/** {@link PoolOptions} with the defaults filled in. */
export type ParsedPoolOptions = Required<PoolOptions>;

/** Checks `options` and fills in the defaults; `INVALID_OPTIONS` names the first that does not fit. */
export function parsePoolOptions(given: PoolOptions): ParsedPoolOptions {
  const options = given ?? {};
  const min = whole("min", options.min, 0, 0);
  const max = whole("max", options.max, Math.max(8, min), 1);
  if (max < min) throw invalid("max", max, `at least min, which is ${min}`);
  return {
    min,
    max,
    maxUses: options.maxUses === Infinity ? Infinity : whole("maxUses", options.maxUses, Infinity, 1),
    maxIdleMs: positive("maxIdleMs", options.maxIdleMs, 60_000),
    timeoutMs: parseTimeoutMs(options.timeoutMs, 30_000),
    maxWaiting:
      options.maxWaiting === Infinity ? Infinity : whole("maxWaiting", options.maxWaiting, 10_000, 0),
    drainMs: parseTimeoutMs(options.drainMs, 5_000, "drainMs"),
    maxMemoryBytes: positive("maxMemoryBytes", options.maxMemoryBytes, Infinity),
  };
}

/** `value`, or `fallback` if absent; 0 and `Infinity` are fine. */
export function parseTimeoutMs(value: number | undefined, fallback: number, name = "timeoutMs"): number {
  if (value === undefined) return fallback;
  requireRange(name, value, 0, Infinity);
  return value;
}

function whole(name: string, value: number | undefined, fallback: number, least: number): number {
  if (value === undefined) return fallback;
  if (!Number.isSafeInteger(value) || value < least)
    throw invalid(name, value, `a whole number, ${least} or more`);
  return value;
}

function positive(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  requireRange(name, value, Number.MIN_VALUE, Infinity);
  return value;
}

/** The error for one option of a pool, or of a checkout. */
export function invalid(name: string, value: unknown, wanted: string): KeelsonError {
  return invalidOptions(
    `The pool's option ${name} is ${shown(value)}; it must be ${wanted}`,
    `correct ${name}, or leave it out for its default`,
    { option: name },
  );
}
