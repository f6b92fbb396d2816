import { MalformedBinary, type Reader } from "./reader.ts";

/** The limits of a memory or a table. */
export interface Limits {
  /** Of these bits: 1 a maximum is set, 2 shared, 4 addresses of 64 bits. */
  readonly flags: number;
  readonly min: number;
  readonly max: number | undefined;
}

/** @throws MalformedBinary for limits of an unknown form, such as custom page sizes */
export function readLimits(reader: Reader): Limits {
  const at = reader.offset;
  const flags = reader.byte();
  if (flags > 7) throw new MalformedBinary(`limits of an unknown form (flags ${flags})`, at);
  const min = reader.unsigned();
  return { flags, min, max: (flags & 1) === 0 ? undefined : reader.unsigned() };
}

/**
 * Steps over a constant expression.
 *
 * @throws MalformedBinary for an instruction that has no place in one
 */
export function skipConstant(reader: Reader): void {
  for (;;) {
    const at = reader.offset;
    const opcode = reader.byte();
    if (opcode === 0x0b) return;
    // i32.const, i64.const, global.get, ref.null, ref.func: one number; arithmetic on integers has none
    if ([0x41, 0x42, 0x23, 0xd0, 0xd2].includes(opcode)) reader.skipNumber();
    else if (opcode === 0x43) reader.skip(4);
    else if (opcode === 0x44) reader.skip(8);
    else if (opcode === 0xfb) skipGarbageCollected(reader);
    else if (opcode === 0xfd) {
      // v128.const
      reader.skipNumber();
      reader.skip(16);
    } else if (![0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e].includes(opcode))
      throw new MalformedBinary(`an unknown constant instruction 0x${opcode.toString(16)}`, at);
  }
}

function skipGarbageCollected(reader: Reader): void {
  const at = reader.offset;
  const code = reader.unsigned();
  // struct.new, struct.new_default, array.new, array.new_default
  if ([0, 1, 6, 7].includes(code)) reader.skipNumber();
  // array.new_fixed
  else if (code === 8) {
    reader.skipNumber();
    reader.skipNumber();
  }
  // conversions and ref.i31
  else if (![26, 27, 28].includes(code)) throw new MalformedBinary("an unknown constant instruction", at);
}
