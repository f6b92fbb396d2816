import { spawn } from "node:child_process";
import process from "node:process";

/** A child over the runtime's own API, with no more around it than its documentation asks for. */
export interface BareProcess {
  write(text: string): void;
  /** Calls `take` with what the child prints. */
  read(take: (chunk: Uint8Array) => void): void;
  kill(): void;
  readonly exited: Promise<unknown>;
}

/** How a child is started. */
export interface BareOptions {
  readonly detached: boolean;
}

type Spawn = (command: string, args: readonly string[], options: BareOptions) => BareProcess;

interface Streams {
  readonly pid: number;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  kill(signal: string): void;
}

interface DenoChild extends Streams {
  readonly stdin: WritableStream<Uint8Array>;
  readonly status: Promise<unknown>;
}

interface BunChild extends Streams {
  readonly stdin: { write(text: string): unknown; flush(): unknown };
  readonly exited: Promise<unknown>;
}

interface Runtimes {
  readonly Deno?: { readonly Command: new (command: string, options: object) => { spawn(): DenoChild } };
  readonly Bun?: { spawn(command: readonly string[], options: object): BunChild };
}

const { Deno, Bun } = globalThis as Runtimes;

/** The environment that a kernel's children get. */
const env = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "" };

const encoder = new TextEncoder();

async function readAll(stream: ReadableStream<Uint8Array>, take: (chunk: Uint8Array) => void): Promise<void> {
  for await (const chunk of stream) take(chunk);
}

/** Starts a child as the runtime's own documentation does. */
export const spawnBare: Spawn = Deno ? onDeno(Deno) : Bun ? onBun(Bun) : onNode;

function onNode(command: string, args: readonly string[], { detached }: BareOptions): BareProcess {
  const child = spawn(command, args, { detached, env, stdio: "pipe" });
  child.on("error", () => {});
  child.stdin.on("error", () => {});
  child.stderr.resume();
  return {
    write: (text) => void child.stdin.write(text),
    read: (take) => void child.stdout.on("data", take),
    kill: () => void child.kill("SIGKILL"),
    exited: new Promise((resolve) => child.once("exit", resolve)),
  };
}

function onDeno({ Command }: NonNullable<Runtimes["Deno"]>): Spawn {
  return (command, args, { detached }) => {
    const pipes = { stdin: "piped", stdout: "piped", stderr: "piped" };
    const child = new Command(command, { args, detached, env, clearEnv: true, ...pipes }).spawn();
    const writer = child.stdin.getWriter();
    writer.closed.catch(() => {});
    void readAll(child.stderr, () => {}).catch(() => {});
    return {
      write: (text) => void writer.write(encoder.encode(text)).catch(() => {}),
      read: (take) => void readAll(child.stdout, take).catch(() => {}),
      kill: () => child.kill("SIGKILL"),
      exited: child.status,
    };
  };
}

function onBun(bun: NonNullable<Runtimes["Bun"]>): Spawn {
  return (command, args, { detached }) => {
    const pipes = { stdin: "pipe", stdout: "pipe", stderr: "pipe" };
    const child = bun.spawn([command, ...args], { detached, env, ...pipes });
    void readAll(child.stderr, () => {}).catch(() => {});
    return {
      write(text) {
        child.stdin.write(text);
        child.stdin.flush();
      },
      read: (take) => void readAll(child.stdout, take).catch(() => {}),
      kill: () => child.kill("SIGKILL"),
      exited: child.exited,
    };
  };
}
