import type { ErrorCode, StopReason, Usage } from "@keelson/core";
import { KeelsonError } from "@keelson/core/plain";

/** Why a guest was stopped. */
export interface Stop {
  readonly code: Extract<
    ErrorCode,
    "FUEL_EXHAUSTED" | "DEADLINE_EXCEEDED" | "ABORTED" | "STACK_EXHAUSTED" | "OUT_OF_MEMORY"
  >;
  /** Which limit it ran into. */
  readonly limit: StopReason;
  /** The limit's value, where it has one. */
  readonly value: number | undefined;
}

const words: Readonly<Record<Stop["limit"], readonly [what: string, hint: string]>> = {
  fuel: ["used up its fuel", "raise limits.fuel, or give the guest less to do in one call"],
  cpuMs: ["ran longer than its cpuMs", "raise limits.cpuMs, or give the guest less to do in one call"],
  deadline: [
    "did not end within the call's time",
    "raise timeoutMs, or give the guest less to do in one call",
  ],
  signal: ["was ended by the caller's signal", "nothing is wrong with the guest; its instance is discarded"],
  stackBytes: ["used up its stack", "look for a recursion without end, or raise limits.stack"],
  memoryBytes: ["allocated more than its cap", "raise limits.memory"],
};

/** How often a guest asked for more and was refused, in one run. */
export interface Refusals {
  readonly memory: number;
  readonly table: number;
}

/** Adds refusals to an error's details, if there were any. */
export function noteRefusals(facts: Record<string, unknown>, { memory, table }: Refusals): void {
  if (memory > 0) facts["refusedMemoryGrowths"] = memory;
  if (table > 0) facts["refusedTableGrowths"] = table;
}

/** What a stop's details say: the usage among them, so that it can be accounted for. */
export function stopFacts(stop: Stop, usage: Usage, refused: Refusals): Record<string, unknown> {
  const facts: Record<string, unknown> =
    stop.value === undefined ? { limit: stop.limit, usage } : { limit: stop.limit, value: stop.value, usage };
  noteRefusals(facts, refused);
  return facts;
}

/** The error for a stopped guest. @param whose put in front of the message */
export function stopError(
  stop: Stop,
  details: Record<string, unknown>,
  cause?: unknown,
  whose = "",
): KeelsonError {
  const [what, hint] = words[stop.limit];
  const value = stop.value === undefined ? "" : ` of ${stop.value}`;
  const message = `${whose}the guest ${what}${value}`;
  return new KeelsonError(
    stop.code,
    message,
    cause === undefined ? { hint, details } : { hint, details, cause },
  );
}
