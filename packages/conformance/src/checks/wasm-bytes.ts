// WebAssembly modules put together by hand, byte for byte: the suite needs no toolchain. Every count and size is less than 128, so that it is a byte
// of its own.

/** The first bytes of a module: its mark, and version 1. */
export const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00] as const;
/** The type of a 32-bit number. */
export const I32 = 0x7f;

/** A section: its number, and its items behind their count. */
export function section(id: number, items: readonly (readonly number[])[]): readonly number[] {
  const content = [items.length, ...items.flat()];
  return [id, content.length, ...content];
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
  return [code.length + 2, 0, ...code, 0x0b];
}
