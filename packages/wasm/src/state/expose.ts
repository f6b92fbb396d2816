import type { Bytes } from "@keelson/core";
import type { BinaryStep, CompiledModule } from "../cache/compile-cache.ts";
import { readLimits, skipConstant } from "../binary/declarations.ts";
import { ExternId, SectionId } from "../binary/numbers.ts";
import { encodeUnsigned, Reader, readSections } from "../binary/reader.ts";

/** Names of the exports through which all that a guest can change is within the host's reach; plain data. */
export interface Exposed {
  readonly memories: readonly string[];
  readonly tables: readonly string[];
  readonly globals: readonly string[];
}

/** A module with its state exposed, or as it was. */
interface ExposedBinary {
  readonly bytes: Bytes;
  /** Undefined when something of its state would stay out of reach. */
  readonly exposed: Exposed | undefined;
}

/** Brings all that a guest can change within reach, so that it can be put back. */
export const EXPOSE: BinaryStep = {
  key: "expose",
  apply(original) {
    const { bytes, exposed } = exposeState(original);
    return exposed === undefined ? bytes : { bytes, note: exposed };
  },
};

/** What {@link EXPOSE} left beside a compiled module, if it could. */
export function exposedIn(notes: CompiledModule["notes"]): Exposed | undefined {
  return notes.get(EXPOSE.key) as Exposed | undefined;
}

/** Thrown inside this file when a module holds state that cannot be put back from outside. */
class OutOfReach extends Error {}

/** What is longer takes longer to put back, or to rewrite, than it is worth. */
const MAX_GLOBALS = 1000;
const MAX_EXPORT_BYTES = 2 ** 20;
/** Sections up to this one hold no state, or are looked at below; of later ones that is not known. */
const LAST_KNOWN = SectionId.tag;

/**
 * Appends exports for each memory, table and mutable global that the module defines. Nothing else of a module changes as it runs, provided
 * that it has none of what is looked for here: imported state, references outside of tables of functions, objects, shared memories, and segments
 * that it can drop. Whatever is not known counts as state out of reach.
 *
 * It only adds to a list, so an invalid module stays one.
 */
function exposeState(bytes: Bytes): ExposedBinary {
  try {
    return expose(bytes);
  } catch {
    // Also for what cannot be read: compiling it says what is wrong.
    return { bytes, exposed: undefined };
  }
}

function expose(bytes: Bytes): ExposedBinary {
  const found: Found = { memories: 0, tables: 0, globals: 0, mutable: [] };
  let exports: ExportList = {
    names: [],
    memories: [],
    from: bytes.length,
    end: bytes.length,
    body: [],
    count: 0,
  };
  let placed = false;
  for (const { id, from, body, end } of readSections(bytes)) {
    if (id > LAST_KNOWN) throw new OutOfReach();
    const reader = new Reader(bytes, body, end);
    if (id === SectionId.type) requirePlainTypes(reader);
    else if (id === SectionId.import) readImports(reader, found);
    else if (id === SectionId.table) readTables(reader, found);
    else if (id === SectionId.memory) readMemories(reader, found);
    else if (id === SectionId.global) readGlobals(reader, found);
    else if (id === SectionId.element) requireActiveElements(reader);
    else if (id === SectionId.data) requireActiveData(reader);
    else if (id === SectionId.export) {
      if (end - body > MAX_EXPORT_BYTES) throw new OutOfReach();
      exports = { ...readExports(reader), from, end };
      placed = true;
    }
    // Where it is absent it goes before the sections that have to follow it.
    if (!placed && id > SectionId.export && id !== SectionId.tag) {
      exports = { ...exports, from, end: from };
      placed = true;
    }
  }
  // One that the module keeps to itself would count elsewhere as one that it shows.
  if (new Set(exports.memories).size < found.memories) throw new OutOfReach();
  let prefix = "keelson:state";
  while (exports.names.some((name) => name.startsWith(prefix))) prefix += "'";
  const name = (kind: string, index: number): string => `${prefix}:${kind}${index}`;
  const memories = indices(found.memories).map((index) => name("memory", index));
  const tables = indices(found.tables).map((index) => name("table", index));
  const globals = found.mutable.map((index) => name("global", index));
  const added = [
    ...tables.map((text, index) => entry(text, ExternId.table, index)),
    ...memories.map((text, index) => entry(text, ExternId.memory, index)),
    ...globals.map((text, index) => entry(text, ExternId.global, found.mutable[index] as number)),
  ];
  const content = [...encodeUnsigned(exports.count + added.length), ...exports.body, ...added.flat()];
  const section = [SectionId.export, ...encodeUnsigned(content.length), ...content];
  const out = new Uint8Array(bytes.length - (exports.end - exports.from) + section.length);
  out.set(bytes.subarray(0, exports.from));
  out.set(section, exports.from);
  out.set(bytes.subarray(exports.end), exports.from + section.length);
  return { bytes: out, exposed: { memories, tables, globals } };
}

interface Found {
  memories: number;
  tables: number;
  /** All, imported ones included. */
  globals: number;
  /** Numbers of the mutable ones. */
  readonly mutable: number[];
}

interface ExportList {
  readonly names: readonly string[];
  /** Numbers of the memories among them. */
  readonly memories: readonly number[];
  readonly from: number;
  readonly end: number;
  /** The entries, without their count. */
  readonly body: readonly number[];
  readonly count: number;
}

function indices(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function entry(text: string, kind: number, index: number): number[] {
  const encoded = new TextEncoder().encode(text);
  return [...encodeUnsigned(encoded.length), ...encoded, kind, ...encodeUnsigned(index)];
}

/** Plain function types: what has structures and arrays can reach state through references. */
function requirePlainTypes(reader: Reader): void {
  for (let left = reader.unsigned(); left > 0; left--) {
    if (reader.byte() !== 0x60) throw new OutOfReach();
    for (let lists = 0; lists < 2; lists++) {
      for (let values = reader.unsigned(); values > 0; values--) {
        const type = reader.byte();
        if (type === 0x63 || type === 0x64) reader.skipNumber();
      }
    }
  }
}

function readImports(reader: Reader, found: Found): void {
  for (let left = reader.unsigned(); left > 0; left--) {
    reader.skip(reader.unsigned());
    reader.skip(reader.unsigned());
    const kind = reader.byte();
    if (kind === ExternId.function) reader.unsigned();
    else if (kind === ExternId.global) {
      requireKept(reader.byte());
      if (reader.byte() !== 0) throw new OutOfReach();
      found.globals++;
    } else if (kind === ExternId.tag) {
      reader.byte();
      reader.unsigned();
    } else throw new OutOfReach();
  }
}

function readTables(reader: Reader, found: Found): void {
  for (let left = reader.unsigned(); left > 0; left--) {
    if (reader.byte() !== 0x70) throw new OutOfReach();
    requirePlainLimits(reader);
    found.tables++;
  }
}

function readMemories(reader: Reader, found: Found): void {
  for (let left = reader.unsigned(); left > 0; left--) {
    requirePlainLimits(reader);
    found.memories++;
  }
}

/** With or without a maximum: neither shared nor of 64 bits. */
function requirePlainLimits(reader: Reader): void {
  if (readLimits(reader).flags > 1) throw new OutOfReach();
}

function readGlobals(reader: Reader, found: Found): void {
  for (let left = reader.unsigned(); left > 0; left--) {
    const type = reader.byte();
    const mutable = reader.byte();
    if (mutable > 1) throw new OutOfReach();
    if (mutable === 0) requireKept(type);
    else if (!isNumber(type)) throw new OutOfReach();
    else found.mutable.push(found.globals);
    if (++found.globals > MAX_GLOBALS) throw new OutOfReach();
    skipConstant(reader);
  }
}

function isNumber(type: number): boolean {
  return type >= 0x7c && type <= 0x7f;
}

/** What does not change when its global does not: numbers, vectors, functions, the host's own values. */
function requireKept(type: number): void {
  if (!isNumber(type) && type !== 0x7b && type !== 0x70 && type !== 0x6f) throw new OutOfReach();
}

/** Active data segments are gone once the module is instantiated; a passive one can be dropped later. */
function requireActiveData(reader: Reader): void {
  for (let left = reader.unsigned(); left > 0; left--) {
    const flags = reader.unsigned();
    if (flags !== 0 && flags !== 2) throw new OutOfReach();
    if (flags === 2) reader.unsigned();
    skipConstant(reader);
    reader.skip(reader.unsigned());
  }
}

/** The same of element segments; declared ones are gone from the start too. */
function requireActiveElements(reader: Reader): void {
  for (let left = reader.unsigned(); left > 0; left--) {
    const flags = reader.unsigned();
    if (flags > 7 || flags === 1 || flags === 5) throw new OutOfReach();
    const active = (flags & 1) === 0;
    const expressions = (flags & 4) !== 0;
    if (active && (flags & 2) !== 0) reader.unsigned();
    if (active) skipConstant(reader);
    // the kind of elements, or their type: functions alone
    if ((flags & 3) !== 0 && reader.byte() !== (expressions ? 0x70 : 0)) throw new OutOfReach();
    for (let items = reader.unsigned(); items > 0; items--) {
      if (expressions) skipConstant(reader);
      else reader.unsigned();
    }
  }
}

function readExports(reader: Reader): Pick<ExportList, "names" | "memories" | "body" | "count"> {
  const count = reader.unsigned();
  const from = reader.offset;
  const names: string[] = [];
  const memories: number[] = [];
  for (let left = count; left > 0; left--) {
    names.push(reader.name());
    const kind = reader.byte();
    const index = reader.unsigned();
    if (kind === ExternId.memory) memories.push(index);
  }
  return { names, memories, count, body: [...reader.bytes.subarray(from, reader.offset)] };
}
