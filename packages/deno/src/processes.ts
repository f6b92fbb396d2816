import {
  createProcesses as createSharedProcesses,
  createProcTable,
  createPsTable,
  type InputSink,
  type Launcher,
  type ProcessTable,
} from "@keelson/node-compat";
import type { Clock, Processes, ProcessExit, Random } from "@keelson/core";
import { readByteStream } from "./byte-stream.ts";
import { deno, type ByteSink, type ChildProcess, type Command, type CommandOutput } from "./deno.ts";
import { environment, isGranted } from "./permissions.ts";
import { childEndProgram } from "./programs.ts";

const encoder = new TextEncoder();

/** Child processes over `Deno.Command`. */
export function createProcesses(clock: Clock, random: Random): Processes {
  const { build, pid } = deno();
  return createSharedProcesses({
    launcher,
    clock,
    random,
    pid,
    table: processTable(),
    send: build.os === "windows" ? undefined : send,
    environment,
    fork,
    windows: build.os === "windows",
  });
}

/** The child is granted nothing: the program and what it imports is loaded before permissions matter. */
function fork(program: URL): [string, ...string[]] {
  const flags = ["--quiet", "--no-prompt", "--no-lock", "--no-remote"];
  return [deno().execPath(), "run", ...flags, "--preload", childEndProgram.href, program.href];
}

/** Whether /proc can be read: Deno opens it to nobody but those who may do everything. */
export function canReadProc(): boolean {
  return (
    deno().build.os === "linux" && isGranted({ name: "read", path: "/proc/self/environ" }) && canReadOwnStat()
  );
}

function canReadOwnStat(): boolean {
  try {
    return createProcTable().insight.namespace() !== undefined;
  } catch {
    return false;
  }
}

/** What this system and the permissions tell about processes. */
function processTable(): ProcessTable | undefined {
  if (canReadProc()) return createProcTable();
  return canRunPs()
    ? createPsTable(async (command, args) => psText(command, args).output().then(textOf))
    : undefined;
}

/** Whether `ps` is there and may be run. */
export function canRunPs(): boolean {
  if (deno().build.os === "windows" || !isGranted({ name: "run", command: "ps" })) return false;
  try {
    return (
      textOf(psText("ps", ["-p", String(deno().pid), "-o", "pid="]).outputSync()).trim() ===
      String(deno().pid)
    );
  } catch {
    return false;
  }
}

function psText(command: string, args: readonly string[]): Command {
  return new (deno().Command)(command, {
    args,
    env: { LC_ALL: "C" },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  });
}

function textOf({ stdout, success }: CommandOutput): string {
  if (!success) throw new Error("ps failed");
  return new TextDecoder().decode(stdout);
}

/** Signals a process, or a group by its negative number; false if there is none, or Deno or the system forbids it. */
function send(pid: number, signal: string): boolean {
  try {
    deno().kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

const launcher: Launcher = {
  launch(command, args, { cwd, env }) {
    const child = new (deno().Command)(command, {
      args,
      ...(cwd === undefined ? {} : { cwd }),
      env,
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      detached: true,
    }).spawn();
    return {
      pid: child.pid,
      stdin: sinkOf(child.stdin),
      stdout: readByteStream(() => child.stdout),
      stderr: readByteStream(() => child.stderr),
      exited: exitOf(child),
      kill(signal) {
        try {
          child.kill(signal);
        } catch {
          // It has ended.
        }
      },
    };
  },
};

async function exitOf(child: ChildProcess): Promise<ProcessExit> {
  const { code, signal } = await child.status;
  return signal === null ? { code } : { signal };
}

/** A web stream as a child's standard input: one write at a time, the rest is joined meanwhile. */
function sinkOf(stream: ByteSink): InputSink {
  const writer = stream.getWriter();
  writer.closed.catch(() => undefined);
  return {
    write: (chunk) => writer.write(typeof chunk === "string" ? encoder.encode(chunk) : chunk),
    end: () => void writer.close().catch(() => undefined),
    // Waits for a write under way, which fails or succeeds as soon as the pipe has no reader.
    abort: () => void writer.abort().catch(() => undefined),
  };
}
