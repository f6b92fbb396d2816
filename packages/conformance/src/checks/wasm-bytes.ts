// WebAssembly modules put together by hand, byte for byte: the suite needs no toolchain. Counts and sizes of types and names are less than 128, so
// that each is a byte of its own.

/** The first bytes of a module: its mark, and version 1. */
export const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00] as const;
/** The type of a 32-bit number. */
export const I32 = 0x7f;

/** A count or size of any length, less than 2 ** 31. */
export function count(value: number): readonly number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...count(value >> 7)];
}

/** A section: its number, and its items behind their count. */
export function section(id: number, items: readonly (readonly number[])[]): readonly number[] {
  const content = [...count(items.length), ...items.flat()];
  return [id, ...count(content.length), ...content];
}

/** The type of a function. */
export function type(params: readonly number[], results: readonly number[]): readonly number[] {
  return [0x60, params.length, ...params, results.length, ...results];
}

/** A name, behind its length. */
export function name(text: string): readonly number[] {
  return [text.length, ...new TextEncoder().encode(text)];
}

/** Exports of functions with consecutive numbers. */
export function functions(first: number, ...names: readonly string[]): readonly (readonly number[])[] {
  return names.map((text, index) => [...name(text), 0x00, first + index]);
}

/** A function's body, of no locals and of this code. */
export function body(...code: readonly number[]): readonly number[] {
  return [...count(code.length + 2), 0, ...code, 0x0b];
}
