// What callers are told of a call that was not begun, or that was stopped on its way. What a trap means stands in trap.ts.

import type { ErrorCode } from "@keelson/core";
import { isKeelsonError, KeelsonError } from "@keelson/core/plain";
import { type Stop, stopError } from "../governor/stop.ts";
import { withoutGuest } from "./engine-error.ts";
import { notePlace, type TrapKind, type TrapPlace } from "./trap.ts";

/** The error of a call of an instance that failed, or was disposed, before. */
export function endedBefore(module: string): KeelsonError {
  return new KeelsonError("WASM_TRAP", `${module}: this instance ended before`, {
    hint: "a dead instance is never used again; take another lease",
    details: { kind: "other", module },
  });
}

/** The error of a call whose time was over, or whose caller had given it up, before the guest was entered: it stopped nobody. */
export function notBegun(module: string, method: string, error: unknown): unknown {
  if (!isKeelsonError(error) || error.code === "WASM_TRAP") return error;
  const why = error.code === "ABORTED" ? "its caller gave it up" : "its time was over";
  return new KeelsonError(error.code, `${module}: ${method} was not begun: ${why}`, {
    hint: "the guest was not entered, and serves on",
    details: { module, method },
  });
}

/** The error for a guest that was stopped; what it said before counts no more than that. */
export function stoppedIn(place: TrapPlace, stop: Stop, cause: unknown): KeelsonError {
  const facts: Record<string, unknown> = { limit: stop.limit };
  if (stop.value !== undefined) facts["value"] = stop.value;
  return stopError(stop, noteStop(facts, place, stop.code), withoutGuest(cause), whose(place));
}

/** A stop that says nothing of its place yet, with it. */
export function placed(place: TrapPlace, error: KeelsonError): KeelsonError {
  return new KeelsonError(error.code, `${whose(place)}${error.message.split("\n", 1)[0]}`, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    details: noteStop({ ...error.details }, place, error.code),
    cause: error.cause,
  });
}

function noteStop(
  facts: Record<string, unknown>,
  place: TrapPlace,
  code: ErrorCode,
): Record<string, unknown> {
  notePlace(facts, place);
  if (code === "STACK_EXHAUSTED") facts["kind"] = "stack" satisfies TrapKind;
  return facts;
}

function whose({ module, method }: TrapPlace): string {
  return `${module}: ${method} was stopped: `;
}
