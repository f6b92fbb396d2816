// What hosts give, and callers without types: how it is shown in messages, and the error for what cannot be.

import { KeelsonError } from "@keelson/core/plain";

/** What a host gave, for a message. Of objects and functions only that they are some: to print one runs code of its own, which may throw. */
export function shown(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 200 ? `${value.slice(0, 200)}…` : value);
  return isObject(value) || typeof value === "function" ? `of type ${typeof value}` : String(value);
}

/** Whether `value` is an object, as options are. */
export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** `INVALID_OPTIONS`, with what to give instead. */
export function invalidOptions(message: string, hint: string): KeelsonError {
  return new KeelsonError("INVALID_OPTIONS", message, { hint });
}
