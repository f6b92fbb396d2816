import { Immediate, immediateOf, nameOf, prefixBase, prefixRoom, relaxedSimd } from "../meter/opcodes.ts";
import { Reader } from "../meter/reader.ts";
import { readValueType, skipHeapType } from "../meter/types.ts";
import type { Surface } from "./surface.ts";

/** Which instructions belong to a proposal, by their names; those of the first version of the format to none. */
const INSTRUCTIONS: readonly (readonly [proposal: string, names: RegExp])[] = [
  ["sign extension", /^i(32|64)\.extend(8|16|32)_s$/],
  ["saturating floats", /^i(32|64)\.trunc_sat_/],
  ["bulk memory", /^(memory\.(init|copy|fill)|data\.drop|elem\.drop|table\.(init|copy))$/],
  ["reference types", /^(table\.(get|set|grow|size|fill)|ref\.(null|is_null|func)|select_t)$/],
  ["typed function references", /^(call_ref|ref\.as_non_null|br_on_null|br_on_non_null)$/],
  ["tail calls", /^return_call/],
  ["exceptions, first form", /^(try|catch|catch_all|delegate|rethrow)$/],
  ["exceptions", /^(throw|throw_ref|try_table)$/],
  ["threads", /atomic/],
  ["garbage collection", /^(struct\.|array\.|ref\.(eq|test|cast|i31)|i31\.|br_on_cast|any\.|extern\.)/],
];

/** The proposals beyond the first version of the format that a module uses, as far as its sections tell. */
export function proposalsOf(surface: Surface): Set<string> {
  const { memories, tables, types, imports, exports, sections } = surface;
  const found = new Set<string>();
  const add = (proposal: string, used: boolean): void => void (used && found.add(proposal));
  const typed = [...imports, ...exports].map(({ type }) => type);
  const mutable = [...imports, ...exports].some(({ kind, type }) => kind === "global" && /^mut /.test(type));
  add("mutable globals", mutable);
  add(
    "multi-value",
    types.some(({ results }) => results > 1),
  );
  add("multi-memory", memories.length > 1);
  add(
    "memory64",
    memories.some(({ wide }) => wide),
  );
  add(
    "threads",
    memories.some(({ shared }) => shared),
  );
  add("bulk memory", sections.has(12));
  add("reference types", tables.length > 1 || tables.some(({ element }) => element !== "funcref"));
  add("exceptions", sections.has(13) || imports.some(({ kind }) => kind === "tag"));
  add(
    "garbage collection",
    types.some(({ kind }) => kind !== "func"),
  );
  add(
    "SIMD",
    typed.some((type) => type.includes("v128")),
  );
  return found;
}

/**
 * Adds the proposals whose instructions stand in the functions' bodies.
 *
 * @param from where the code section's content begins
 * @returns false when an instruction is unknown: what comes behind it was not looked at
 */
export function addCodeProposals(bytes: Uint8Array, from: number, to: number, found: Set<string>): boolean {
  const seen = new Uint8Array(immediateOf.length);
  const known = walk(new Reader(bytes, from, to), seen);
  for (const [slot, used] of seen.entries()) {
    if (used === 0) continue;
    const name = nameOf[slot] ?? "";
    const isVector = slot >= (prefixBase[2] ?? 0) && slot < (prefixBase[3] ?? 0);
    if (isVector) found.add(slot >= relaxedSimd ? "relaxed SIMD" : "SIMD");
    else for (const [proposal, names] of INSTRUCTIONS) if (names.test(name)) found.add(proposal);
  }
  // The first form and the second share `throw`.
  if (found.has("exceptions, first form") && !uses(seen, /^(throw_ref|try_table)$/))
    found.delete("exceptions");
  return known;
}

function uses(seen: Uint8Array, names: RegExp): boolean {
  return seen.some((used, slot) => used === 1 && names.test(nameOf[slot] ?? ""));
}

function walk(reader: Reader, seen: Uint8Array): boolean {
  for (let count = reader.u32(); count > 0; count--) {
    const size = reader.u32();
    const end = reader.at + size;
    for (let groups = reader.u32(); groups > 0; groups--) {
      reader.u32();
      readValueType(reader);
    }
    while (reader.at < end) {
      let slot = reader.byte();
      if (slot >= 0xfb && slot <= 0xfe) {
        const code = reader.u32();
        if (code >= (prefixRoom[slot - 0xfb] ?? 0)) return false;
        slot = (prefixBase[slot - 0xfb] ?? 0) + code;
      }
      if ((nameOf[slot] ?? "") === "") return false;
      seen[slot] = 1;
      skipImmediates(reader, immediateOf[slot] ?? 0);
    }
  }
  return true;
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
