import { KeelsonError } from "../contract/errors.ts";
import { given } from "../primitives/given.ts";
import { nameOf, type CallFrame } from "./call.ts";
import type { Entry } from "./entry.ts";

// Why a call is refused before it reaches its module.

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
  return new KeelsonError("MODULE_NOT_RUNNING", `Module "${id}" takes no calls: its state is ${state}`, {
    hint:
      state === "failed"
        ? `see the cause; unless its supervisor does so, start("${id}") again`
        : `call start("${id}") and wait for it`,
    details: { id, state },
    ...given({ cause: entry.active.error }),
  });
}
