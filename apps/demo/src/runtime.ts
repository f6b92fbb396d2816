import { execFileSync, spawn } from "node:child_process";
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

/** How long the other program has for a Ctrl-C that reached it too, before this one hands it on, ms. */
const OWN_SIGNAL_MS = 500;

/**
 * Runs this program on another runtime, the pinned one of the repository, with the terminal as it is; answers its exit code. Signals are
 * handed on, since who manages processes sends them to this one alone. A terminal's Ctrl-C reaches both: so the first is handed on late, and as
 * SIGTERM, which asks for nothing that it has not asked for already; it must not overtake the other, which would be a second interrupt then.
 */
export function runOn(runtime: RuntimeName, script: string, args: readonly string[]): Promise<number> {
  const binary = binaryOf(runtime);
  return new Promise((resolve, reject) => {
    const child = spawn(binary, [...commands[runtime], script, ...args], { stdio: "inherit" });
    // Not child.kill, after which Deno tells of a signal however the child ended.
    const send = (signal: NodeJS.Signals): void => {
      if (child.pid !== undefined) process.kill(child.pid, signal);
    };
    let later: NodeJS.Timeout | undefined;
    const onInterrupt = (): void => {
      if (later === undefined) later = setTimeout(send, OWN_SIGNAL_MS, "SIGTERM");
      else send("SIGINT");
    };
    const onTerminate = (): void => send("SIGTERM");
    process.on("SIGINT", onInterrupt);
    process.on("SIGTERM", onTerminate);
    const done = (): void => {
      clearTimeout(later);
      process.off("SIGINT", onInterrupt);
      process.off("SIGTERM", onTerminate);
    };
    child.on("error", (error) => {
      done();
      reject(error);
    });
    child.on("exit", (code, signal) => {
      done();
      resolve(code ?? (signal === "SIGINT" ? 130 : 1));
    });
  });
}

/** The pinned runtime itself. Deno's entry in .bin is a script that would die of a signal alone, and leave Deno to itself. */
function binaryOf(runtime: RuntimeName): string {
  const entry = fileURLToPath(new URL(`../../../node_modules/.bin/${runtime}`, import.meta.url));
  if (runtime !== "deno") return entry;
  return execFileSync(entry, ["eval", "console.log(Deno.execPath())"], { encoding: "utf8" }).trim();
}
