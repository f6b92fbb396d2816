import { invalidOptions, shown } from "./invalid-options.ts";

/** `capacity`, if it is a whole number of at least 1; anything else is `INVALID_OPTIONS`. */
export function requireCapacity(capacity: number, of: string): number {
  if (Number.isSafeInteger(capacity) && capacity >= 1) return capacity;
  throw invalidOptions(
    `The capacity of a ${of} is ${shown(capacity)}`,
    "give a whole number of at least 1, or leave it out",
  );
}
