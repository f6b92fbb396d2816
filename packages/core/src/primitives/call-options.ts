import type { CallOptions } from "../contract/call.ts";
import { invalidOptions, isSignal, requireOptions, shown } from "./invalid-options.ts";

/** What the options of a call, a send, a request or a checkout may be, for `requireOptions`. */
export const callOptions = { timeoutMs: 0, signal: true } as const;

/**
 * Whether the options of a call fit. A deadline that is not a number would never pass, and would stand before all others in their queue. A signal that
 * cannot be listened to would be found out when the module works already. To look for options that there are not takes a fifth of what a call takes: it is
 * done where the time-out is missing, which may have been mistyped.
 *
 * @param also one more option that there is
 */
export function fits(options: CallOptions | null | undefined, also?: string): boolean {
  if (options == null) return true;
  const { timeoutMs, signal } = options;
  const fitting =
    typeof timeoutMs === "number" ? timeoutMs >= 0 : timeoutMs === undefined && isKnown(options, also);
  return fitting && isSignal(signal);
}

function isKnown(options: object, also: string | undefined): boolean {
  if (typeof options !== "object") return false;
  for (const name in options) if (name !== "signal" && name !== "timeoutMs" && name !== also) return false;
  return true;
}

/** @throws KeelsonError `INVALID_OPTIONS` unless the options of a call {@link fits fit} */
export function requireFit(options: CallOptions | null | undefined, also?: string): void {
  if (fits(options, also)) return;
  requireOptions(
    "call",
    options,
    also === undefined ? callOptions : { ...callOptions, [also]: true },
    Infinity,
  );
  // Options may inherit what there is not: the signal itself, given in their place, has nothing else.
  throw isSignal(options?.signal)
    ? invalidOptions(
        "What was given are no options of a call",
        "give { timeoutMs, signal }, or leave them out",
      )
    : invalidOptions(`call.signal is ${shown(options?.signal)}`, "give an AbortSignal, or none");
}
