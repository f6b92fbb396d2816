import type { Exposed } from "./expose.ts";

/** Memory above which putting it back takes longer than making another instance, bytes. */
const MAX_MEMORY_BYTES = 16 * 2 ** 20;
/** Likewise for the elements of tables, which are looked at one by one. */
const MAX_ELEMENTS = 4096;
/** Memory is looked at in pieces of this size: those that are all zero are not kept. */
const PIECE_BYTES = 4096;

interface SavedMemory {
  readonly memory: WebAssembly.Memory;
  readonly bytes: number;
  /** What is not zero, from the start up. */
  readonly pieces: readonly { readonly at: number; readonly content: Uint8Array }[];
}

interface SavedTable {
  readonly table: WebAssembly.Table;
  readonly elements: readonly unknown[];
}

interface SavedGlobal {
  readonly global: WebAssembly.Global;
  readonly value: unknown;
}

/** All that a guest can change, as it was at one moment. */
export class Snapshot {
  readonly #memories: readonly SavedMemory[];
  readonly #tables: readonly SavedTable[];
  readonly #globals: readonly SavedGlobal[];

  private constructor(
    memories: readonly SavedMemory[],
    tables: readonly SavedTable[],
    globals: readonly SavedGlobal[],
  ) {
    this.#memories = memories;
    this.#tables = tables;
    this.#globals = globals;
  }

  /** The guest as it is now; undefined when it is so large that another instance costs less. */
  static take(exports: WebAssembly.Exports, exposed: Exposed): Snapshot | undefined {
    const memories = exposed.memories.map((name) => exports[name] as WebAssembly.Memory);
    const tables = exposed.tables.map((name) => exports[name] as WebAssembly.Table);
    const globals = exposed.globals.map((name) => exports[name] as WebAssembly.Global);
    const bytes = memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
    const elements = tables.reduce((sum, { length }) => sum + length, 0);
    if (bytes > MAX_MEMORY_BYTES || elements > MAX_ELEMENTS) return undefined;
    // The bits of one that is no number are lost on their way through JavaScript.
    if (globals.some(({ value }) => Number.isNaN(value))) return undefined;
    return new Snapshot(
      memories.map(saveMemory),
      tables.map((table) => ({ table, elements: indices(table).map((index) => table.get(index)) })),
      globals.map((global) => ({ global, value: global.value })),
    );
  }

  /** Puts all of it back; false when something has grown, which nothing takes back: then nothing was touched. */
  restore(): boolean {
    for (const { memory, bytes } of this.#memories) if (memory.buffer.byteLength !== bytes) return false;
    for (const { table, elements } of this.#tables) if (table.length !== elements.length) return false;
    for (const saved of this.#memories) restoreMemory(saved);
    for (const { table, elements } of this.#tables) {
      for (let index = 0; index < elements.length; index++) {
        if (table.get(index) !== elements[index]) table.set(index, elements[index]);
      }
    }
    for (const { global, value } of this.#globals) global.value = value;
    return true;
  }
}

function indices(table: WebAssembly.Table): number[] {
  return Array.from({ length: table.length }, (_, index) => index);
}

function saveMemory(memory: WebAssembly.Memory): SavedMemory {
  const all = new Uint8Array(memory.buffer);
  const pieces: { at: number; content: Uint8Array }[] = [];
  for (let at = 0; at < all.length;) {
    if (isZero(all, at)) {
      at += PIECE_BYTES;
      continue;
    }
    const from = at;
    while (at < all.length && !isZero(all, at)) at += PIECE_BYTES;
    pieces.push({ at: from, content: all.slice(from, at) });
  }
  return { memory, bytes: all.length, pieces };
}

function isZero(all: Uint8Array, from: number): boolean {
  const words = new BigUint64Array(all.buffer, from, PIECE_BYTES / 8);
  return words.every((word) => word === 0n);
}

function restoreMemory({ memory, pieces }: SavedMemory): void {
  const all = new Uint8Array(memory.buffer);
  let at = 0;
  for (const piece of pieces) {
    all.fill(0, at, piece.at);
    all.set(piece.content, piece.at);
    at = piece.at + piece.content.length;
  }
  all.fill(0, at);
}
