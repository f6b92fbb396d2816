import { KeelsonError, withDetails } from "../contract/errors.ts";
import type { Measurement } from "../contract/usage.ts";

/** An empty {@link Measurement}. */
export function createMeasurement(record: boolean): Measurement {
  return { record, usage: undefined, recorded: undefined };
}

/** A measured call's error, with what is known of the call by now. */
export function measuredError(error: KeelsonError, { usage, recorded }: Measurement): KeelsonError {
  if (usage === undefined && recorded === undefined) return error;
  return withDetails(error, {
    ...(usage === undefined ? {} : { usage }),
    ...(recorded === undefined ? {} : { record: recorded }),
  });
}

/** The error for a record that was asked of a module that cannot make one. */
export function cannotRecord(id: string, kind: string): KeelsonError {
  return new KeelsonError("UNSUPPORTED", `Module "${id}" cannot be recorded: it is of kind ${kind}`, {
    hint: "WebAssembly modules that are metered and run inline can; else measure without `record`",
    details: { id, kind },
  });
}
