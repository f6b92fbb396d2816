import type { Value } from "@keelson/core";
import { decodeValue, encodeValue, KeelsonError } from "@keelson/core/plain";
import { excessOf } from "./json-size.ts";

/**
 * The JSON of plain data. Bytes inside it become `{"$bytes": "<base64>"}`, bigint `{"$bigint": "<decimal>"}`.
 *
 * @throws KeelsonError `INVALID_PAYLOAD` for what is no plain data
 */
export function toJson(value: Exclude<Value, undefined>): string {
  return encodeValue(value) as string;
}

/**
 * The value of a guest's JSON, with `$bytes` and `$bigint` turned back.
 *
 * @param what names the text in the error
 * @throws KeelsonError `INVALID_PAYLOAD` when it is not JSON, or would take its reader too long
 */
export function fromJson(text: string, what: string): Value {
  const excess = excessOf(text);
  if (excess !== undefined) {
    throw new KeelsonError("INVALID_PAYLOAD", `${what} ${excess}, and is not read`, {
      hint: "the plugin should answer with less at once, or with bytes in a form of its own",
      details: { length: text.length },
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new KeelsonError("INVALID_PAYLOAD", `${what} is not JSON: ${JSON.stringify(text.slice(0, 60))}`, {
      hint: "the plugin must answer with one JSON value in UTF-8",
      cause,
    });
  }
  // Only a text with a marked key is walked through; the `$` may be written as an escape.
  return text.includes('"$') || text.includes('"\\u0024') ? decodeValue(value) : (value as Value);
}
