// The part of Deno's own API that is used here, so that users need no types of it.

/** A permission, as Deno.permissions takes it. */
export type PermissionDescriptor =
  | { readonly name: "run"; readonly command?: string }
  | { readonly name: "env"; readonly variable?: string }
  | { readonly name: "read" | "write"; readonly path?: string };

export interface ByteStream {
  getReader(options: { readonly mode: "byob" }): ByteReader;
}

export interface ByteReader {
  /** Takes the buffer behind `view` away, and gives it back behind what was read. */
  read(
    view: Uint8Array<ArrayBuffer>,
  ): Promise<{ readonly done: boolean; readonly value?: Uint8Array<ArrayBuffer> | undefined }>;
  cancel(): Promise<void>;
}

export interface ByteSink {
  getWriter(): {
    write(chunk: Uint8Array): Promise<void>;
    close(): Promise<void>;
    abort(): Promise<void>;
    readonly closed: Promise<void>;
  };
}

/** What `new Deno.Command(…).spawn()` gives. */
export interface ChildProcess {
  readonly pid: number;
  readonly stdin: ByteSink;
  readonly stdout: ByteStream;
  readonly stderr: ByteStream;
  readonly status: Promise<{ readonly code: number; readonly signal: string | null }>;
  kill(signal: string): void;
}

export interface CommandOptions {
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly clearEnv?: boolean;
  readonly stdin: "piped" | "null";
  readonly stdout: "piped" | "null";
  readonly stderr: "piped" | "null";
  readonly detached?: boolean;
}

export interface Command {
  spawn(): ChildProcess;
  output(): Promise<CommandOutput>;
  outputSync(): CommandOutput;
}

export interface CommandOutput {
  readonly success: boolean;
  readonly stdout: Uint8Array;
}

export interface DenoRuntime {
  readonly version: { readonly deno: string };
  readonly build: { readonly os: string };
  readonly pid: number;
  readonly noColor: boolean;
  readonly stderr: { isTerminal(): boolean };
  readonly permissions: { querySync(permission: PermissionDescriptor): { readonly state: string } };
  readonly env: { get(name: string): string | undefined };
  readonly Command: new (command: string, options: CommandOptions) => Command;
  execPath(): string;
  kill(pid: number, signal: string): void;
  /** Takes what `setTimeout` answered, whatever that is. */
  unrefTimer(timer: unknown): void;
}

/** Deno's own API. @throws TypeError on another runtime */
export function deno(): DenoRuntime {
  const { Deno } = globalThis as { readonly Deno?: DenoRuntime };
  if (Deno === undefined)
    throw new TypeError("@keelson/deno runs on Deno only; use @keelson/node or @keelson/bun here");
  return Deno;
}
