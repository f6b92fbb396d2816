import type { Bytes } from "@keelson/core";
import type { OutputSource } from "./output.ts";

/** The part of a web ReadableStream that is used here; each runtime declares its own. */
export interface ByteStream {
  getReader(): ByteReader;
}

interface ByteReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

/** A web stream as a child's output; it is opened when it is first needed, since runtimes make it then. */
export function readWebStream(open: () => ByteStream): OutputSource {
  let opened: ByteReader | undefined;
  const reader = (): ByteReader => (opened ??= open().getReader());
  return {
    // Awaited here rather than wrapped: each promise between costs at each chunk.
    next: async () => {
      try {
        return (await reader().read()) as IteratorResult<Bytes, undefined>;
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
