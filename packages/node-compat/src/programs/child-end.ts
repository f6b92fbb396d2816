// Loaded in a child before the program itself: gives it its end of the line, as ChildEnd of the contract says.
import type { Bytes, ChildEnd } from "@keelson/core";
import { writeSync } from "node:fs";
import process from "node:process";

const STDOUT = 1;

const end: ChildEnd = {
  listen(receive, ended) {
    process.stdin.on("data", (chunk: Buffer<ArrayBuffer>) =>
      receive(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)),
    );
    process.stdin.on("end", ended).on("error", ended);
  },
  write(bytes) {
    for (let at = 0; at < bytes.length; at += writeSome(bytes, at));
  },
};

/** Writes what fits. The descriptor blocks; where it was opened otherwise, a full pipe is asked again a little later. */
function writeSome(bytes: Bytes, at: number): number {
  try {
    return writeSync(STDOUT, bytes, at, bytes.length - at);
  } catch (error) {
    const { code } = error as { readonly code?: string };
    // Nobody reads any more: the host died, and so does what it started.
    if (code !== "EAGAIN") process.exit(code === "EPIPE" ? 0 : 1);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    return 0;
  }
}

Object.defineProperty(globalThis, Symbol.for("keelson.end"), { value: end, configurable: true });
