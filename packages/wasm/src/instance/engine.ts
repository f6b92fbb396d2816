/**
 * The engine's own objects by the types that the program around has for them: the DOM library's, Deno's or Bun's. A program for Node without the DOM
 * library has none; such an object has no type there, and everything else keeps its own. So no declaration that is published names the
 * namespace `WebAssembly`.
 */
type Engine = typeof globalThis extends { readonly WebAssembly: infer T } ? T : unknown;
type Made<Name extends string> = Engine extends Record<Name, { readonly prototype: infer T }> ? T : never;

/** A compiled module: `WebAssembly.Module`. */
export type EngineModule = Made<"Module">;
/** A live instance: `WebAssembly.Instance`. */
export type EngineInstance = Made<"Instance">;
/** A linear memory: `WebAssembly.Memory`. */
export type EngineMemory = Made<"Memory">;

/** What a module may import or export. */
export type ExternKind = "function" | "table" | "memory" | "global" | "tag";

/** Something that an instance exports. */
export type ExportValue =
  | ((...args: never[]) => unknown)
  | EngineMemory
  | Made<"Global">
  | Made<"Table">
  | Made<"Tag">;

/** What can be given for an import; a number, or a bigint for i64, makes a global. */
export type ImportValue = ExportValue | number | bigint;

/** Imports: module → name → value. */
export type ImportValues = Record<string, Record<string, ImportValue>>;

/** An import that a module asks for. */
export interface WantedImport {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternKind;
}
