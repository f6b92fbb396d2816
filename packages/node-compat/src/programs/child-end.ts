// Loaded in a child before the program itself: gives it its end of the line, as ChildEnd of the contract says.
import type { Bytes, ChildEnd } from "@keelson/core";
import { readSync, writeSync } from "node:fs";
import { threadTime } from "../thread-time.ts";

// The global one: on Node an import of node:process opens standard input for events, after which reading it does not wait any more.
const { process } = globalThis as unknown as { readonly process: { exit(code: number): never } };

const STDIN = 0;
const STDOUT = 1;
const CHUNK_BYTES = 64 * 1024;

const buffer = new Uint8Array(CHUNK_BYTES);
const ran = threadTime(false);

const end: ChildEnd = {
  read() {
    for (;;) {
      try {
        const length = readSync(STDIN, buffer, 0, CHUNK_BYTES, null);
        return length === 0 ? undefined : buffer.slice(0, length);
      } catch (error) {
        if (codeOf(error) !== "EAGAIN") return undefined;
        pause();
      }
    }
  },
  write(bytes) {
    for (let at = 0; at < bytes.length; at += writeSome(bytes, at));
  },
  ...(ran && { ran }),
};

/** Writes what fits. The descriptor blocks; where it was opened otherwise, a full pipe is asked again a little later. */
function writeSome(bytes: Bytes, at: number): number {
  try {
    return writeSync(STDOUT, bytes, at, bytes.length - at);
  } catch (error) {
    const code = codeOf(error);
    // Nobody reads any more: the host died, and so does what it started.
    if (code !== "EAGAIN") process.exit(code === "EPIPE" ? 0 : 1);
    pause();
    return 0;
  }
}

function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

function codeOf(error: unknown): string | undefined {
  return (error as { readonly code?: string }).code;
}

Object.defineProperty(globalThis, Symbol.for("keelson.end"), { value: end, configurable: true });
