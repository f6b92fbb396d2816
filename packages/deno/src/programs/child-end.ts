// Loaded in a child before the program itself: gives it its end of the line, as ChildEnd of the contract says. Needs no permission.
import type { Bytes, ChildEnd } from "@keelson/core";

interface DenoStdio {
  readonly stdin: { read(buffer: Uint8Array): Promise<number | null> };
  readonly stdout: { writeSync(bytes: Uint8Array): number };
  exit(code: number): never;
}

const { Deno: deno } = globalThis as unknown as { readonly Deno: DenoStdio };
const CHUNK_BYTES = 64 * 1024;

async function pump(receive: (bytes: Bytes) => void): Promise<void> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    const length = await deno.stdin.read(buffer);
    if (length === null) return;
    receive(buffer.slice(0, length));
  }
}

const end: ChildEnd = {
  listen(receive, ended) {
    pump(receive).then(ended, ended);
  },
  write(bytes) {
    try {
      for (let at = 0; at < bytes.length;) at += deno.stdout.writeSync(bytes.subarray(at));
    } catch {
      // Nobody reads any more: the host died, and so does what it started.
      deno.exit(0);
    }
  },
};

Object.defineProperty(globalThis, Symbol.for("keelson.end"), { value: end, configurable: true });
