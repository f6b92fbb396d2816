import { SectionId } from "../binary/numbers.ts";
import { instructionsIn } from "../meter/read/instructions.ts";
import { nameOf, prefixBase, relaxedSimd, simdEnd } from "../meter/read/opcodes.ts";
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

const FIRST_VECTOR = prefixBase[0xfd - 0xfb] ?? 0;

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
  add("bulk memory", sections.has(SectionId.dataCount));
  add("reference types", tables.length > 1 || tables.some(({ element }) => element !== "funcref"));
  add("exceptions", sections.has(SectionId.tag) || imports.some(({ kind }) => kind === "tag"));
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
  const { slots, known } = instructionsIn(bytes, from, to);
  const used: string[] = [];
  for (const slot of slots) {
    const name = nameOf[slot] ?? "";
    used.push(name);
    if (slot >= FIRST_VECTOR && slot < simdEnd) found.add(slot >= relaxedSimd ? "relaxed SIMD" : "SIMD");
    else for (const [proposal, names] of INSTRUCTIONS) if (names.test(name)) found.add(proposal);
  }
  // The first form and the second share `throw`.
  if (found.has("exceptions, first form") && !used.includes("throw_ref") && !used.includes("try_table"))
    found.delete("exceptions");
  return known;
}
