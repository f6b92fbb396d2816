import type { Processes } from "@keelson/core";
import { execFile } from "node:child_process";
import process from "node:process";
import { promisify } from "node:util";
import { createProcTable } from "./proc.ts";
import { createProcesses, type ProcessesOptions } from "./processes.ts";
import { createPsTable } from "./ps.ts";
import type { ProcessTable } from "./table.ts";

/** What an adapter has to bring where Node's own modules do the rest. */
export type SystemProcessesOptions = Pick<ProcessesOptions, "launcher" | "clock" | "random" | "fork">;

/** Processes of a runtime whose `node:process` signals and whose `node:child_process` runs `ps` without asking for permission. */
export function createSystemProcesses(options: SystemProcessesOptions): Processes {
  const windows = process.platform === "win32";
  return createProcesses({
    ...options,
    pid: process.pid,
    table: processTable(),
    send: windows ? undefined : send,
    environment: (name) => process.env[name],
    windows,
  });
}

/** What this system tells about processes. */
function processTable(): ProcessTable | undefined {
  if (process.platform === "linux") return createProcTable();
  if (process.platform === "win32") return undefined;
  return createPsTable(async (command, args) => {
    const { stdout } = await promisify(execFile)(command, [...args], {
      env: { ...process.env, LC_ALL: "C" },
    });
    return stdout;
  });
}

/** Signals a process, or a group by its negative number; false if there is none, or it is another user's. */
function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
