import {
  childEndProgram,
  createSystemProcesses,
  type InputSink,
  type Launcher,
  type OutputSource,
} from "@keelson/node-compat";
import type { Bytes, Clock, ProcessExit, Processes, Random } from "@keelson/core";
import { spawn } from "node:child_process";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

/** Bytes of output that may wait in memory for a reader. */
const HIGH_WATER_BYTES = 256 * 1024;

/** Child processes over `node:child_process`. */
export function createProcesses(clock: Clock, random: Random): Processes {
  return createSystemProcesses({ launcher, clock, random, fork });
}

/** Its permission model takes files, sockets, programs and threads from a child; reading is left, since it reads the program itself. */
function fork(program: URL): [string, ...string[]] {
  const flags = ["--permission", "--allow-fs-read=*", "--no-warnings"];
  return [process.execPath, ...flags, "--import", childEndProgram.href, fileURLToPath(program)];
}

const launcher: Launcher = {
  async launch(command, args, { cwd, env }) {
    const child = spawn(command, args, { cwd, env, stdio: "pipe", detached: true, windowsHide: true });
    if (child.pid === undefined) throw await new Promise((resolve) => child.once("error", resolve));
    // A signal that cannot be delivered is told here; whether the child ended is seen, not told.
    child.on("error", () => undefined);
    return {
      pid: child.pid,
      stdin: writable(child.stdin),
      stdout: readable(child.stdout),
      stderr: readable(child.stderr),
      exited: new Promise<ProcessExit>((resolve) => {
        child.once("exit", (code, signal) => resolve(signal === null ? { code: code ?? 0 } : { signal }));
      }),
      kill: (signal) => void child.kill(signal),
    };
  },
};

/** A Node stream as a child's standard input. */
function writable(stream: Writable): InputSink {
  let wake: (() => void) | undefined;
  const settle = (): void => {
    wake?.();
    wake = undefined;
  };
  // Errors come here only; the next write sees that the stream is destroyed.
  stream.on("error", settle).on("close", settle).on("drain", settle);
  return {
    write(chunk) {
      if (stream.destroyed) throw stream.errored ?? new Error("the stream is closed");
      if (stream.write(chunk)) return undefined;
      return new Promise((resolve, reject) => {
        wake = () =>
          stream.destroyed ? reject(stream.errored ?? new Error("the stream is closed")) : resolve();
      });
    },
    end: () => void (stream.destroyed || stream.end()),
    abort: () => void stream.destroy(),
  };
}

/** A Node stream as a child's output: pushed by Node, held back while more than 256 KiB wait. */
function readable(stream: Readable): OutputSource {
  const end = { done: true, value: undefined } as const;
  let waiting: ((result: IteratorResult<Bytes, undefined>) => void) | undefined;
  let asked: Promise<IteratorResult<Bytes, undefined>>;
  let queue: Bytes[] = [];
  let bytes = 0;
  let over = false;
  const finish = (): void => {
    over = true;
    waiting?.(end);
    waiting = undefined;
  };
  stream.on("data", (buffer: Buffer<ArrayBuffer>) => {
    const value: Bytes = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    if (waiting !== undefined) {
      const resolve = waiting;
      waiting = undefined;
      return resolve({ done: false, value });
    }
    queue.push(value);
    bytes += value.byteLength;
    // At each chunk anew: Node lets the streams of an ended child flow.
    if (bytes > HIGH_WATER_BYTES) stream.pause();
  });
  stream.on("end", finish).on("close", finish).on("error", finish);
  const source: OutputSource = {
    next() {
      const value = queue.shift();
      if (value !== undefined) {
        bytes -= value.byteLength;
        if (bytes <= HIGH_WATER_BYTES / 2 && stream.isPaused()) stream.resume();
        return Promise.resolve({ done: false, value });
      }
      if (over) return Promise.resolve(end);
      // Two questions at a time are rare: the second is put when the first is answered.
      if (waiting !== undefined) return asked.then(() => source.next());
      asked = new Promise((resolve) => {
        waiting = resolve;
      });
      return asked;
    },
    cancel() {
      queue = [];
      bytes = 0;
      stream.destroy();
      finish();
    },
  };
  return source;
}
