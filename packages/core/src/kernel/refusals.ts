import type { CallOptions } from "../contract/call.ts";
import { KeelsonError } from "../contract/errors.ts";
import { given } from "../primitives/given.ts";
import { invalidOptions, isSignal, shown } from "../primitives/invalid-options.ts";
import { nameOf, type CallFrame } from "./call.ts";
import type { Entry } from "./entry.ts";

// Why a call is refused before it reaches its module.

/**
 * Whether the options of a call fit. A deadline that is not a number would never pass, and would stand before all others in their queue; what is negative is over already. A signal
 * that cannot be listened to would be found out when the module works already.
 */
export function fits(options: CallOptions | undefined): boolean {
  if (options == null) return true;
  const { timeoutMs, signal } = options;
  return (
    (timeoutMs === undefined || (typeof timeoutMs === "number" && timeoutMs === timeoutMs)) &&
    isSignal(signal)
  );
}

/** @throws KeelsonError `INVALID_OPTIONS` unless the options of a call fit */
export function requireFit(options: CallOptions | undefined): void {
  if (fits(options)) return;
  const { timeoutMs, signal } = options ?? {};
  throw invalidOptions(
    `The call's timeoutMs is ${shown(timeoutMs)}, its signal ${shown(signal)}`,
    "give a number of milliseconds or Infinity, and an AbortSignal, or neither",
  );
}

/** The error of a call that its module has no function for. */
export function noMethod(frame: CallFrame): KeelsonError {
  const { module: id, method } = frame;
  return new KeelsonError("UNKNOWN_METHOD", `There is no method ${nameOf(frame)}`, {
    hint: "a module answers calls by call(), and streams by stream(); this one lacks it",
    details: { id, method },
  });
}

/** The error of a call that came while nobody takes calls. */
export function notRunning(entry: Entry): KeelsonError {
  const { id, state } = entry;
  return new KeelsonError("MODULE_NOT_RUNNING", `Module "${id}" is ${state} and takes no calls`, {
    hint:
      state === "failed"
        ? `see the cause; unless its supervisor does so, start("${id}") again`
        : `call start("${id}") and wait for it`,
    details: { id, state },
    ...given({ cause: entry.active.error }),
  });
}
