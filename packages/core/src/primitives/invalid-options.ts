import { KeelsonError, type ErrorDetails } from "../contract/errors.ts";

/** The error for options that a host got wrong: which, what is wrong with it, and what to give instead. */
export function invalidOptions(message: string, hint: string, details?: ErrorDetails): KeelsonError {
  return new KeelsonError("INVALID_OPTIONS", message, { hint, details });
}
