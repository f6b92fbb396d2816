import type { Call } from "../contract/call.ts";
import { KeelsonError, plainMessage } from "../contract/errors.ts";

// Why a pool refuses a checkout. `pool` is its name in messages, such as: pool of "markdown".

/** The pool is closed. */
export function poolClosed(pool: string): KeelsonError {
  return new KeelsonError("POOL_CLOSED", `The ${pool} is closed`, {
    hint: "start the module again, or check out before the pool is closed",
  });
}

/** The signal of a caller who waits has fired. */
export function checkoutAborted(pool: string, signal: AbortSignal): KeelsonError {
  return new KeelsonError("ABORTED", `The wait for an instance of the ${pool} was aborted`, {
    cause: signal.reason,
  });
}

/** A caller has waited for as long as it may; `occupation` tells how many instances are in use. */
export function checkoutTimedOut(pool: string, timeoutMs: number, occupation: string): KeelsonError {
  return new KeelsonError(
    "CHECKOUT_TIMEOUT",
    `No instance of the ${pool} became free within ${timeoutMs} ms; ${occupation}`,
    { hint: "raise the pool's max, make the calls shorter, or allow a longer timeoutMs" },
  );
}

/** As many wait as may. */
export function poolExhausted(pool: string, occupation: string): KeelsonError {
  return new KeelsonError("POOL_EXHAUSTED", `Too many wait for the ${pool}; ${occupation}`, {
    hint: "slow the callers down, or raise the pool's max or maxWaiting",
  });
}

/**
 * There is no place for one more instance beside those of other pools.
 *
 * @param timeoutMs undefined when waiting would be in vain
 */
export function noPlace(pool: string, error: KeelsonError, timeoutMs: number | undefined): KeelsonError {
  const why =
    timeoutMs === undefined
      ? "and all that could make room are kept warm or held by this very chain of calls"
      : `and none of them ended within ${timeoutMs} ms`;
  return new KeelsonError("INSTANCE_LIMIT", `No instance for the ${pool}: ${plainMessage(error)}, ${why}`, {
    hint: error.hint,
    details: error.details,
  });
}

/** All instances are held by the very chain of calls that asks for one more. */
export function callCycle(pool: string, call: Call): KeelsonError {
  const chain: string[] = [];
  for (let link: Call | undefined = call; link !== undefined; link = link.parent) {
    chain.unshift(`${link.module}.${link.method}`);
  }
  return new KeelsonError(
    "CALL_CYCLE",
    `${chain.join(" → ")} would wait for an instance of the ${pool} that this chain of calls holds itself`,
    { hint: "raise the pool's max above the depth of the chain, or do not call back", details: { chain } },
  );
}
