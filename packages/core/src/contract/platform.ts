import type { Bytes, MaybePromise } from "./value.ts";

/**
 * The adapter for one JavaScript runtime: everything the kernel asks of the world outside. The kernel has no other way
 * to tell the time, draw random numbers, write a log, read a file or start a process. A port that a runtime lacks is absent,
 * and {@link Platform.supports} says so.
 */
export interface Platform {
  /** "node", "deno", "bun", "test", … */
  readonly name: string;
  /** The runtime's own version. */
  readonly version: string;
  /** What this platform can do, as data: see {@link Feature}. An absent key means no. */
  readonly supports: Readonly<Record<string, boolean>>;
  /** For each feature that `supports` denies, the reason in a sentence; on Deno it names the missing flag. */
  readonly reasons: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly files?: Files;
  readonly processes?: Processes;
  readonly workers?: Workers;
}

/** Names used as keys of {@link Platform.supports}. The set is open: a later port adds its own. */
export type Feature =
  | "files"
  | "processes"
  /** whole process trees are ended, and verified to be gone */
  | "processTree"
  /** processes that left their tree (double fork, own session) are found and named */
  | "strayScan"
  | "wasm"
  | "wasmMemory64"
  | "jspi"
  | "sharedMemory"
  | "workers"
  /** a program can be started as a child of the same runtime: {@link Processes.fork} */
  | "fork"
  /** how much memory a child takes is told: {@link Process.memoryBytes} */
  | "processMemory";

/** The kernel's only source of time. */
export interface Clock {
  /** Milliseconds that only ever grow; fractions allowed; the origin is arbitrary. */
  now(): number;
  /** Milliseconds since 1970, for time stamps; may jump. */
  wall(): number;
  /**
   * Runs `run` once, `ms` milliseconds from now or a little later; disposing before that cancels it. A pending timer
   * does keep the program alive unless `background` is true.
   */
  after(ms: number, run: () => void, background?: boolean): Disposable;
  /**
   * Runs `run` once in the next turn of the event loop, after what is waiting there by now, including input and output; sooner than
   * {@link Clock.after} can. Keeps the program alive. Absent: `after(0, run)` takes its place.
   */
  turn?(run: () => void): void;
  /**
   * Milliseconds that the calling thread has had a core; where the runtime counts no single thread finely enough, the whole process. Never throws.
   * Absent: nobody can tell, and a guest's time is the clock's, except where it must have stood still.
   */
  ran?(): number;
}

/** The kernel's only source of randomness. */
export interface Random {
  /** Uniform in [0, 1). */
  number(): number;
  /** A new id, unique for all practical purposes: letters, digits and `-`. */
  id(): string;
}

/** How severe a log record is. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Takes log records; must never throw. */
export interface Log {
  write(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Reads and writes files. Failures are `NOT_FOUND`, `PERMISSION_DENIED` or `IO`; native errors never pass. */
export interface Files {
  /** Absolute URL of a path: relative ones are resolved against the working directory. */
  resolve(path: string): URL;
  read(file: URL): Promise<Bytes>;
  /** Whole or not at all: written aside, then renamed. Folders on the way are made. */
  write(file: URL, bytes: Bytes): Promise<void>;
  stat(file: URL): Promise<FileStat | undefined>;
  /** Names in a folder, sorted. */
  list(folder: URL): Promise<readonly string[]>;
  /** Removes a file or a folder with all that is in it; nothing there is fine. */
  remove(file: URL): Promise<void>;
  /** The path with every symbolic link resolved; `NOT_FOUND` if there is none. */
  real(file: URL): Promise<URL>;
}

/** What {@link Files.stat} says of a file or folder. */
export interface FileStat {
  readonly kind: "file" | "folder" | "other";
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

/** Starts child processes. */
export interface Processes {
  /**
   * Starts a program, no shell between, in a process group and session of its own. Resolves once it runs;
   * `SPAWN_FAILED` when the command cannot be started, `PERMISSION_DENIED` when the runtime forbids it.
   */
  spawn(command: string, args: readonly string[], options: SpawnOptions): Promise<Process>;
  /**
   * Starts `program`, an ES module, on this very runtime, as {@link spawn} does and with the same errors, and with every permission withheld that
   * the runtime can withhold from it. It finds a {@link ChildEnd} as the property `Symbol.for("keelson.end")` of the global object.
   * Absent where the runtime has no command of its own.
   */
  fork?(program: URL, options?: SpawnOptions): Promise<Process>;
  /**
   * Ends what hosts that died without a shutdown left behind, and says what it found. Called by the adapters'
   * createKernel; never touches a process whose host lives.
   */
  reclaim(): Promise<TerminationReport>;
}

/** Options of {@link Processes.spawn}. */
export interface SpawnOptions {
  /** A `file:` URL. Default: the host's own working directory. */
  readonly cwd?: URL | undefined;
  /** The child's whole environment besides PATH, HOME and the platform's own marks; nothing else is inherited. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** A running child. Disposing it terminates its tree. */
export interface Process extends AsyncDisposable {
  readonly pid: number;
  /** Chunks as they come; ends at end of file. To be iterated once. Returning early stops the reading. */
  readonly stdout: AsyncIterable<Bytes>;
  readonly stderr: AsyncIterable<Bytes>;
  /** Settles when the child itself has ended and was reaped; never rejects. Pipes may still be held open by others. */
  readonly exited: Promise<ProcessExit>;
  /** Memory that the child itself holds now, bytes; undefined once it has ended and where the system does not tell. A read of some microseconds. */
  memoryBytes?(): number | undefined;
  /**
   * Queues bytes, or text that goes as UTF-8, for the child's stdin. Small writes of one turn are joined. The promise, if any, resolves when
   * there is room again; a child that closed its stdin or died makes it reject with `PROCESS_EXITED`, never crash the host.
   */
  write(chunk: Bytes | string): MaybePromise<void>;
  /** Closes the child's stdin, after what was queued. */
  closeStdin(): void;
  /**
   * Ends the child and everything it started: asks (end of file and SIGTERM), waits `graceMs`, then kills, and looks until
   * each is surely gone or `deadlineMs` has passed. What could not be ended is in `orphans`. Never rejects; may be called twice.
   */
  terminate(options?: TerminateOptions): Promise<TerminationReport>;
}

/** Options of {@link Process.terminate}. */
export interface TerminateOptions {
  /** Time between asking and killing, ms. Default 500; 0 kills at once. */
  readonly graceMs?: number;
  /** Time after which survivors are reported as orphans, ms. Default 5000. */
  readonly deadlineMs?: number;
}

/** How a process ended. Exactly one of the two is set. */
export interface ProcessExit {
  readonly code?: number;
  /** Signal name, such as "SIGKILL". */
  readonly signal?: string;
}

/** What ending a process tree found. */
export interface TerminationReport {
  /** Processes that were alive and are now surely gone. */
  readonly ended: readonly ProcessInfo[];
  /** Processes that still live, or whose end could not be verified. */
  readonly orphans: readonly ProcessInfo[];
}

/** A process, as a report names it. */
export interface ProcessInfo {
  readonly pid: number;
  /** The command as the system shows it, cut to 200 characters; empty if it cannot be read. */
  readonly command: string;
}

/** What a program started by {@link Processes.fork} finds: its standard input and output. What it writes elsewhere goes to standard error. */
export interface ChildEnd {
  /** Waits for the next chunk, and keeps the program from all else meanwhile; undefined at the end, when the host closed its side or died. */
  read(): Bytes | undefined;
  /** Writes all of it before it returns. */
  write(bytes: Bytes): void;
  /** As {@link Clock.ran}. */
  ran?(): number;
}

/** Runs programs of the host's own in threads beside its own. */
export interface Workers {
  /**
   * Starts `program`, an ES module, in a new thread. It finds a {@link ThreadEnd} as the property `Symbol.for("keelson.end")` of the global object.
   * Messages wait until it listens; one that cannot be loaded is told by {@link WorkerThread.exited}.
   * @throws KeelsonError `SPAWN_FAILED` when the runtime refuses
   */
  start(program: URL, receive: (message: unknown) => void): WorkerThread;
}

/** A running thread. Messages are copied as structuredClone does, in both directions and in order. */
export interface WorkerThread {
  /** Throws what the runtime throws for a message that cannot be cloned. To a thread that has ended it does nothing. */
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Settles when the thread has ended or is no longer heard; never rejects. */
  readonly exited: Promise<WorkerExit>;
  /**
   * Ends the thread once it is idle. A busy one is not ended by it on every runtime, whatever the promise says: Deno leaves it
   * running, and so does Bun in a loop of WebAssembly. Never rejects; may be called twice.
   */
  terminate(): Promise<void>;
}

/** How a thread ended. */
export interface WorkerExit {
  /** What nobody in it caught; undefined when it was terminated or ended by itself. */
  readonly error: unknown;
}

/** What a program started by {@link Workers.start} finds: its side of the line to the host. */
export interface ThreadEnd {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Begins to listen. Messages that came before are given first. To be called once. */
  listen(receive: (message: unknown) => void): void;
  /** As {@link Clock.ran}, of this thread alone; absent where that is not counted finely enough. */
  ran?(): number;
}
