// Loaded in a child before the program itself: gives it its end of the line, as ChildEnd of the contract says. Needs no permission.
import type { ChildEnd } from "@keelson/core";

interface DenoStdio {
  readonly stdin: { readSync(buffer: Uint8Array): number | null };
  readonly stdout: { writeSync(bytes: Uint8Array): number };
  exit(code: number): never;
}

const { Deno: deno, process } = globalThis as unknown as {
  readonly Deno: DenoStdio;
  readonly process: { cpuUsage(): { readonly user: number; readonly system: number } };
};
const CHUNK_BYTES = 64 * 1024;

const buffer = new Uint8Array(CHUNK_BYTES);

const end: ChildEnd = {
  read() {
    try {
      const length = deno.stdin.readSync(buffer);
      return length === null ? undefined : buffer.slice(0, length);
    } catch {
      return undefined;
    }
  },
  write(bytes) {
    try {
      for (let at = 0; at < bytes.length;) at += deno.stdout.writeSync(bytes.subarray(at));
    } catch {
      // Nobody reads any more: the host died, and so does what it started.
      deno.exit(0);
    }
  },
  // A thread's own time comes in hundredths of a second.
  ran() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

Object.defineProperty(globalThis, Symbol.for("keelson.end"), { value: end, configurable: true });
