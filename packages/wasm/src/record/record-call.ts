import {
  asKeelsonError,
  describeThrown,
  isKeelsonError,
  type Call,
  type Instance,
  type KeelsonError,
  type MaybePromise,
  type Value,
} from "@keelson/core";
import type { Governor } from "../governor/index.ts";
import { METER_VERSION } from "../meter/index.ts";
import type { WasmSettings } from "../module/settings.ts";
import { hashMemories } from "./memory-hash.ts";
import { toPlain } from "./plain.ts";
import type { Recorder } from "./recorder.ts";
import { RECORD_VERSION, type CallRecording, type RecordedOutcome } from "./recording.ts";

/** What a record is made from. */
export interface RecordedSubject {
  readonly settings: WasmSettings;
  readonly sha256: string;
  readonly abi: string;
}

/**
 * Runs one call on an instance that `recorder` stands around, ends the instance, and leaves the record in the call's measurement; answers or
 * throws as the call does. Hashing the guest's memory takes its time, but none of the call's.
 */
export function recordCall(
  call: Call,
  instance: Instance,
  governor: Governor,
  recorder: Recorder,
  subject: RecordedSubject,
): MaybePromise<Value> {
  // Taken before the call: the payload is the caller's, who may change it.
  let payload: Value;
  try {
    payload = toPlain(call.payload);
  } catch (error) {
    instance[Symbol.dispose]();
    throw asKeelsonError(
      error,
      "INVALID_PAYLOAD",
      `${call.module}: the payload of ${call.method} cannot be read`,
    );
  }
  const keep = (outcome: Pick<RecordedOutcome, "code" | "value" | "message">): void => {
    const { fuel, fuelAtMost } = governor.usage;
    const { stopped, stoppedAtReturn } = governor;
    instance[Symbol.dispose]();
    if (recorder.gap !== undefined || call.measurement === undefined) return;
    // Too late for its guest, or given up before: nothing has run that could run again.
    const late = outcome.code === "DEADLINE_EXCEEDED" || outcome.code === "ABORTED";
    if (late && stopped === undefined && fuel === 0 && recorder.hostCalls.length === 0) return;
    call.measurement.recorded = hashMemories(recorder.memories).then((memorySha256) =>
      recordingOf(call.method, payload, subject, recorder, {
        ...outcome,
        ...(stopped === undefined ? {} : { limit: stopped.limit }),
        fuel,
        ...(fuelAtMost === undefined ? {} : { fuelAtMost }),
        ...(stoppedAtReturn === undefined ? {} : { stoppedAtReturn }),
        memorySha256,
      }),
    );
  };
  let value: MaybePromise<Value>;
  try {
    value = instance.call(call);
  } catch (error) {
    keep({ code: codeOf(error), value: undefined, message: describeThrown(error) });
    throw error;
  }
  // An instance with a recorder around it is none that may be suspended.
  keep({ code: "answered", value: keptAnswer(value as Value, recorder) });
  return value;
}

/** The answer as the record has it; without one there is no record. */
function keptAnswer(value: Value, recorder: Recorder): Value {
  try {
    return toPlain(value);
  } catch (error) {
    recorder.gap ??= describeThrown(error);
    return undefined;
  }
}

function recordingOf(
  method: string,
  payload: Value,
  { settings, sha256, abi }: RecordedSubject,
  { hostCalls }: Recorder,
  outcome: RecordedOutcome,
): CallRecording {
  const { id, metering, stackBytes, maxMemoryBytes, maxTableElements, fuel } = settings;
  return {
    version: RECORD_VERSION,
    kind: "wasm",
    module: { id, sha256, abi },
    metering: {
      mode: metering === "deadline" ? "deadline" : "exact",
      meter: String(METER_VERSION),
      stackBytes,
      memoryBytes: maxMemoryBytes,
      tableElements: maxTableElements,
      fuel: fuel ?? null,
    },
    method,
    payload,
    hostCalls,
    outcome,
  };
}

/** The code of what a call threw, as its caller will see it. */
export function codeOf(error: unknown): KeelsonError["code"] {
  return isKeelsonError(error) ? error.code : "CALL_FAILED";
}
