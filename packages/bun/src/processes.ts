import {
  childEndProgram,
  createSystemProcesses,
  readWebStream,
  type InputSink,
  type Launcher,
} from "@keelson/node-compat";
import type { Clock, Processes, Random } from "@keelson/core";
import { devNull } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { bun, type FileSink } from "./bun.ts";

/** Child processes over `Bun.spawn`, what is written in one turn flushed at once. */
export function createProcesses(clock: Clock, random: Random): Processes {
  return createSystemProcesses({ launcher, clock, random, fork });
}

/** Bun has no permissions to withhold. What it would take from the working directory on its own account is left out: variables, and programs to load first. */
function fork(program: URL): [string, ...string[]] {
  const flags = ["--no-install", "--no-env-file", `--config=${devNull}`];
  return [process.execPath, ...flags, "--preload", fileURLToPath(childEndProgram), fileURLToPath(program)];
}

const launcher: Launcher = {
  launch(command, args, { cwd, env }) {
    const child = bun().spawn([command, ...args], {
      ...(cwd === undefined ? {} : { cwd }),
      env,
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      detached: true,
      lazy: true,
    });
    return {
      pid: child.pid,
      stdin: fileSink(child.stdin),
      stdout: readWebStream(() => child.stdout),
      stderr: readWebStream(() => child.stderr),
      exited: child.exited.then((code) =>
        child.signalCode === null ? { code } : { signal: child.signalCode },
      ),
      kill: (signal) => child.kill(signal),
    };
  },
};

/** Bun's sink as a child's standard input. */
function fileSink(sink: FileSink): InputSink {
  return {
    write(chunk) {
      const written = sink.write(chunk);
      // When the child is gone, flush may throw, and nobody else hears of what the write rejects with.
      if (isPromise(written)) written.catch(() => undefined);
      const flushed = sink.flush();
      if (!isPromise(written) && !isPromise(flushed)) return undefined;
      return Promise.all([written, flushed]).then(() => undefined);
    },
    end: () => close(sink),
    abort: () => close(sink),
  };
}

function close(sink: FileSink): void {
  try {
    const ended = sink.end();
    if (isPromise(ended)) ended.catch(() => undefined);
  } catch {
    // It was closed before.
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && "then" in value;
}
