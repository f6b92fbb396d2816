import { readModule, SectionId } from "../../src/meter/module.ts";
import { Immediate, immediateOf, prefixBase } from "../../src/meter/opcodes.ts";
import { Reader } from "../../src/meter/reader.ts";
import { readValueType, skipHeapType } from "../../src/meter/types.ts";

/** The instructions in a module's functions, by slot. Straight and slow: it shares tables with the scan, no code. */
export function opcodesIn(bytes: Uint8Array): Set<number> {
  const seen = new Set<number>();
  const code = readModule(bytes).sections.find(({ id }) => id === SectionId.code);
  if (!code) return seen;
  const reader = new Reader(bytes, code.from, code.to);
  for (let count = reader.u32(); count > 0; count--) {
    const size = reader.u32();
    const end = reader.at + size;
    for (let groups = reader.u32(); groups > 0; groups--) {
      reader.u32();
      readValueType(reader);
    }
    while (reader.at < end) {
      let slot = reader.byte();
      if (slot >= 0xfb && slot <= 0xfe) slot = prefixBase[slot - 0xfb]! + reader.u32();
      seen.add(slot);
      skip(reader, immediateOf[slot]!);
    }
  }
  return seen;
}

function skip(reader: Reader, kind: number): void {
  const blockType = (): void => {
    const byte = reader.bytes[reader.at]!;
    if (byte === 0x40) reader.skip(1);
    else if (byte > 0x40 && byte < 0x80) readValueType(reader);
    else reader.s33();
  };
  const memory = (): void => {
    if (reader.u32() & 0x40) reader.u32();
    reader.u64();
  };
  switch (kind) {
    case Immediate.leb:
      return reader.skipLeb();
    case Immediate.leb2:
      reader.u32();
      return void reader.u32();
    case Immediate.memory:
      return memory();
    case Immediate.memoryLane:
      memory();
      return reader.skip(1);
    case Immediate.byte:
      return reader.skip(1);
    case Immediate.bytes4:
      return reader.skip(4);
    case Immediate.bytes8:
      return reader.skip(8);
    case Immediate.bytes16:
      return reader.skip(16);
    case Immediate.blockType:
      return blockType();
    case Immediate.branchTable:
      for (let labels = reader.u32() + 1; labels > 0; labels--) reader.u32();
      return;
    case Immediate.tryTable:
      blockType();
      for (let clauses = reader.u32(); clauses > 0; clauses--) {
        if (reader.byte() < 2) reader.u32();
        reader.u32();
      }
      return;
    case Immediate.types:
      for (let count = reader.u32(); count > 0; count--) readValueType(reader);
      return;
    case Immediate.heapType:
      return skipHeapType(reader);
    case Immediate.castBranch:
      reader.skip(1);
      reader.u32();
      skipHeapType(reader);
      return skipHeapType(reader);
  }
}
