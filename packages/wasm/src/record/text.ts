import {
  decodeValue,
  encodeValue,
  isKeelsonError,
  KeelsonError,
  type CallRecord,
  type Measured,
} from "@keelson/core";
import { RECORD_VERSION, type CallRecording } from "./recording.ts";

/**
 * A record as one line of JSON; bytes are base64.
 * @throws KeelsonError `INVALID_PAYLOAD` when the call's own payload or answer is no plain data
 */
export function printRecord(record: CallRecord): string {
  return encodeValue(record) ?? "";
}

/**
 * The record that {@link printRecord} made a text of.
 * @throws KeelsonError `INVALID_RECORD` for anything else, and for a version that is not known
 */
export function parseRecord(text: string): CallRecording {
  let value: unknown;
  try {
    value = decodeValue(JSON.parse(text));
  } catch (cause) {
    throw invalidRecord("it is not JSON", cause);
  }
  requireRecord(value);
  return value;
}

/**
 * The record that `kernel.measure` brought with its answer, or that the error of a failed call carries; undefined where there is none.
 * @throws KeelsonError `INVALID_RECORD` for the record of another kind of module
 */
export function recordOf(outcome: unknown): CallRecording | undefined {
  const holder = isKeelsonError(outcome) ? outcome.details : (outcome as Partial<Measured> | undefined);
  const record = holder?.["record"];
  if (record === undefined) return undefined;
  requireRecord(record);
  return record;
}

/** Refuses what is no record of the form known here. Bounds are looked at when it is used: nothing in it is believed. */
export function requireRecord(value: unknown): asserts value is CallRecording {
  const record = fieldsOf(value, "the record");
  if (record["kind"] !== "wasm") throw invalidRecord('its kind is not "wasm"');
  if (record["version"] !== RECORD_VERSION) {
    const { version } = record;
    const found = typeof version === "number" ? version : `of type ${typeof version}`;
    throw invalidRecord(`its version is ${found}, and only ${RECORD_VERSION} is known`);
  }
  const module = fieldsOf(record["module"], "module");
  for (const name of ["id", "sha256", "abi"]) need(typeof module[name] === "string", `module.${name}`);
  const metering = fieldsOf(record["metering"], "metering");
  need(metering["mode"] === "exact" || metering["mode"] === "deadline", "metering.mode");
  need(typeof metering["meter"] === "string", "metering.meter");
  for (const name of ["stackBytes", "memoryBytes", "tableElements"])
    need(isCount(metering[name]), `metering.${name}`);
  need(metering["fuel"] === null || isCount(metering["fuel"]), "metering.fuel");
  need(typeof record["method"] === "string", "method");
  requireOutcome(fieldsOf(record["outcome"], "outcome"));
  need(Array.isArray(record["hostCalls"]), "hostCalls");
  for (const [index, call] of (record["hostCalls"] as readonly unknown[]).entries())
    requireHostCall(fieldsOf(call, `hostCalls[${index}]`), `hostCalls[${index}]`);
}

function requireOutcome(outcome: Readonly<Record<string, unknown>>): void {
  need(typeof outcome["code"] === "string", "outcome.code");
  need(isCount(outcome["fuel"]), "outcome.fuel");
  need(typeof outcome["memorySha256"] === "string", "outcome.memorySha256");
  const { fuelAtMost, stoppedAtReturn } = outcome;
  need(fuelAtMost === undefined || isCount(fuelAtMost), "outcome.fuelAtMost");
  need(stoppedAtReturn === undefined || isCount(stoppedAtReturn), "outcome.stoppedAtReturn");
}

function requireHostCall(call: Readonly<Record<string, unknown>>, at: string): void {
  need(typeof call["name"] === "string", `${at}.name`);
  for (const list of ["args", "results"]) {
    const values = call[list];
    need(Array.isArray(values) && values.every(isNumber), `${at}.${list}`);
  }
  for (const said of ["thrown", "panic"]) {
    if (call[said] === undefined) continue;
    const { code, message } = fieldsOf(call[said], `${at}.${said}`);
    need(typeof code === "string" && typeof message === "string", `${at}.${said}`);
  }
  for (const list of ["writes", "grown"]) {
    need(Array.isArray(call[list]), `${at}.${list}`);
    for (const item of call[list] as readonly unknown[]) {
      const { memory, at: from, bytes, pages } = fieldsOf(item, `${at}.${list}`);
      const fits = list === "grown" ? isCount(pages) : isCount(from) && bytes instanceof Uint8Array;
      need(isCount(memory) && fits, `${at}.${list}`);
    }
  }
}

function fieldsOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Uint8Array)
    throw invalidRecord(`${what} is no object`);
  return value as Readonly<Record<string, unknown>>;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isNumber(value: unknown): boolean {
  if (typeof value === "number" || typeof value === "bigint") return true;
  const { $number } = (typeof value === "object" && value !== null ? value : {}) as { $number?: unknown };
  return typeof $number === "string";
}

function need(fits: boolean, field: string): void {
  if (!fits) throw invalidRecord(`its field ${field} is missing or of the wrong form`);
}

export function invalidRecord(why: string, cause?: unknown): KeelsonError {
  return new KeelsonError("INVALID_RECORD", `This is no record of a call: ${why}`, {
    hint: "give the text that printRecord() made, whole; a record of a newer Keelson needs that",
    ...(cause === undefined ? {} : { cause }),
  });
}
