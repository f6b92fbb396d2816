// Codes that the meter writes. How code is read is the table in opcodes.ts.

// Types, and the type of a block that has none.
export const I32 = 0x7f;
export const I64 = 0x7e;
export const EMPTY = 0x40;

// Instructions, by their names in the text format: `LtS` compares signed numbers, `LtU` unsigned ones.
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
export const CALL_INDIRECT = 0x11;
export const SELECT = 0x1b;
export const localGet = 0x20;
export const localSet = 0x21;
export const localTee = 0x22;
export const globalGet = 0x23;
export const globalSet = 0x24;
export const memorySize = 0x3f;
export const memoryGrow = 0x40;
export const i32Const = 0x41;
export const i64Const = 0x42;
export const i32Eq = 0x46;
export const i32Ne = 0x47;
export const i32LtS = 0x48;
export const i32GtU = 0x4b;
export const i32LeS = 0x4c;
export const i32LeU = 0x4d;
export const i64Eqz = 0x50;
export const i64Ne = 0x52;
export const i64LtU = 0x54;
export const i64GtU = 0x56;
export const i64LeU = 0x58;
export const i64GeS = 0x59;
export const i32Add = 0x6a;
export const i32Sub = 0x6b;
export const i32And = 0x71;
export const i32Or = 0x72;
export const i32Shl = 0x74;
export const i32ShrU = 0x76;
export const i64Add = 0x7c;
export const i64Sub = 0x7d;
export const i64Shl = 0x86;
export const i64ShrU = 0x88;
export const i32WrapI64 = 0xa7;
export const i64ExtendI32U = 0xad;

// Prefixes, and the second bytes that are written behind them.
export const MISC = 0xfc;
export const tableGrow = 15;
export const tableSize = 16;
export const ATOMIC = 0xfe;
export const memoryWait32 = 1;
export const memoryWait64 = 2;
