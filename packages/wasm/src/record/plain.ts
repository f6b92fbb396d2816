import { KeelsonError, type Value } from "@keelson/core";
import { MAX_JSON_DEPTH } from "../abi/json-size.ts";

/** Marks a number that JSON does not know, and an object that would be mistaken for one. */
const MARK = "$number";

/**
 * A copy of `value` that JSON lines can carry: numbers that JSON does not know are marked, bytes are copied.
 * @throws KeelsonError `INVALID_PAYLOAD` for what is nested too deep, or in a circle
 */
export function toPlain(value: Value, depth = 0): Value {
  if (typeof value === "number") return plainNumber(value) as Value;
  if (typeof value !== "object" || value === null) return value;
  if (depth > MAX_JSON_DEPTH) throw tooDeep();
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) return value.map((inner: Value) => toPlain(inner, depth + 1));
  const entries = Object.entries(value).map(([key, inner]) => [key, toPlain(inner as Value, depth + 1)]);
  const copy = Object.fromEntries(entries) as Value;
  return entries.length === 1 && entries[0]?.[0] === MARK ? { [MARK]: copy } : copy;
}

/** What {@link toPlain} made a copy of. */
export function fromPlain(value: Value): Value {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(fromPlain);
  const marked = (value as Record<string, Value>)[MARK];
  if (marked === undefined || Object.keys(value).length !== 1) return properties(value);
  return typeof marked === "string" ? Number(marked) : properties(marked);
}

/** Levels that a record has around the values in it, and a mark within them. */
const LEVELS_AROUND = 8;

/**
 * Refuses what {@link toPlain} leaves in no record: then it can be read to its end, and nothing in it runs code.
 * @throws KeelsonError `INVALID_PAYLOAD`, or what reading a property threw
 */
export function requirePlainData(value: unknown, depth = 0): void {
  const type = typeof value;
  if (type === "function" || type === "symbol" || (type === "number" && !Number.isFinite(value)))
    throw new KeelsonError(
      "INVALID_PAYLOAD",
      `A record holds no ${type === "number" ? String(value) : type}`,
    );
  if (type !== "object" || value === null || value instanceof Uint8Array) return;
  if (depth > MAX_JSON_DEPTH + LEVELS_AROUND) throw tooDeep();
  for (const inner of Object.values(value as object)) requirePlainData(inner, depth + 1);
}

function properties(value: Value): Value {
  const entries = Object.entries(value as Record<string, Value>);
  return Object.fromEntries(entries.map(([name, inner]) => [name, fromPlain(inner)]));
}

function tooDeep(): KeelsonError {
  return new KeelsonError("INVALID_PAYLOAD", `A recorded value is nested more than ${MAX_JSON_DEPTH} deep`, {
    hint: "flatter data, and none in a circle, can be kept in a record",
  });
}

/** A number as it stands in a record. */
export function plainNumber(value: number): number | { readonly $number: string } {
  if (Number.isFinite(value) && !Object.is(value, -0)) return value;
  return { [MARK]: Object.is(value, -0) ? "-0" : String(value) } as { readonly $number: string };
}
