import { KeelsonError, withDetails } from "../contract/errors.ts";
import type { Measured, Measurement } from "../contract/usage.ts";
import type { Value } from "../contract/value.ts";
import { given } from "../primitives/given.ts";

/** An empty {@link Measurement}. */
export function createMeasurement(record: boolean): Measurement {
  return { record, usage: undefined, recorded: undefined };
}

/** A measured call's answer, with what is known of the call by now. */
export async function measuredValue(value: Value, measurement: Measurement): Promise<Measured> {
  const record = await measurement.recorded;
  return { value, usage: measurement.usage, ...given({ record }) };
}

/** A measured call's error, with what is known of the call by now. */
export async function measuredError(error: KeelsonError, measurement: Measurement): Promise<KeelsonError> {
  const { usage } = measurement;
  const record = await measurement.recorded;
  if (usage === undefined && record === undefined) return error;
  return withDetails(error, given({ usage, record }));
}

/** The error for a record that was asked of a module that cannot make one. */
export function cannotRecord(id: string, kind: string): KeelsonError {
  return new KeelsonError("UNSUPPORTED", `Module "${id}" cannot be recorded: it is of kind ${kind}`, {
    hint: "WebAssembly modules that are metered and run inline can; else measure without `record`",
    details: { id, kind },
  });
}
