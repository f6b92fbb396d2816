import { KeelsonError, type Value } from "@keelson/core";
import { toBase64 } from "../cache/digest.ts";

const MAX_DEPTH = 1000;

/**
 * The JSON of plain data. Bytes inside it become `{"$bytes": "<base64>"}`, bigint `{"$bigint": "<decimal>"}`.
 *
 * @throws KeelsonError `INVALID_PAYLOAD` for functions, symbols, class instances, cycles
 */
export function toJson(value: Value): string {
  return JSON.stringify(isPlain(value, 0) ? value : wrap(value));
}

/** Whether JSON can carry it as it is; false when it holds bytes or bigint. */
function isPlain(value: unknown, depth: number): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value === "bigint") return false;
  if (typeof value === "function" || typeof value === "symbol") throw refuse(`a ${typeof value}`);
  if (typeof value !== "object") return true;
  if (value instanceof Uint8Array) return false;
  if (depth > MAX_DEPTH) throw refuse(`a cycle, or more than ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) return every(value, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw refuse(`an instance of ${(value.constructor as { name?: string } | undefined)?.name || "a class"}`);
  }
  return every(Object.values(value), depth);
}

function every(values: readonly unknown[], depth: number): boolean {
  let plain = true;
  for (const value of values) plain = isPlain(value, depth + 1) && plain;
  return plain;
}

function wrap(value: Value): unknown {
  if (typeof value === "bigint") return { $bigint: value.toString() };
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return { $bytes: toBase64(value) };
  if (Array.isArray(value)) return value.map(wrap);
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, wrap(part as Value)]));
}

function refuse(what: string): KeelsonError {
  return new KeelsonError("INVALID_PAYLOAD", `The payload holds ${what}, which cannot be handed to a guest`, {
    hint: "pass plain data: null, booleans, numbers, strings, bigint, Uint8Array, arrays and plain objects of these",
  });
}

/**
 * The value of a guest's JSON, with `$bytes` and `$bigint` turned back.
 *
 * @param what names the text in the error
 * @throws KeelsonError `INVALID_PAYLOAD` when it is not JSON
 */
export function fromJson(text: string, what: string): Value {
  try {
    return JSON.parse(text, text.includes('"$b') ? unwrap : undefined) as Value;
  } catch (cause) {
    throw new KeelsonError("INVALID_PAYLOAD", `${what} is not JSON: ${JSON.stringify(text.slice(0, 60))}`, {
      hint: "the plugin must answer with one JSON value in UTF-8",
      cause,
    });
  }
}

function unwrap(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length !== 1 || first === undefined || typeof first[1] !== "string") return value;
  if (first[0] === "$bigint" && /^-?[0-9]{1,4096}$/.test(first[1])) return BigInt(first[1]);
  return first[0] === "$bytes" ? (fromBase64(first[1]) ?? value) : value;
}

function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const clean = text.replace(/=+$/, "");
  const bytes = new Uint8Array(Math.floor((clean.length * 3) / 4));
  let word = 0;
  let at = 0;
  for (let index = 0; index < clean.length; index++) {
    word = (word << 6) | digit(clean.charCodeAt(index));
    if (index % 4 === 0) continue;
    bytes[at++] = (word >> (6 - (index % 4) * 2)) & 0xff;
  }
  return bytes;
}

function digit(code: number): number {
  if (code >= 97) return code - 71;
  if (code >= 65) return code - 65;
  if (code >= 48) return code + 4;
  return code === 43 ? 62 : 63;
}
