import { KeelsonError } from "../contract/errors.ts";
import type {
  Process,
  Processes,
  ProcessExit,
  ProcessInfo,
  SpawnOptions,
  TerminateOptions,
  TerminationReport,
} from "../contract/platform.ts";
import type { Bytes, MaybePromise } from "../contract/value.ts";
import { createLineReader } from "../primitives/json-lines.ts";

/** What a fake child does when it is started, and from then on through its {@link FakeProcess}. */
export type FakeScript = (process: FakeProcess) => MaybePromise<void>;

/** Processes that exist in memory only; `spawn` runs the script. */
export interface FakeProcesses extends Processes {
  readonly spawned: readonly FakeProcess[];
  /** The last one that was started. Throws if there is none. */
  readonly last: FakeProcess;
}

/** {@link FakeProcesses} whose children do what `script` says; what it throws is thrown by `spawn`. */
export function createFakeProcesses(script: FakeScript = () => {}): FakeProcesses {
  const spawned: FakeProcess[] = [];
  return {
    spawned,
    get last() {
      const last = spawned.at(-1);
      if (last === undefined) throw new RangeError("nothing was started");
      return last;
    },
    async spawn(command, args, options) {
      const child = new FakeProcess(1000 + spawned.length, command, args, options);
      await script(child);
      spawned.push(child);
      return child;
    },
    reclaim: async () => ({ ended: [], orphans: [] }),
  };
}

/** A child process without a process; its methods below {@link Process}'s are what the child itself does. */
export class FakeProcess implements Process {
  readonly pid: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly options: SpawnOptions;
  readonly stdout: FakePipe = new FakePipe();
  readonly stderr: FakePipe = new FakePipe();
  readonly exited: Promise<ProcessExit>;
  /** Lines that the child was sent, without their ends. */
  readonly received: string[] = [];
  /** Writes that brought them. */
  writes = 0;
  /** Runs for each line received. */
  onLine: ((line: string) => void) | undefined;
  /** Runs when stdin was closed, or the tree is being ended. */
  onEnd: (() => void) | undefined;
  readonly terminations: TerminateOptions[] = [];
  /** What survives its ending. */
  orphans: readonly ProcessInfo[] = [];
  stdinClosed = false;
  #exit: ((exit: ProcessExit) => void) | undefined;
  #broken = false;
  #held: PromiseWithResolvers<void> | undefined;
  readonly #reader = createLineReader({
    maxLineBytes: 2 ** 30,
    onLine: (line) => {
      this.received.push(line);
      this.onLine?.(line);
    },
  });

  constructor(pid: number, command: string, args: readonly string[], options: SpawnOptions) {
    this.pid = pid;
    this.command = command;
    this.args = args;
    this.options = options;
    this.exited = new Promise((resolve) => {
      this.#exit = resolve;
    });
  }

  /** Prints on stdout: text as it is, bytes as they are, anything else as a JSON line. */
  say(what: unknown): void {
    this.stdout.push(what);
  }

  /** Prints on stderr. */
  complain(what: unknown): void {
    this.stderr.push(what);
  }

  /** From now on a write finds no reader. */
  breakStdin(): void {
    this.#broken = true;
    this.#held?.reject(this.#gone());
    this.#held = undefined;
  }

  /** Stops reading: writes wait for room. */
  holdStdin(): void {
    this.#held ??= Promise.withResolvers();
    this.#held.promise.catch(() => {});
  }

  /** Reads on. */
  drainStdin(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  /** Ends. `pipesHeld`: something else keeps the pipes open. */
  exit(exit: ProcessExit = { code: 0 }, pipesHeld = false): void {
    if (this.#exit === undefined) return;
    this.#exit(exit);
    this.#exit = undefined;
    this.breakStdin();
    if (pipesHeld) return;
    this.stdout.end();
    this.stderr.end();
  }

  write(chunk: Bytes | string): MaybePromise<void> {
    if (this.#broken || this.stdinClosed) {
      const refused = Promise.reject(this.#gone());
      refused.catch(() => {});
      return refused;
    }
    this.writes++;
    this.#reader.push(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk);
    return this.#held?.promise;
  }

  closeStdin(): void {
    if (this.stdinClosed) return;
    this.stdinClosed = true;
    this.onEnd?.();
  }

  async terminate(options: TerminateOptions = {}): Promise<TerminationReport> {
    this.terminations.push(options);
    this.closeStdin();
    const lived = this.#exit !== undefined;
    if (this.orphans.some(({ pid }) => pid === this.pid)) return { ended: [], orphans: this.orphans };
    this.exit({ signal: "SIGTERM" });
    this.stdout.end();
    this.stderr.end();
    return { ended: lived ? [{ pid: this.pid, command: this.command }] : [], orphans: this.orphans };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }

  #gone(): KeelsonError {
    return new KeelsonError("PROCESS_EXITED", `process ${this.pid} no longer reads its standard input`);
  }
}

/** One direction of a pipe, in memory. */
export class FakePipe implements AsyncIterable<Bytes> {
  readonly #queue: Bytes[] = [];
  #over = false;
  #failure: unknown;
  #wake: (() => void) | undefined;
  /** Whether the reader has left. */
  left = false;

  push(what: unknown): void {
    const encoder = new TextEncoder();
    if (what instanceof Uint8Array) this.#queue.push(what as Bytes);
    else this.#queue.push(encoder.encode(typeof what === "string" ? what : `${JSON.stringify(what)}\n`));
    this.#wake?.();
  }

  end(): void {
    this.#over = true;
    this.#wake?.();
  }

  fail(failure: unknown): void {
    this.#failure = failure;
    this.end();
  }

  [Symbol.asyncIterator](): AsyncIterator<Bytes> {
    return {
      next: async () => {
        while (this.#queue.length === 0 && !this.#over) {
          const { promise, resolve } = Promise.withResolvers<void>();
          this.#wake = resolve;
          await promise;
        }
        const value = this.#queue.shift();
        if (value !== undefined) return { done: false, value };
        if (this.#failure !== undefined) throw this.#failure;
        return { done: true, value: undefined };
      },
      return: async () => {
        this.left = true;
        this.end();
        return { done: true, value: undefined };
      },
    };
  }
}
