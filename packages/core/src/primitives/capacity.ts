/** `capacity`, if it is a whole number of at least 1; anything else is a RangeError. */
export function requireCapacity(capacity: number, of: string): number {
  if (Number.isSafeInteger(capacity) && capacity >= 1) return capacity;
  throw new RangeError(`The capacity of a ${of} must be a whole number of at least 1, not ${capacity}`);
}
