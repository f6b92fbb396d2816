import type { Bytes } from "@keelson/core";
import { readLimits } from "./declarations.ts";
import { ExternId, SectionId } from "./numbers.ts";
import { Reader, readSections } from "./reader.ts";

/** A function's type; value types that JavaScript numbers cannot carry are "other". */
export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** Type of a parameter or result, as far as calls with numbers must know it. */
export type ValueType = "i32" | "i64" | "f32" | "f64" | "other";

/** What a binary declares, as far as calls and limits need it. */
export interface Outline {
  /** Types of the exported functions by export name. */
  readonly exports: ReadonlyMap<string, FunctionType>;
  /** Types of the imported functions in the form `module.name`. */
  readonly imports: ReadonlyMap<string, FunctionType>;
}

const VALUE_TYPES: Readonly<Record<number, ValueType>> = {
  0x7f: "i32",
  0x7e: "i64",
  0x7d: "f32",
  0x7c: "f64",
};

/** Prints a type as `(i32, i32) → i64`. */
export function printType(type: FunctionType): string {
  const results = type.results.length === 1 ? type.results[0] : `(${type.results.join(", ")})`;
  return `(${type.params.join(", ")}) → ${results}`;
}

/**
 * Reads the types of imported and exported functions. For bytes that an engine has accepted; what is written in a proposal
 * unknown here leaves the types unknown (`undefined`), never wrong.
 */
export function readOutline(bytes: Bytes): Outline | undefined {
  try {
    return outline(bytes);
  } catch {
    return undefined;
  }
}

function outline(bytes: Bytes): Outline {
  let types: (FunctionType | undefined)[] = [];
  const functions: (FunctionType | undefined)[] = [];
  const imports = new Map<string, FunctionType>();
  const exports = new Map<string, FunctionType>();
  for (const section of readSections(bytes)) {
    const reader = new Reader(bytes, section.body, section.end);
    if (section.id === SectionId.type) types = readTypes(reader);
    if (section.id === SectionId.import) readImports(reader, types, functions, imports);
    if (section.id === SectionId.function)
      for (let left = reader.unsigned(); left > 0; left--) functions.push(types[reader.unsigned()]);
    if (section.id === SectionId.export) readExports(reader, functions, exports);
  }
  return { imports, exports };
}

function readTypes(reader: Reader): (FunctionType | undefined)[] {
  const types: (FunctionType | undefined)[] = [];
  for (let left = reader.unsigned(); left > 0; left--) {
    if (reader.byte() !== 0x60) throw new Error("a type that is no plain function type");
    types.push({ params: readValueTypes(reader), results: readValueTypes(reader) });
  }
  return types;
}

function readValueTypes(reader: Reader): ValueType[] {
  const types: ValueType[] = [];
  for (let left = reader.unsigned(); left > 0; left--) types.push(readValueType(reader));
  return types;
}

function readValueType(reader: Reader): ValueType {
  const code = reader.byte();
  // (ref ht) and (ref null ht) carry a heap type, a signed LEB128
  if (code === 0x63 || code === 0x64) reader.skipNumber();
  return VALUE_TYPES[code] ?? "other";
}

function readImports(
  reader: Reader,
  types: readonly (FunctionType | undefined)[],
  functions: (FunctionType | undefined)[],
  imports: Map<string, FunctionType>,
): void {
  for (let left = reader.unsigned(); left > 0; left--) {
    const name = `${reader.name()}.${reader.name()}`;
    const kind = reader.byte();
    if (kind === ExternId.function) {
      const type = types[reader.unsigned()];
      functions.push(type);
      if (type !== undefined) imports.set(name, type);
    } else if (kind === ExternId.table) {
      readValueType(reader);
      readLimits(reader);
    } else if (kind === ExternId.memory) readLimits(reader);
    else if (kind === ExternId.global) {
      readValueType(reader);
      reader.byte();
    } else if (kind === ExternId.tag) {
      reader.byte();
      reader.unsigned();
    } else throw new Error(`import kind ${kind}`);
  }
}

function readExports(
  reader: Reader,
  functions: readonly (FunctionType | undefined)[],
  exports: Map<string, FunctionType>,
): void {
  for (let left = reader.unsigned(); left > 0; left--) {
    const name = reader.name();
    const kind = reader.byte();
    const index = reader.unsigned();
    const type = kind === ExternId.function ? functions[index] : undefined;
    if (type !== undefined) exports.set(name, type);
  }
}
