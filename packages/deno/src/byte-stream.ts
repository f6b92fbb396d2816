import type { OutputSource } from "@keelson/node-compat";
import type { ByteReader, ByteStream } from "./deno.ts";

/** What is read at once at most: as much as Deno takes by itself. */
const BUFFER_BYTES = 65_536;
/** A chunk up to this size is copied out of the buffer, which then serves the next read; a larger one keeps it. */
const COPY_BYTES = 8192;

/**
 * A byte stream as a child's output; it is opened when it is first needed. Left to itself Deno makes a buffer of 64 KiB for each chunk, and collecting
 * them takes a tenth of the time of a child that gives short answers: here one buffer is read into again and again.
 */
export function readByteStream(open: () => ByteStream): OutputSource {
  let opened: ByteReader | undefined;
  const reader = (): ByteReader => (opened ??= open().getReader({ mode: "byob" }));
  let buffer: Uint8Array<ArrayBuffer> | undefined;
  return {
    next: async () => {
      try {
        const { done, value } = await reader().read(buffer ?? new Uint8Array(BUFFER_BYTES));
        if (done || value === undefined) return { done: true, value: undefined };
        if (value.length > COPY_BYTES) {
          buffer = undefined;
          return { done: false, value };
        }
        buffer = new Uint8Array(value.buffer);
        return { done: false, value: value.slice() };
      } catch {
        // A failure to read is the end: the reason is told by how the process ended.
        return { done: true, value: undefined };
      }
    },
    cancel: () =>
      void reader()
        .cancel()
        .catch(() => undefined),
  };
}
