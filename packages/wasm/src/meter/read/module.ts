import { ExternId, SectionId } from "../../binary/numbers.ts";
import { scanConstant, type ConstantFacts } from "./constants.ts";
import { Reader, truncated, unsupported } from "./reader.ts";
import { readTypes, readValueType, type TypeEntry } from "./types.ts";

/** Where one section lies: `start` at its number, `from` to `to` its content. */
export interface Section {
  readonly id: number;
  readonly start: number;
  readonly from: number;
  readonly to: number;
}

/** A memory's or table's limits as declared. */
export interface Limits {
  readonly min: number;
  readonly max: number | undefined;
  readonly flags: number;
  /** Whether it is addressed with 64 bits. */
  readonly wide: boolean;
}

export interface TableEntry {
  readonly limits: Limits;
  readonly imported: boolean;
  /** The encoded reference type. */
  readonly type: Uint8Array;
  /** Where its limits stand in the section, for a defined table. */
  readonly limitsFrom: number;
  readonly limitsTo: number;
}

export interface MemoryEntry {
  readonly limits: Limits;
  readonly imported: boolean;
}

/** A module taken apart as far as the meter needs it. */
export interface ModuleInfo {
  readonly bytes: Uint8Array;
  readonly sections: Section[];
  readonly types: TypeEntry[];
  /** Entries of the type section: a recursion group counts once. */
  readonly typeGroups: number;
  /** The type of each function, imports first. */
  readonly functions: number[];
  readonly importedFunctions: number;
  readonly tables: TableEntry[];
  readonly memories: MemoryEntry[];
  readonly globals: number;
  /** The type of each tag, imports first. */
  readonly tags: number[];
  readonly exports: Set<string>;
  readonly start: number | undefined;
  /** Functions that code outside of direct calls can reach: exported, or put in tables and globals. */
  readonly exposed: Set<number>;
  /** Functions that stand in a table or a global from the start. */
  readonly tabled: Set<number>;
  /** Whether a table, a global or an object can hold exceptions, as many as there are. */
  readonly keepsExceptions: boolean;
  /** What the constant expressions allocate when the module is instantiated. */
  readonly constants: ConstantFacts;
}

/** Takes a validated module apart; functions' bodies are left alone. */
export function readModule(bytes: Uint8Array): ModuleInfo {
  const reader = new Reader(bytes);
  reader.skip(8);
  if (bytes[4] !== 1 || bytes[6] !== 0) throw unsupported("a component or another version of the format", 4);
  const module: Mutable<ModuleInfo> = {
    bytes,
    sections: [],
    types: [],
    typeGroups: 0,
    functions: [],
    importedFunctions: 0,
    tables: [],
    memories: [],
    globals: 0,
    tags: [],
    exports: new Set(),
    start: undefined,
    exposed: new Set(),
    tabled: new Set(),
    keepsExceptions: false,
    constants: { granules: 0, steps: 0 },
  };
  while (reader.at < bytes.length) {
    const start = reader.at;
    const id = reader.byte();
    const size = reader.u32();
    const from = reader.at;
    if (size > bytes.length - from) throw truncated(from);
    module.sections.push({ id, start, from, to: from + size });
    const content = new Reader(bytes, from, from + size);
    const read = sectionReaders[id];
    if (read) {
      read(content, module);
      if (content.at !== content.end && !isSkipped(id)) throw truncated(content.at);
    } else if (!isSkipped(id)) throw unsupported(`section ${id}`, start);
    reader.skip(size);
  }
  return module;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Sections that are copied without a look inside, or are read later. */
function isSkipped(id: number): boolean {
  return (
    id === SectionId.custom || id === SectionId.code || id === SectionId.data || id === SectionId.dataCount
  );
}

const sectionReaders: Readonly<Record<number, (reader: Reader, module: Mutable<ModuleInfo>) => void>> = {
  [SectionId.type](reader, module) {
    const { types, groups } = readTypes(reader);
    module.types = types;
    module.typeGroups = groups;
    module.keepsExceptions = types.some((type) => type.keepsExceptions);
  },
  [SectionId.import]: readImports,
  [SectionId.function](reader, module) {
    for (let count = reader.u32(); count > 0; count--) module.functions.push(reader.u32());
  },
  [SectionId.table](reader, module) {
    for (let count = reader.u32(); count > 0; count--) readTable(reader, module, false);
  },
  [SectionId.memory](reader, module) {
    for (let count = reader.u32(); count > 0; count--) {
      module.memories.push({ limits: readLimits(reader), imported: false });
    }
  },
  [SectionId.tag](reader, module) {
    for (let count = reader.u32(); count > 0; count--) {
      reader.byte();
      module.tags.push(reader.u32());
    }
  },
  [SectionId.global](reader, module) {
    for (let count = reader.u32(); count > 0; count--) {
      readHolder(reader, module);
      reader.byte();
      scanConstant(reader, module);
      module.globals++;
    }
  },
  [SectionId.export](reader, module) {
    const decoder = new TextDecoder();
    for (let count = reader.u32(); count > 0; count--) {
      const length = reader.u32();
      const from = reader.at;
      reader.skip(length);
      module.exports.add(decoder.decode(reader.since(from)));
      const kind = reader.byte();
      const index = reader.u32();
      if (kind === ExternId.function) module.exposed.add(index);
    }
  },
  [SectionId.start](reader, module) {
    module.start = reader.u32();
    module.exposed.add(module.start);
  },
  [SectionId.element]: readElements,
};

function readImports(reader: Reader, module: Mutable<ModuleInfo>): void {
  for (let count = reader.u32(); count > 0; count--) {
    reader.skip(reader.u32());
    reader.skip(reader.u32());
    const at = reader.at;
    const kind = reader.byte();
    switch (kind) {
      case ExternId.function:
        module.functions.push(reader.u32());
        module.importedFunctions++;
        break;
      case ExternId.table:
        readTable(reader, module, true);
        break;
      case ExternId.memory:
        module.memories.push({ limits: readLimits(reader), imported: true });
        break;
      case ExternId.global:
        readHolder(reader, module);
        reader.byte();
        module.globals++;
        break;
      case ExternId.tag:
        reader.byte();
        module.tags.push(reader.u32());
        break;
      default:
        throw unsupported(`import kind ${kind}`, at);
    }
  }
}

/** Reads the type of a table's elements or of a global. */
function readHolder(reader: Reader, module: Mutable<ModuleInfo>): void {
  if (readValueType(reader).exception === true) module.keepsExceptions = true;
}

function readTable(reader: Reader, module: Mutable<ModuleInfo>, imported: boolean): void {
  let hasInitializer = false;
  if (!imported && reader.bytes[reader.at] === 0x40) {
    reader.skip(2);
    hasInitializer = true;
  }
  const typeFrom = reader.at;
  readHolder(reader, module);
  const type = reader.since(typeFrom);
  const limitsFrom = reader.at;
  const limits = readLimits(reader);
  const limitsTo = reader.at;
  if (hasInitializer) scanConstant(reader, module);
  module.tables.push({ limits, imported, type, limitsFrom, limitsTo });
}

/** Reads limits: bit 0 has a maximum, bit 1 is shared, bit 2 is 64 bits wide; anything else is not finished. */
export function readLimits(reader: Reader): Limits {
  const at = reader.at;
  const flags = reader.byte();
  if (flags > 7) throw unsupported(`limits with flags 0x${flags.toString(16)} (custom page sizes)`, at);
  const min = reader.u64();
  const max = flags & 1 ? reader.u64() : undefined;
  return { min, max, flags, wide: (flags & 4) !== 0 };
}

function readElements(reader: Reader, module: Mutable<ModuleInfo>): void {
  for (let count = reader.u32(); count > 0; count--) {
    const at = reader.at;
    const flags = reader.u32();
    if (flags > 7) throw unsupported(`an element segment with flags ${flags}`, at);
    const active = (flags & 1) === 0;
    if (active && flags & 2) reader.u32();
    if (active) scanConstant(reader, module);
    const expressions = (flags & 4) !== 0;
    if (flags & 3) {
      if (expressions) readValueType(reader);
      else reader.byte();
    }
    for (let items = reader.u32(); items > 0; items--) {
      module.constants.steps++;
      if (expressions) scanConstant(reader, module);
      else {
        const index = reader.u32();
        module.exposed.add(index);
        module.tabled.add(index);
      }
    }
  }
}
