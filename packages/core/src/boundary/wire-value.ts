import { KeelsonError } from "../contract/errors.ts";
import type { Value } from "../contract/value.ts";
import { fromBase64, toBase64 } from "./base64.ts";
import { isObject } from "../primitives/invalid-options.ts";

/**
 * How values travel in JSON lines. What JSON has goes as it is; bytes go as `{"$bytes": "<base64>"}`, a bigint as `{"$bigint":
 * "<decimal>"}`, and an object that would be mistaken for one of these as `{"$value": {…}}`. An undefined property is left out, an
 * undefined element of an array becomes null.
 */

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const MARKS = ["$bytes", "$bigint", "$value"];
const MAX_DEPTH = 500;

/** Whether a text is a bigint that may be sent. Reading digits takes the square of their number: a message of longer ones could hold its reader for half a minute. */
export function isBigintText(text: string): boolean {
  return /^-?\d{1,2500}$/.test(text);
}

/**
 * The JSON text of a value; undefined for undefined. Values that JSON holds anyway are not copied.
 *
 * @throws KeelsonError `INVALID_PAYLOAD` for what is not plain data and bytes: functions, symbols, class instances, NaN and infinities,
 * circles
 */
export function encodeValue(value: Value): string | undefined {
  if (value === undefined) return undefined;
  try {
    return JSON.stringify(toJson(value, 0));
  } catch (error) {
    if (error instanceof KeelsonError) throw error;
    throw new KeelsonError("INVALID_PAYLOAD", "A value cannot be sent as JSON", {
      hint: "send plain data and bytes",
      cause: error,
    });
  }
}

/**
 * The value that {@link encodeValue} made a text of, bytes and bigint turned back. `value` comes from JSON.parse and is changed in place.
 *
 * @throws KeelsonError `INVALID_PAYLOAD` when a mark does not hold what it announces, or data are nested deeper than they may be sent
 */
export function decodeValue(value: unknown): Value {
  return decode(value, 0);
}

function decode(value: unknown, depth: number): Value {
  if (!isObject(value)) return value as Value;
  // Whoever wrote the line chose the depth: the stack must not be theirs.
  if (depth >= MAX_DEPTH) throw tooDeep();
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) value[index] = decode(value[index], depth + 1);
    return value as Value;
  }
  const object = value as Record<string, unknown>;
  const mark = markOf(object);
  if (mark === undefined) {
    decodeProperties(object, depth);
    return object as Value;
  }
  const inner = object[mark];
  if (mark === "$value" && isObject(inner) && !Array.isArray(inner)) {
    decodeProperties(inner as Record<string, unknown>, depth);
    return inner as Value;
  }
  if (mark === "$bigint" && typeof inner === "string" && isBigintText(inner)) return BigInt(inner);
  const bytes = mark === "$bytes" && typeof inner === "string" ? fromBase64(inner) : undefined;
  if (bytes !== undefined) return bytes;
  throw new KeelsonError("INVALID_PAYLOAD", `A value marked ${mark} does not hold what the mark says`, {
    hint: `write ${mark === "$bytes" ? "base64 with padding" : mark === "$bigint" ? "a decimal number as a string" : "an object"} behind ${mark}`,
  });
}

/** Whether a line may hold marked values: a cheap look that spares most lines the decoding. */
export function mayHoldMarks(line: string): boolean {
  return line.includes('"$') || line.includes('"\\u0024');
}

function decodeProperties(object: Record<string, unknown>, depth: number): void {
  for (const key of Object.keys(object)) {
    const before = object[key];
    if (isObject(before)) {
      const after = decode(before, depth + 1);
      if (after !== before) object[key] = after;
    }
  }
}

/** The object's one key, if that is a mark. */
function markOf(object: Record<string, unknown>): string | undefined {
  let only: string | undefined;
  for (const key in object) {
    if (only !== undefined) return undefined;
    only = key;
  }
  return MARKS.find((mark) => mark === only);
}

function toJson(value: unknown, depth: number): Json {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      if (Number.isFinite(value)) return value;
      throw unsendable(`the number ${value}`);
    case "bigint": {
      const $bigint = String(value);
      if (isBigintText($bigint)) return { $bigint };
      throw unsendable("a bigint of more than 2,500 digits");
    }
    case "undefined":
      return null;
    case "object":
      return value === null ? null : objectToJson(value, depth);
    default:
      throw unsendable(`a ${typeof value}`);
  }
}

function objectToJson(value: object, depth: number): Json {
  // The depth finds circles as well, and costs less than remembering the way.
  if (depth >= MAX_DEPTH) throw unsendable(`data nested more than ${MAX_DEPTH} deep, or in a circle`);
  if (value instanceof Uint8Array) return { $bytes: toBase64(value) };
  return Array.isArray(value) ? arrayToJson(value, depth + 1) : recordToJson(value, depth + 1);
}

function arrayToJson(value: unknown[], depth: number): Json {
  let copy: Json[] | undefined;
  for (let index = 0; index < value.length; index++) {
    const before = value[index];
    const after = toJson(before, depth);
    if (copy === undefined && after !== before) copy = value.slice(0, index) as Json[];
    copy?.push(after);
  }
  return copy ?? (value as Json[]);
}

function recordToJson(value: object, depth: number): Json {
  const prototype: unknown = Object.getPrototypeOf(value);
  // The prototype of another realm's plain object has no prototype either.
  if (prototype !== null && prototype !== Object.prototype && Object.getPrototypeOf(prototype) !== null) {
    throw unsendable(
      `an instance of ${(value.constructor as { name?: string } | undefined)?.name ?? "a class"}`,
    );
  }
  const record = value as Record<string, unknown>;
  let copy: Record<string, unknown> | undefined;
  let keys = 0;
  let only = "";
  for (const key in record) {
    const before = record[key];
    if (before === undefined) continue;
    keys++;
    only = key;
    const after = toJson(before, depth);
    if (after !== before) {
      copy ??= { ...record };
      // The property is there already: even one called `__proto__` is no setter.
      copy[key] = after;
    }
  }
  const json = (copy ?? record) as Record<string, Json>;
  return keys === 1 && MARKS.includes(only) ? { $value: json } : json;
}

function tooDeep(): KeelsonError {
  return new KeelsonError("INVALID_PAYLOAD", `A value that was sent is nested more than ${MAX_DEPTH} deep`, {
    hint: "send flatter data",
  });
}

function unsendable(what: string): KeelsonError {
  return new KeelsonError(
    "INVALID_PAYLOAD",
    `A value holds ${what}, which cannot cross to a guest or a child`,
    {
      hint: "send plain data and bytes",
    },
  );
}
