/** A copy of `array`, twice as long. */
export function grown<T extends Uint8Array | Int32Array | Float64Array>(array: T): T {
  const copy = new (array.constructor as new (length: number) => T)(array.length * 2);
  copy.set(array);
  return copy;
}
