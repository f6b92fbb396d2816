import type { RecordedWrite } from "./recording.ts";

/** Differences this close are one write. */
const GAP = 16;

/**
 * Finds what a host function changes in a guest's memories: keeps a copy from before its call and compares afterwards. That costs a
 * pass over the memory for each call of the host, which only recorded calls pay.
 */
export class MemoryWatch {
  readonly #memories: readonly WebAssembly.Memory[];
  readonly #before: Uint8Array[];

  constructor(memories: readonly WebAssembly.Memory[]) {
    this.#memories = memories;
    this.#before = memories.map(() => new Uint8Array());
  }

  /** Takes the copies. */
  mark(): void {
    for (const [index, { buffer }] of this.#memories.entries()) {
      const now = new Uint8Array(buffer);
      if (this.#before[index]?.length !== now.length) this.#before[index] = new Uint8Array(now.length);
      this.#before[index]?.set(now);
    }
  }

  /** What has changed since {@link mark}. */
  changes(): { readonly writes: RecordedWrite[]; readonly grown: { memory: number; pages: number }[] } {
    const writes: RecordedWrite[] = [];
    const grown: { memory: number; pages: number }[] = [];
    for (const [memory, { buffer }] of this.#memories.entries()) {
      const now = new Uint8Array(buffer);
      const before = this.#before[memory] as Uint8Array;
      if (now.length > before.length) grown.push({ memory, pages: (now.length - before.length) / 65_536 });
      for (const [from, to] of differences(before, now))
        writes.push({ memory, at: from, bytes: now.slice(from, to) });
    }
    return { writes, grown };
  }
}

/** Ranges in which `now` differs; what `before` does not reach was zero. */
function* differences(before: Uint8Array, now: Uint8Array): Generator<readonly [from: number, to: number]> {
  // Memories are whole pages: words are compared first, which is four times as fast.
  const old = new Int32Array(before.buffer, before.byteOffset, before.length >> 2);
  const words = new Int32Array(now.buffer, now.byteOffset, now.length >> 2);
  let from = -1;
  let to = -1;
  for (let word = 0; word < words.length; word++) {
    if (words[word] === (word < old.length ? old[word] : 0)) continue;
    for (let at = word * 4; at < word * 4 + 4; at++) {
      if (now[at] === (before[at] ?? 0)) continue;
      if (from >= 0 && at - to <= GAP) to = at + 1;
      else {
        if (from >= 0) yield [from, to];
        [from, to] = [at, at + 1];
      }
    }
  }
  if (from >= 0) yield [from, to];
}
