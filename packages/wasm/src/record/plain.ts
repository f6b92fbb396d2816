import type { Value } from "@keelson/core";

/** A copy of `value` that JSON lines can carry: numbers that JSON does not know are marked, bytes are copied. */
export function toPlain(value: Value): Value {
  if (typeof value === "number") return plainNumber(value) as Value;
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) return value.map(toPlain);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toPlain(inner as Value)]));
}

/** What {@link toPlain} made a copy of. */
export function fromPlain(value: Value): Value {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(fromPlain);
  const entries = Object.entries(value as Record<string, Value>);
  const [key, text] = entries[0] ?? [];
  if (entries.length === 1 && key === "$number" && typeof text === "string") return Number(text);
  return Object.fromEntries(entries.map(([name, inner]) => [name, fromPlain(inner)]));
}

/** A number as it stands in a record. */
export function plainNumber(value: number): number | { readonly $number: string } {
  if (Number.isFinite(value) && !Object.is(value, -0)) return value;
  return { $number: Object.is(value, -0) ? "-0" : String(value) };
}
