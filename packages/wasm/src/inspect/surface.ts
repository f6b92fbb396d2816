import type { Bytes } from "@keelson/core";
import { PAGE_BYTES } from "../binary/cap-memory.ts";
import { readLimits, skipConstant } from "../binary/declarations.ts";
import { ExternId, SectionId } from "../binary/numbers.ts";
import { MalformedBinary, Reader, readSections } from "../binary/reader.ts";
import type { ExternKind } from "../instance/engine.ts";
import { readTypeTexts, readValueText, type TypeText } from "./type-text.ts";

/** Something that a module imports. */
export interface ImportFacts {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternKind;
  /** Its type in words, such as `(i32, i32) → i64`. */
  readonly type: string;
}

/** Something that a module exports. */
export interface ExportFacts {
  readonly name: string;
  readonly kind: ExternKind;
  /** Its type in words. */
  readonly type: string;
}

/** A memory as it is declared. */
export interface MemoryFacts {
  readonly minBytes: number;
  /** Absent when the module sets no maximum. */
  readonly maxBytes?: number;
  /** Made by whoever gives the import, and capped there. */
  readonly imported: boolean;
  readonly shared: boolean;
  /** Whether addresses have 64 bits. */
  readonly wide: boolean;
}

/** A table as it is declared; `min` and `max` are elements. */
export interface TableFacts {
  readonly element: string;
  readonly min: number;
  /** Absent when the module sets no maximum. */
  readonly max?: number;
  readonly imported: boolean;
}

/** What a module shows to the outside, read from its sections. */
export interface Surface {
  readonly imports: readonly ImportFacts[];
  readonly exports: readonly ExportFacts[];
  readonly memories: readonly MemoryFacts[];
  readonly tables: readonly TableFacts[];
  /** Functions with a body. */
  readonly functions: number;
  /** The function that runs when the module is instantiated: its number, imports counted. */
  readonly start?: number;
  readonly types: readonly TypeText[];
  readonly sections: ReadonlySet<number>;
}

/** Reads the outside of a module without looking into its functions; throws {@link MalformedBinary}. */
export function readSurface(bytes: Bytes): Surface {
  const read = new SurfaceReader();
  for (const { id, body, end } of readSections(bytes)) read.section(id, new Reader(bytes, body, end));
  return read.finish();
}

class SurfaceReader {
  #types: readonly TypeText[] = [];
  readonly #sections = new Set<number>();
  readonly #imports: ImportFacts[] = [];
  readonly #exports: ExportFacts[] = [];
  readonly #functions: string[] = [];
  readonly #memories: MemoryFacts[] = [];
  readonly #tables: TableFacts[] = [];
  readonly #globals: string[] = [];
  readonly #tags: string[] = [];
  #defined = 0;
  #start: number | undefined;

  section(id: number, reader: Reader): void {
    this.#sections.add(id);
    const each = (run: () => void): void => {
      for (let left = reader.unsigned(); left > 0; left--) run();
    };
    switch (id) {
      case SectionId.type:
        this.#types = readTypeTexts(reader);
        return;
      case SectionId.import:
        return each(() => this.#import(reader));
      case SectionId.function:
        return each(() => {
          this.#functions.push(this.#typeOf(reader.unsigned()));
          this.#defined++;
        });
      case SectionId.table:
        return each(() => {
          const initialized = reader.bytes[reader.offset] === 0x40;
          if (initialized) reader.skip(2);
          this.#table(reader, false);
          if (initialized) skipConstant(reader);
        });
      case SectionId.memory:
        return each(() => this.#memory(reader, false));
      case SectionId.global:
        return each(() => {
          this.#globals.push(readGlobal(reader));
          skipConstant(reader);
        });
      case SectionId.export:
        return each(() => this.#export(reader));
      case SectionId.start:
        this.#start = reader.unsigned();
        return;
      case SectionId.tag:
        return each(() => {
          reader.byte();
          this.#tags.push(this.#typeOf(reader.unsigned()));
        });
    }
  }

  finish(): Surface {
    return {
      imports: this.#imports,
      exports: this.#exports,
      memories: this.#memories,
      tables: this.#tables,
      functions: this.#defined,
      ...(this.#start === undefined ? {} : { start: this.#start }),
      types: this.#types,
      sections: this.#sections,
    };
  }

  #typeOf(index: number): string {
    return this.#types[index]?.text ?? `type ${index}`;
  }

  #import(reader: Reader): void {
    const module = reader.name();
    const name = reader.name();
    const at = reader.offset;
    const add = (kind: ExternKind, type: string): void =>
      void this.#imports.push({ module, name, kind, type });
    switch (reader.byte()) {
      case ExternId.function: {
        const type = this.#typeOf(reader.unsigned());
        this.#functions.push(type);
        return add("function", type);
      }
      case ExternId.table:
        this.#table(reader, true);
        return add("table", tableText(this.#tables.at(-1)));
      case ExternId.memory:
        this.#memory(reader, true);
        return add("memory", memoryText(this.#memories.at(-1)));
      case ExternId.global: {
        const type = readGlobal(reader);
        this.#globals.push(type);
        return add("global", type);
      }
      case ExternId.tag: {
        reader.byte();
        const type = this.#typeOf(reader.unsigned());
        this.#tags.push(type);
        return add("tag", type);
      }
      default:
        throw new MalformedBinary("an unknown kind of import", at);
    }
  }

  #export(reader: Reader): void {
    const name = reader.name();
    const at = reader.offset;
    const kind = reader.byte();
    const index = reader.unsigned();
    const add = (what: ExternKind, type: string | undefined): void =>
      void this.#exports.push({ name, kind: what, type: type ?? "" });
    switch (kind) {
      case ExternId.function:
        return add("function", this.#functions[index]);
      case ExternId.table:
        return add("table", tableText(this.#tables[index]));
      case ExternId.memory:
        return add("memory", memoryText(this.#memories[index]));
      case ExternId.global:
        return add("global", this.#globals[index]);
      case ExternId.tag:
        return add("tag", this.#tags[index]);
      default:
        throw new MalformedBinary("an unknown kind of export", at);
    }
  }

  #table(reader: Reader, imported: boolean): void {
    const element = readValueText(reader);
    const { min, max } = readLimits(reader);
    this.#tables.push({ element, min, ...(max === undefined ? {} : { max }), imported });
  }

  #memory(reader: Reader, imported: boolean): void {
    const { min, max, flags } = readLimits(reader);
    this.#memories.push({
      minBytes: min * PAGE_BYTES,
      ...(max === undefined ? {} : { maxBytes: max * PAGE_BYTES }),
      imported,
      shared: (flags & 2) !== 0,
      wide: (flags & 4) !== 0,
    });
  }
}

function readGlobal(reader: Reader): string {
  const type = readValueText(reader);
  return reader.byte() === 1 ? `mut ${type}` : type;
}

function memoryText(memory: MemoryFacts | undefined): string {
  if (memory === undefined) return "";
  const { minBytes, maxBytes, shared, wide } = memory;
  const most = maxBytes === undefined ? "any number of" : maxBytes / PAGE_BYTES;
  return `${minBytes / PAGE_BYTES} to ${most} pages${shared ? ", shared" : ""}${wide ? ", 64-bit" : ""}`;
}

function tableText(table: TableFacts | undefined): string {
  if (table === undefined) return "";
  return `${table.min} to ${table.max ?? "any number of"} elements of ${table.element}`;
}
