import { execFileSync, spawn } from "node:child_process";
import { constants } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The runtimes Press runs on. */
export type RuntimeName = "node" | "deno" | "bun";

/** How each runtime is told to run a script, permissions included. */
const commands: Readonly<Record<RuntimeName, readonly string[]>> = {
  node: [],
  deno: ["run", "-A"],
  // Without --bun a script could be handed on to Node.
  bun: ["--bun"],
};

/** The names, for messages. */
export const runtimeNames: readonly RuntimeName[] = ["node", "deno", "bun"];

/** The runtime that executes this. */
export function currentRuntime(): RuntimeName {
  if (process.versions["deno"] !== undefined) return "deno";
  return process.versions["bun"] === undefined ? "node" : "bun";
}

/** The command that runs a script on this runtime with no permissions, where the runtime knows any. */
export function powerless(path: string): { readonly command: string; readonly args: readonly string[] } {
  const runtime = currentRuntime();
  const before = runtime === "deno" ? ["run", "--no-prompt"] : commands[runtime];
  return { command: process.execPath, args: [...before, path] };
}

/** The arguments by which this runtime runs a script. */
export function scriptArguments(path: string): string[] {
  return [...commands[currentRuntime()], path];
}

/** Runs a script in a process of its own, on this runtime; rejects unless it ends with 0. */
export function runScript(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, scriptArguments(path), {
      stdio: ["ignore", "inherit", "inherit"],
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${path} ended with ${code ?? signal}`));
    });
  });
}

/** What a runtime can be told only before it starts: that Bun is to have fast memories for more than eight instances. */
const variables: Readonly<Partial<Record<RuntimeName, NodeJS.ProcessEnv>>> = {
  bun: { BUN_JSC_maxNumWasmFastMemories: "1000" },
};

/** What is handed on to the other program: what asks it to end, and that its terminal has another size. */
const HANDED_ON = ["SIGINT", "SIGTERM", "SIGWINCH"] as const;

/**
 * Runs Press on another runtime, the pinned one of the repository; answers its exit code. It has a group of its own, so that each signal
 * reaches it once, from here, whether it was sent to this process alone or to all of its group, as a terminal does. When this process is
 * gone, however it ended, the other sees the end of its standard input and ends as well.
 */
export function runOn(runtime: RuntimeName, args: readonly string[]): Promise<number> {
  const script = fileURLToPath(new URL("launched.ts", import.meta.url));
  const binary = binaryOf(runtime);
  return new Promise((resolve, reject) => {
    const child = spawn(binary, [...commands[runtime], script, ...args], {
      stdio: ["pipe", "inherit", "inherit"],
      detached: true,
      env: { ...variables[runtime], ...process.env },
    });
    const handOn = (signal: NodeJS.Signals): void => {
      try {
        // Not child.kill, after which Deno tells of a signal however the child ended.
        if (child.pid !== undefined) process.kill(child.pid, signal);
      } catch {
        // It has just ended.
      }
    };
    for (const signal of HANDED_ON) process.on(signal, handOn);
    const done = (): void => {
      for (const signal of HANDED_ON) process.off(signal, handOn);
    };
    child.on("error", (error) => {
      done();
      reject(error);
    });
    child.on("exit", (code, signal) => {
      done();
      // As a shell reports what a signal has ended.
      resolve(code ?? 128 + constants.signals[signal ?? "SIGKILL"]);
    });
  });
}

/** The pinned runtime itself. Deno's entry in .bin is a script that would die of a signal alone, and leave Deno to itself. */
function binaryOf(runtime: RuntimeName): string {
  const entry = fileURLToPath(new URL(`../../../node_modules/.bin/${runtime}`, import.meta.url));
  if (runtime !== "deno") return entry;
  return execFileSync(entry, ["eval", "console.log(Deno.execPath())"], { encoding: "utf8" }).trim();
}
