import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** The runtime that runs these tests. */
export const runtime: "node" | "deno" | "bun" =
  "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";

const BIN = fileURLToPath(new URL("../src/bin.ts", import.meta.url));

/** The package's entry on this runtime, for configurations that lie in a temporary folder. */
export const ENTRY: string = new URL(`../src/index.${runtime}.ts`, import.meta.url).href;

/** Program and arguments that run a script on this runtime; without `--bun`, Bun gives a script with a shebang of Node's to Node. */
export function scriptCommand(script: string, ...args: readonly string[]): [command: string, args: string[]] {
  const before = { node: [], deno: ["run", "-A"], bun: ["--bun"] }[runtime];
  return [process.execPath, [...before, script, ...args]];
}

/** A folder with these files that is gone after the test. */
export function folderWith(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(tmpdir(), "keelson-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

/** How a program ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program under test: what it has printed so far, and how it ends. */
export class Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";

  constructor(
    command: string,
    args: readonly string[],
    options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
  ) {
    this.child = spawn(command, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, NO_COLOR: "1", TERM: "xterm", ...options.env },
    });
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.ended = once(this.child, "close").then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as string | null,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
    onTestFinished(async () => {
      if (this.child.exitCode === null && this.child.signalCode === null) this.kill("SIGKILL");
      await this.ended;
    });
  }

  /** Sends a signal. Not by the child's own kill(), which on Deno sends no second one. */
  kill(signal: NodeJS.Signals): void {
    process.kill(this.child.pid as number, signal);
  }

  /** Waits until standard output holds `text`. */
  async said(text: string): Promise<void> {
    while (!this.stdout.includes(text)) {
      const over = await Promise.race([
        once(this.child.stdout, "data").then(() => false),
        this.ended.then(() => true),
      ]);
      if (over && !this.stdout.includes(text))
        throw new Error(`ended without saying ${text}:\n${this.stdout}${this.stderr}`);
    }
  }
}

/** Starts the command line. */
export function start(
  args: readonly string[],
  cwd?: string,
  env?: Readonly<Record<string, string>>,
): Program {
  const options = { ...(cwd === undefined ? {} : { cwd }), ...(env === undefined ? {} : { env }) };
  return new Program(...scriptCommand(BIN, ...args), options);
}

/** Runs the command line to its end. */
export function keelson(
  args: readonly string[],
  cwd?: string,
  env?: Readonly<Record<string, string>>,
): Promise<Ended> {
  return start(args, cwd, env).ended;
}

/** The command line's own path, to be run by a shell. */
export const bin: string = BIN;
