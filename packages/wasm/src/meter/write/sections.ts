import { SectionId } from "../../binary/numbers.ts";
import type { Layout } from "../layout.ts";
import { type Limits, type ModuleInfo, readLimits, type Section } from "../read/module.ts";
import { Reader } from "../read/reader.ts";
import { skipConstant } from "../read/constants.ts";
import { readValueType } from "../read/types.ts";
import type { Writer } from "./writer.ts";

/** The order in which sections have to stand; custom ones may stand anywhere. */
const order: readonly number[] = [
  SectionId.type,
  SectionId.import,
  SectionId.function,
  SectionId.table,
  SectionId.memory,
  SectionId.tag,
  SectionId.global,
  SectionId.export,
  SectionId.start,
  SectionId.element,
  SectionId.dataCount,
  SectionId.code,
  SectionId.data,
];

/** What is written instead of the sections that the meter extends. */
export interface SectionPlan {
  readonly layout: Layout;
  readonly exports: readonly { readonly name: string; readonly kind: number; readonly index: number }[];
  /** The most each defined memory may have, in its pages, by number; undefined leaves the declared limits alone. */
  readonly memoryMax: readonly (number | undefined)[];
  /** The most elements each defined table may have, by number; undefined leaves the declared limits alone. */
  readonly tableMax: readonly (number | undefined)[];
  readonly writeCode: (writer: Writer) => void;
  /** A section to be put before the code. */
  readonly hints: Uint8Array | undefined;
}

/**
 * Writes the metered module: what is extended keeps its entries and their order and gains some at its end, `start`
 * is left out, all else is copied. Returns where the code section came to end.
 */
export function writeSections(module: ModuleInfo, plan: SectionPlan, out: Writer): number {
  const { bytes, sections } = module;
  out.copy(bytes, 0, 8);
  let next = 0;
  let codeEnd = 0;
  const write = (id: number, section: Section | undefined): void => {
    if (id === SectionId.start) return;
    if (id === SectionId.code) {
      if (plan.hints) out.raw(plan.hints);
      out.byte(id);
      out.sized(() => plan.writeCode(out));
      codeEnd = out.at;
      return;
    }
    const extend = extensions[id];
    if (extend) {
      out.byte(id);
      out.sized(() => extend(section && new Reader(bytes, section.from, section.to), module, plan, out));
    } else if (section) out.copy(bytes, section.start, section.to);
  };
  for (const section of [...sections, undefined]) {
    if (section?.id === SectionId.custom) {
      if (!isCodeMetadata(bytes, section)) out.copy(bytes, section.start, section.to);
      continue;
    }
    const rank = section ? order.indexOf(section.id) : order.length;
    while (next < rank) {
      const id = order[next++]!;
      if (id === SectionId.code || (id in extensions && id !== SectionId.memory)) write(id, undefined);
    }
    if (!section) break;
    write(section.id, section);
    next = rank + 1;
  }
  return codeEnd;
}

/** Branch hints and their kin name offsets in the code, which moves: they are left out. A broken name is no match. */
function isCodeMetadata(bytes: Uint8Array, section: Section): boolean {
  const prefix = "metadata.code.";
  let at = section.from;
  while (at < section.to && bytes[at++]! >= 0x80);
  for (let index = 0; index < prefix.length; index++) {
    if (at + index >= section.to || bytes[at + index] !== prefix.charCodeAt(index)) return false;
  }
  return true;
}

type Extension = (reader: Reader | undefined, module: ModuleInfo, plan: SectionPlan, out: Writer) => void;

/** Copies what is left of a section. */
function copyRest(reader: Reader | undefined, out: Writer): void {
  if (reader) out.copy(reader.bytes, reader.at, reader.end);
}

const extensions: Readonly<Record<number, Extension>> = {
  [SectionId.type](reader, module, { layout }, out) {
    reader?.u32();
    out.u32(module.typeGroups + layout.types.length);
    copyRest(reader, out);
    for (const type of layout.types) out.raw(type);
  },
  [SectionId.function](_reader, module, { layout }, out) {
    out.u32(module.functions.length - module.importedFunctions + layout.functions.length);
    for (let index = module.importedFunctions; index < module.functions.length; index++)
      out.u32(layout.typeOf(index));
    for (const type of layout.functions) out.u32(type);
  },
  [SectionId.table](reader, module, { tableMax }, out) {
    const count = reader?.u32() ?? 0;
    out.u32(count + 1);
    const imported = module.tables.filter((table) => table.imported).length;
    for (let index = 0; index < count && reader; index++) {
      const from = reader.at;
      const initialised = reader.bytes[from] === 0x40;
      if (initialised) reader.skip(2);
      readValueType(reader);
      out.copy(reader.bytes, from, reader.at);
      writeLimits(readLimitsAndCopy(reader), tableMax[imported + index], out);
      const restFrom = reader.at;
      if (initialised) skipConstant(reader);
      out.copy(reader.bytes, restFrom, reader.at);
    }
    out.raw([0x70, 0x01, 0x01, 0x01]); // funcref, exactly one: the refill function
  },
  [SectionId.memory](reader, module, { memoryMax }, out) {
    const count = reader?.u32() ?? 0;
    out.u32(count);
    const imported = module.memories.filter((memory) => memory.imported).length;
    for (let index = 0; index < count && reader; index++) {
      writeLimits(readLimitsAndCopy(reader), memoryMax[imported + index], out);
    }
  },
  [SectionId.global](reader, _module, { layout }, out) {
    out.u32((reader?.u32() ?? 0) + layout.globals.length);
    copyRest(reader, out);
    for (const value of layout.globals) {
      out.raw([0x7f, 0x01]);
      out.i32(value);
      out.byte(0x0b);
    }
  },
  [SectionId.export](reader, _module, plan, out) {
    out.u32((reader?.u32() ?? 0) + plan.exports.length);
    copyRest(reader, out);
    for (const { name, kind, index } of plan.exports) {
      out.name(name);
      out.byte(kind);
      out.u32(index);
    }
  },
};

interface CopiedLimits extends Limits {
  readonly encoded: Uint8Array;
}

function readLimitsAndCopy(reader: Reader): CopiedLimits {
  const from = reader.at;
  const limits = readLimits(reader);
  return { ...limits, encoded: reader.since(from) };
}

function writeLimits(limits: CopiedLimits, max: number | undefined, out: Writer): void {
  if (max === undefined || (limits.max !== undefined && limits.max <= max)) {
    out.raw(limits.encoded);
    return;
  }
  out.byte(limits.flags | 1);
  out.u64(limits.min);
  out.u64(max);
}
