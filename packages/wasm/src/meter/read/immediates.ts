import { Immediate } from "./opcodes.ts";

/**
 * Where the immediates of kind `immediate` that begin at `at` end, for a look at code before it is scanned; -1 for what is too
 * unusual to be worth decoding. Nothing is checked: the engine has found the module valid.
 */
export function pastImmediate(bytes: Uint8Array, at: number, immediate: number): number {
  let numbers: number;
  switch (immediate) {
    case Immediate.none:
      return at;
    case Immediate.leb:
      numbers = 1;
      break;
    case Immediate.leb2:
      numbers = 2;
      break;
    case Immediate.memory:
      // bit 6 of the alignment: a memory's index follows
      numbers = bytes[at]! & 0x40 ? 3 : 2;
      break;
    case Immediate.blockType:
      // a reference type of more bytes
      if (bytes[at] === 0x63 || bytes[at] === 0x64) return -1;
      numbers = 1;
      break;
    case Immediate.branchTable:
      if (bytes[at]! >= 0x80) return -1;
      numbers = bytes[at]! + 2;
      break;
    case Immediate.bytes4:
      return at + 4;
    case Immediate.bytes8:
      return at + 8;
    default:
      return -1;
  }
  let end = at;
  for (; numbers > 0; numbers--) while (bytes[end++]! >= 0x80);
  return end;
}
