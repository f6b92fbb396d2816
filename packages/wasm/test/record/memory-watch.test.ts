import fc from "fast-check";
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { exportedMemories, hashMemories } from "../../src/record/memory-hash.ts";
import { MemoryWatch } from "../../src/record/memory-watch.ts";
import type { RecordedWrite } from "../../src/record/recording.ts";

const PAGE = 65_536;
const bytesOf = (memory: WebAssembly.Memory): Uint8Array => new Uint8Array(memory.buffer);
const memory = (initial: number): WebAssembly.Memory => new WebAssembly.Memory({ initial, maximum: 4 });

/** A memory and what changes in it after `write`, which sees it as bytes. */
function changesOf(write: (bytes: Uint8Array) => void): readonly RecordedWrite[] {
  const one = memory(1);
  const bytes = bytesOf(one).fill(7);
  const watch = new MemoryWatch([one]);
  watch.mark();
  write(bytes);
  return watch.changes().writes;
}

/** Writes of a host function: place and content. */
const writes = fc.array(fc.tuple(fc.nat(PAGE - 100), fc.uint8Array({ minLength: 1, maxLength: 90 })), {
  maxLength: 6,
});

test("what a host function wrote brings the memory before to the memory after, and no byte too much", () => {
  fc.assert(
    fc.property(writes, writes, (earlier, later) => {
      const one = memory(1);
      const now = bytesOf(one);
      for (const [at, content] of earlier) now.set(content, at);
      const before = now.slice();
      const watch = new MemoryWatch([memory(1), one]);
      watch.mark();
      for (const [at, content] of later) now.set(content, at);
      const found = watch.changes();
      expect(found.grown).toEqual([]);
      let end = -17;
      for (const { memory: index, at, bytes } of found.writes) {
        expect(index).toBe(1);
        // what lies close is one write, which begins and ends with a byte that differs
        expect(at - end).toBeGreaterThan(16);
        expect(before[at]).not.toBe(bytes[0]);
        end = at + bytes.length;
        expect(before[end - 1]).not.toBe(bytes.at(-1));
        before.set(bytes, at);
      }
      expect(Buffer.compare(before, now)).toBe(0);
      // marked again, nothing has changed
      watch.mark();
      expect(watch.changes()).toEqual({ writes: [], grown: [] });
    }),
    { numRuns: 60 },
  );
});

test("changes 16 bytes apart are one write, those farther are two", () => {
  const at = (...places: readonly number[]): unknown =>
    changesOf((bytes) => places.forEach((place) => (bytes[place] = 1))).map((one) => [
      one.at,
      one.bytes.length,
    ]);
  expect(at(0)).toEqual([[0, 1]]);
  expect(at(PAGE - 1)).toEqual([[PAGE - 1, 1]]);
  expect(at(3, 20)).toEqual([[3, 18]]);
  expect(at(3, 21)).toEqual([
    [3, 1],
    [21, 1],
  ]);
});

test("pages that a host function added count as they were, all zero", () => {
  const [still, grown] = [memory(1), memory(1)];
  bytesOf(grown).fill(9);
  const watch = new MemoryWatch([still, grown]);
  watch.mark();
  grown.grow(2);
  bytesOf(grown)[2 * PAGE + 5] = 3;
  expect(watch.changes()).toEqual({
    writes: [{ memory: 1, at: 2 * PAGE + 5, bytes: Uint8Array.of(3) }],
    grown: [{ memory: 1, pages: 2 }],
  });
  watch.mark();
  expect(watch.changes()).toEqual({ writes: [], grown: [] });
});

test("the hash of memories is that of their hashes in order, shared ones included", async () => {
  const sha = (...parts: readonly Uint8Array[]): Buffer => {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  const [first, second] = [memory(1), new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true })];
  bytesOf(first)[7] = 1;
  bytesOf(second)[PAGE - 1] = 2;
  const parts = [first, second].map((one) => sha(bytesOf(one).slice()));
  expect(await hashMemories([first, second])).toBe(sha(...parts).toString("hex"));
  expect(await hashMemories([])).toBe(sha().toString("hex"));
  const exports = { a: second, f: () => 0, b: first, again: second } as unknown as WebAssembly.Exports;
  expect(exportedMemories(exports)).toEqual([second, first]);
});
