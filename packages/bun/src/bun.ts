// The part of Bun's own API that is used here, so that users need no types of it.

/** What `Bun.spawn` gives. */
export interface Subprocess {
  readonly pid: number;
  readonly stdin: FileSink;
  readonly stdout: ByteStream;
  readonly stderr: ByteStream;
  readonly exited: Promise<number>;
  readonly signalCode: string | null;
  kill(signal: string): void;
}

/** A buffered writer; both functions give a promise when the pipe is full. */
export interface FileSink {
  write(chunk: Uint8Array | string): number | Promise<number>;
  flush(): number | Promise<number> | undefined;
  end(): unknown;
}

export interface ByteStream {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
    cancel(): Promise<void>;
  };
}

export interface BunRuntime {
  readonly version: string;
  spawn(
    command: readonly string[],
    options: {
      readonly cwd?: string;
      readonly env: Readonly<Record<string, string>>;
      readonly stdin: "pipe";
      readonly stdout: "pipe";
      readonly stderr: "pipe";
      readonly detached: boolean;
      /** Read output only when asked: without it a flood is taken into memory. */
      readonly lazy: boolean;
    },
  ): Subprocess;
}

/** Bun's own API. @throws TypeError on another runtime */
export function bun(): BunRuntime {
  const { Bun } = globalThis as { readonly Bun?: BunRuntime };
  if (Bun === undefined)
    throw new TypeError("@keelson/bun runs on Bun only; use @keelson/node or @keelson/deno here");
  return Bun;
}
