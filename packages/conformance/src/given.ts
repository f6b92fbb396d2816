import { KeelsonError } from "@keelson/core";

/** @throws KeelsonError `INVALID_OPTIONS` unless what a caller gave `fits`; `what` says what was to be given */
export function requireGiven(fits: boolean, what: string): void {
  if (fits) return;
  throw new KeelsonError("INVALID_OPTIONS", `What was given is not ${what}`, {
    hint: "see the types of @keelson/conformance",
  });
}
