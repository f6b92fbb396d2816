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

/** Refusals as an error's details name them; empty when there were none. */
export function refusalDetails({ memory, table }: Refusals): Record<string, number> {
  return {
    ...(memory > 0 ? { refusedMemoryGrowths: memory } : {}),
    ...(table > 0 ? { refusedTableGrowths: table } : {}),
  };
}

/** The error for a stopped guest; `details` carry the usage, so that a stop can be accounted for. */
export function stopError(stop: Stop, usage: Usage, refused: Refusals, cause?: unknown): KeelsonError {
  const [what, hint] = words[stop.limit];
  const value = stop.value === undefined ? "" : ` of ${stop.value}`;
  return new KeelsonError(stop.code, `the guest ${what}${value}`, {
    hint,
    details: {
      limit: stop.limit,
      ...(stop.value === undefined ? {} : { value: stop.value }),
      usage,
      ...refusalDetails(refused),
    },
    ...(cause === undefined ? {} : { cause }),
  });
}
