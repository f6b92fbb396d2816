// Codes that the meter writes. How code is read is the table in opcodes.ts.

// Types, and the type of a block that has none.
export const I32 = 0x7f;
export const I64 = 0x7e;
export const EMPTY = 0x40;

// Instructions.
export const UNREACHABLE = 0x00;
export const BLOCK = 0x02;
export const LOOP = 0x03;
export const IF = 0x04;
export const ELSE = 0x05;
export const END = 0x0b;
export const BR = 0x0c;
export const BR_IF = 0x0d;
export const RETURN = 0x0f;
export const CALL = 0x10;
export const localGet = 0x20;
export const localSet = 0x21;
export const localTee = 0x22;
export const globalGet = 0x23;
export const globalSet = 0x24;
export const i32Eq = 0x46;
export const i32LessThan = 0x48;
export const i32Greater = 0x4b;
export const i32Add = 0x6a;
export const i32Sub = 0x6b;
export const i32And = 0x71;
export const i32Or = 0x72;
export const i32ShiftLeft = 0x74;
export const i32ShiftRight = 0x76;
export const i32Wrap = 0xa7;
export const i64Extend = 0xad;
