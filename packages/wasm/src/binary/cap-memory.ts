import { KeelsonError, type Bytes } from "@keelson/core";
import { readLimits, type Limits } from "./declarations.ts";
import { SectionId } from "./numbers.ts";
import { encodeUnsigned, Reader, readSections } from "./reader.ts";

/** Bytes of a page of linear memory. */
export const PAGE_BYTES = 65_536;

/**
 * The same module with the maximum of each memory that it defines lowered to the cap, so that the engine itself refuses
 * growth past it. All other bytes stay as they are. Several memories share the cap: each may grow by an equal share of what
 * their minimums leave. An imported memory is capped by whoever made it.
 *
 * @param maxBytes cap in bytes, rounded down to whole pages
 * @throws KeelsonError `OUT_OF_MEMORY` when the module asks for more than the cap to begin with; `UNSUPPORTED_WASM` for
 * limits of an unknown form
 */
export function capMemory(bytes: Bytes, maxBytes: number, origin: string): Bytes {
  const section = readSections(bytes).find(({ id }) => id === SectionId.memory);
  if (section === undefined) return bytes;
  const reader = new Reader(bytes, section.body, section.end);
  const memories = readMemories(reader, origin);
  // Left for the engine to refuse: rewriting would make them valid.
  if (!reader.done || memories.some(({ flags }) => (flags & 3) === 2)) return bytes;
  const maxPages = Math.floor(maxBytes / PAGE_BYTES);
  const minPages = memories.reduce((sum, { min }) => sum + min, 0);
  if (minPages > maxPages) {
    throw new KeelsonError(
      "OUT_OF_MEMORY",
      `${origin} needs ${minPages * PAGE_BYTES} bytes of memory to begin with; its limit is ${maxBytes}`,
      {
        hint: "raise limits.memory, or build the module with a smaller initial memory",
        details: { minBytes: minPages * PAGE_BYTES, limitBytes: maxBytes },
      },
    );
  }
  const share = Math.floor((maxPages - minPages) / Math.max(1, memories.length));
  const body = encodeUnsigned(memories.length);
  for (const { flags, min, max } of memories) {
    body.push(flags | 1, ...encodeUnsigned(min), ...encodeUnsigned(Math.min(max ?? Infinity, min + share)));
  }
  return splice(bytes, section.from, section.end, [
    SectionId.memory,
    ...encodeUnsigned(body.length),
    ...body,
  ]);
}

function readMemories(reader: Reader, origin: string): readonly Limits[] {
  const memories: Limits[] = [];
  for (let left = reader.unsigned(); left > 0; left--) {
    const flags = reader.done ? 0 : (reader.bytes[reader.offset] as number);
    if (flags > 7) {
      throw new KeelsonError(
        "UNSUPPORTED_WASM",
        `${origin} declares a memory in an unknown form (flags ${flags})`,
        {
          hint: "build it without custom page sizes and other memory proposals",
        },
      );
    }
    memories.push(readLimits(reader));
  }
  return memories;
}

function splice(bytes: Bytes, from: number, to: number, replacement: readonly number[]): Bytes {
  const out = new Uint8Array(bytes.length - (to - from) + replacement.length);
  out.set(bytes.subarray(0, from));
  out.set(replacement, from);
  out.set(bytes.subarray(to), from + replacement.length);
  return out;
}
