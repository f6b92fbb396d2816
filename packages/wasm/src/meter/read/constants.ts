import type { ModuleInfo } from "./module.ts";
import { describeOpcode, Immediate, immediateOf, prefixBase, prefixRoom, Role, roleOf } from "./opcodes.ts";
import { type Reader, truncated, unsupported } from "./reader.ts";
import { skipHeapType } from "./types.ts";

/** What the constant expressions of a module do at instantiation, before any code of it runs. */
export interface ConstantFacts {
  /** Objects allocated, in units of 16 bytes. */
  granules: number;
  /** Instructions, and items of element segments. */
  steps: number;
}

/** The bytes of one allocation unit. */
export const GRANULE = 16;

/** How many granules one object of `bytes` takes, its header included. */
export function granulesOf(bytes: number): number {
  return 1 + Math.ceil(bytes / GRANULE);
}

const REF_FUNC = 0xd2;

/**
 * Reads one constant expression up to its end, notes the functions it makes reachable and adds up what it allocates.
 * The length of an array has to be a literal: anything else could not be charged before the allocation happens.
 */
export function scanConstant(
  reader: Reader,
  module: Pick<ModuleInfo, "types" | "exposed" | "tabled" | "constants">,
): void {
  const { bytes } = reader;
  let literal: number | undefined;
  for (;;) {
    const at = reader.at;
    let slot = reader.byte();
    if (slot >= 0xfb && slot <= 0xfe) {
      const code = reader.u32();
      if (code >= prefixRoom[slot - 0xfb]!) throw unsupported(`opcode 0x${slot.toString(16)} ${code}`, at);
      slot = prefixBase[slot - 0xfb]! + code;
    }
    const role = roleOf[slot]!;
    if (role === Role.unknown) throw unsupported(describeOpcode(slot), at);
    if (role === Role.end) return;
    module.constants.steps++;
    const previous = literal;
    literal = undefined;
    switch (role) {
      case Role.constant:
        literal = reader.s33();
        continue;
      case Role.structNew:
      case Role.structNewDefault: {
        const type = module.types[reader.u32()];
        module.constants.granules += granulesOf(type?.size ?? 0);
        continue;
      }
      case Role.arrayNew: {
        const type = module.types[reader.u32()];
        if (previous === undefined) throw unsupported("an array of computed length in a constant", at);
        module.constants.granules += granulesOf((type?.size ?? 8) * (previous >>> 0));
        continue;
      }
      case Role.arrayNewFixed: {
        const type = module.types[reader.u32()];
        module.constants.granules += granulesOf((type?.size ?? 8) * reader.u32());
        continue;
      }
      case Role.plain:
        break;
      default:
        throw unsupported(`${describeOpcode(slot)} in a constant`, at);
    }
    if (slot === REF_FUNC) {
      const index = reader.u32();
      module.exposed.add(index);
      module.tabled.add(index);
    } else skipSimpleImmediate(reader, immediateOf[slot]!);
    if (reader.at > bytes.length) throw truncated(at);
  }
}

function skipSimpleImmediate(reader: Reader, kind: number): void {
  switch (kind) {
    case Immediate.none:
      return;
    case Immediate.leb:
      reader.skipLeb();
      return;
    case Immediate.bytes4:
      reader.skip(4);
      return;
    case Immediate.bytes8:
      reader.skip(8);
      return;
    case Immediate.bytes16:
      reader.skip(16);
      return;
    case Immediate.heapType:
      skipHeapType(reader);
      return;
    default:
      throw unsupported("an instruction in a constant", reader.at);
  }
}

/** Reads over one constant expression. */
export function skipConstant(reader: Reader): void {
  scanConstant(reader, {
    types: [],
    exposed: new Set(),
    tabled: new Set(),
    constants: { granules: 0, steps: 0 },
  });
}
