import { Immediate, immediateOf, nameOf, prefixBase, prefixRoom } from "./opcodes.ts";
import { Reader } from "./reader.ts";
import { readValueType, skipHeapType } from "./types.ts";

/** The instructions that occur in a module's functions. */
export interface UsedInstructions {
  /** Their slots in the tables of instructions. */
  readonly slots: ReadonlySet<number>;
  /** Whether all of them are known; what comes behind an unknown one was not looked at. */
  readonly known: boolean;
}

/**
 * Reads the functions' bodies for which instructions they hold, and nothing else. Straight and slow: it shares the tables with the
 * scan and no code, so that it can also tell what a test's modules cover.
 *
 * @param from where the code section's content begins
 * @throws KeelsonError `INVALID_WASM` or `UNSUPPORTED_WASM` for what does not decode
 */
export function instructionsIn(bytes: Uint8Array, from: number, to: number): UsedInstructions {
  const slots = new Set<number>();
  const reader = new Reader(bytes, from, to);
  for (let count = reader.u32(); count > 0; count--) {
    const size = reader.u32();
    const end = reader.at + size;
    for (let groups = reader.u32(); groups > 0; groups--) {
      reader.u32();
      readValueType(reader);
    }
    while (reader.at < end) {
      const slot = readSlot(reader);
      if (slot === undefined) return { slots, known: false };
      slots.add(slot);
      skipImmediates(reader, immediateOf[slot] ?? Immediate.none);
    }
  }
  return { slots, known: true };
}

/** The next opcode's slot; undefined for an unknown one. */
function readSlot(reader: Reader): number | undefined {
  let slot = reader.byte();
  const prefix = slot - 0xfb;
  const base = prefixBase[prefix];
  if (base !== undefined) {
    const code = reader.u32();
    if (code >= (prefixRoom[prefix] ?? 0)) return undefined;
    slot = base + code;
  }
  return nameOf[slot] ? slot : undefined;
}

function skipImmediates(reader: Reader, kind: number): void {
  switch (kind) {
    case Immediate.leb:
      return reader.skipLeb();
    case Immediate.leb2:
      reader.skipLeb();
      return reader.skipLeb();
    case Immediate.memory:
      return skipMemoryArgument(reader);
    case Immediate.memoryLane:
      skipMemoryArgument(reader);
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
      return skipBlockType(reader);
    case Immediate.branchTable:
      for (let labels = reader.u32() + 1; labels > 0; labels--) reader.skipLeb();
      return;
    case Immediate.tryTable:
      skipBlockType(reader);
      for (let clauses = reader.u32(); clauses > 0; clauses--) {
        // catch and catch_ref name a tag
        if (reader.byte() < 2) reader.skipLeb();
        reader.skipLeb();
      }
      return;
    case Immediate.types:
      for (let count = reader.u32(); count > 0; count--) readValueType(reader);
      return;
    case Immediate.heapType:
      return skipHeapType(reader);
    case Immediate.castBranch:
      reader.skip(1);
      reader.skipLeb();
      skipHeapType(reader);
      return skipHeapType(reader);
  }
}

function skipMemoryArgument(reader: Reader): void {
  // bit 6 of the alignment: a memory's index follows
  if (reader.u32() & 0x40) reader.skipLeb();
  reader.skipLeb();
}

function skipBlockType(reader: Reader): void {
  const byte = reader.bytes[reader.at] ?? 0;
  if (byte === 0x40) reader.skip(1);
  else if (byte > 0x40 && byte < 0x80) readValueType(reader);
  else reader.skipLeb();
}
