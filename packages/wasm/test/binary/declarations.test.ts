import { describe, expect, test } from "vitest";
import { readLimits, skipConstant, type Limits } from "../../src/binary/declarations.ts";
import { encodeUnsigned, MalformedBinary, Reader } from "../../src/binary/reader.ts";

const reader = (...bytes: readonly number[]): Reader => new Reader(Uint8Array.from(bytes), 0, bytes.length);
const zeros = (count: number): number[] => Array.from({ length: count }, () => 0x0b);

describe("a constant expression is stepped over", () => {
  test.each([
    ["nothing", []],
    ["i32.const", [0x41, 0xff, 0x8b, 0x0b]],
    ["i64.const", [0x42, 0x8b, 0x0b]],
    ["f32.const", [0x43, ...zeros(4)]],
    ["f64.const", [0x44, ...zeros(8)]],
    ["v128.const", [0xfd, 12, ...zeros(16)]],
    ["global.get", [0x23, 0x8b, 0x0b]],
    ["ref.null", [0xd0, 0x70]],
    ["ref.func", [0xd2, 0x8b, 0x0b]],
    ["i32.add, i32.sub, i32.mul", [0x6a, 0x6b, 0x6c]],
    ["i64.add, i64.sub, i64.mul", [0x7c, 0x7d, 0x7e]],
    ["struct.new", [0xfb, 0, 0x8b, 0x0b]],
    ["struct.new_default", [0xfb, 1, 0x8b, 0x0b]],
    ["array.new", [0xfb, 6, 0x8b, 0x0b]],
    ["array.new_default", [0xfb, 7, 0x8b, 0x0b]],
    ["array.new_fixed", [0xfb, 8, 0x8b, 0x0b, 0x8b, 0x0b]],
    ["any.convert_extern, extern.convert_any, ref.i31", [0xfb, 26, 0xfb, 27, 0xfb, 28]],
  ])("%s", (_, instructions) => {
    // Where a byte of an operand is taken for an instruction, 0x0b would end it too early.
    const read = reader(...instructions, 0x0b, 0x99);
    skipConstant(read);
    expect(read.offset).toBe(instructions.length + 1);
  });

  test("and what has no place in one is refused, at its place", () => {
    const known = [
      0x0b, 0x23, 0x41, 0x42, 0x43, 0x44, 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e, 0xd0, 0xd2, 0xfb, 0xfd,
    ];
    for (let opcode = 0; opcode < 256; opcode++) {
      if (known.includes(opcode)) continue;
      const read = reader(0x41, 0, opcode, ...zeros(20));
      expect(() => skipConstant(read), String(opcode)).toThrow(expect.objectContaining({ offset: 2 }));
    }
    for (let code = 0; code < 40; code++) {
      if ([0, 1, 6, 7, 8, 26, 27, 28].includes(code)) continue;
      expect(() => skipConstant(reader(0xfb, code, ...zeros(4))), String(code)).toThrow(MalformedBinary);
    }
    expect(() => skipConstant(reader(0x41, 0))).toThrow(MalformedBinary);
  });
});

test.each([
  [[0, 5], { flags: 0, min: 5, max: undefined }],
  [[1, 5, 0x80, 1], { flags: 1, min: 5, max: 128 }],
  [[2, 5], { flags: 2, min: 5, max: undefined }],
  [[7, 5, 6], { flags: 7, min: 5, max: 6 }],
] satisfies readonly (readonly [number[], Limits])[])("limits %j are read to their end", (bytes, limits) => {
  const read = reader(...bytes);
  expect(readLimits(read)).toEqual(limits);
  expect(read.done).toBe(true);
  expect(() => readLimits(reader(8, 1, 1))).toThrow(expect.objectContaining({ offset: 0 }));
});

test("numbers of any length are read as they were written, and one of more than ten bytes is refused", () => {
  for (const value of [0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32 - 1, 2 ** 53 - 1]) {
    const bytes = encodeUnsigned(value);
    expect(bytes.length).toBe(Math.max(1, Math.ceil(value.toString(2).length / 7)));
    const read = reader(...bytes, 1);
    expect(read.unsigned()).toBe(value);
    expect(read.offset).toBe(bytes.length);
  }
  const long = (count: number): number[] => [...Array.from({ length: count - 1 }, () => 0x80), 0];
  expect(reader(...long(10)).unsigned()).toBe(0);
  expect(() => reader(...long(11)).unsigned()).toThrow(expect.objectContaining({ offset: 10 }));
});

test("nothing is read or stepped over past the end", () => {
  const read = new Reader(Uint8Array.of(1, 2, 3, 4), 1, 3);
  expect(() => read.skip(3)).toThrow(expect.objectContaining({ offset: 1 }));
  read.skip(2);
  expect(read.done).toBe(true);
  expect(() => read.byte()).toThrow(expect.objectContaining({ offset: 3 }));
  expect(() => reader(2, 0x61).name()).toThrow(MalformedBinary);
  expect(reader(2, 0xc3, 0xa4, 0x61).name()).toBe("ä");
});
