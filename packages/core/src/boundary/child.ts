import { asKeelsonError, KeelsonError, withDetails } from "../contract/errors.ts";
import type { EventEnvelope } from "../contract/message.ts";
import type { Clock, Log, Process, ProcessExit } from "../contract/platform.ts";
import type { Bytes } from "../contract/value.ts";
import { Deferred } from "../primitives/deferred.ts";
import { createLineReader, type LineFault, type LineReader } from "../primitives/json-lines.ts";
import { normalizeEventLine } from "./normalize.ts";
import { Pace } from "./pace.ts";
import { createStderrLog, type StderrLog } from "./stderr.ts";

/**
 * After a child's end, how long its pipes are read on when something else holds them open; and how long the end of a child is waited
 * for when its output has ended, ms. Usually both come together.
 */
const LINGER_MS = 100;

/** What a {@link Child} works with. */
export interface ChildOptions {
  /** For messages: the module's id, or the command. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly maxLineBytes: number;
  /** Takes each line behind the first event. Must not throw. */
  readonly onLine?: (line: string) => void;
  /** Is told of lines that could not be read. Must not throw. */
  readonly onFault?: (error: KeelsonError) => void;
}

/** A child process whose output is read from its first line to its end. It does not end the process: that is its owner's part. */
export class Child {
  readonly process: Process;
  /** How it ended, as soon as it has. */
  exit: ProcessExit | undefined;
  /** Whether its standard output has ended. */
  outputEnded = false;
  /** Settles when its standard output has ended. Never rejects. */
  readonly output: Promise<void>;
  /** Settles when the process has ended and its output was read. Never rejects. */
  readonly ended: Promise<ProcessExit>;
  readonly #options: ChildOptions;
  readonly #stderr: StderrLog;
  readonly #first = new Deferred<EventEnvelope>();
  readonly #iterators: AsyncIterator<Bytes>[] = [];
  #awaitsFirst = true;
  #closed = false;

  /** Throws `MISSING_STDOUT` for a process without one. */
  constructor(process: Process, options: ChildOptions) {
    const { name, clock, log, maxLineBytes } = options;
    // A platform of somebody else's may break its promise.
    if ((process.stdout as unknown) === undefined) {
      throw new KeelsonError("MISSING_STDOUT", `${name} has no standard output to read`, {
        hint: "the platform's spawn must give one: run the conformance checks on it",
      });
    }
    this.process = process;
    this.#options = options;
    this.#stderr = createStderrLog(log, clock, { stream: "stderr", pid: process.pid });
    const reader = createLineReader({
      maxLineBytes,
      onLine: (line) => this.#take(line),
      onFault: (fault, start) => this.#fault(fault, start),
    });
    this.output = this.#read(process.stdout, reader).then(() => {
      this.outputEnded = true;
      if (this.#awaitsFirst) void this.#outputEndedEarly();
    });
    const errors = this.#read(process.stderr, this.#stderr.reader);
    this.ended = this.#watch(Promise.all([this.output, errors]));
  }

  /**
   * The child's first line as an event.
   *
   * @throws KeelsonError `HANDSHAKE_TIMEOUT`, `ABORTED`, `PROCESS_EXITED`, `EMPTY_OUTPUT`, or what is wrong with the line
   */
  async firstEvent(timeoutMs: number, signal?: AbortSignal): Promise<EventEnvelope> {
    const { name, clock } = this.#options;
    const timer = clock.after(timeoutMs, () =>
      this.#settleFirst(
        new KeelsonError(
          "HANDSHAKE_TIMEOUT",
          `${name} printed no event within ${timeoutMs} ms${this.#lastWords()}`,
          {
            hint: "print a first event on standard output, flush it, or raise handshakeMs",
            details: { timeoutMs, stderr: this.#stderr.tail() },
          },
        ),
      ),
    );
    const abort = (): void =>
      this.#settleFirst(
        asKeelsonError(signal?.reason, "ABORTED", `Waiting for the first event of ${name} was ended`),
      );
    if (signal?.aborted === true) abort();
    signal?.addEventListener("abort", abort);
    try {
      return await this.#first.promise;
    } finally {
      timer[Symbol.dispose]();
      signal?.removeEventListener("abort", abort);
    }
  }

  /** The error of whoever needed the child after it ended. */
  exitError(exit: ProcessExit, when: string): KeelsonError {
    const how = exit.signal === undefined ? `exit code ${exit.code ?? "unknown"}` : exit.signal;
    return new KeelsonError(
      "PROCESS_EXITED",
      `${this.#options.name} ended with ${how} ${when}${this.#lastWords()}`,
      {
        hint: "its log and its last lines on standard error say why; run the command by hand to see more",
        details: { ...exit, stderr: this.#stderr.tail() },
      },
    );
  }

  /** Waits for `promise`, but no longer than `ms`. */
  async within(ms: number, promise: Promise<unknown>): Promise<void> {
    const late = new Deferred();
    const timer = this.#options.clock.after(ms, () => late.resolve());
    await Promise.race([promise, late.promise]);
    timer[Symbol.dispose]();
  }

  /** Stops reading. */
  close(): void {
    this.#closed = true;
    // Some streams hold the pipe's handle until they are told; those that wait for a chunk answer later.
    for (const iterator of this.#iterators) void iterator.return?.().catch(() => {});
  }

  #lastWords(): string {
    const lines = this.#stderr.tail().slice(-5);
    return lines.length === 0
      ? ""
      : `. Its last lines on standard error:\n${lines.map((line) => `    ${line}`).join("\n")}`;
  }

  async #watch(pipes: Promise<unknown>): Promise<ProcessExit> {
    const exit = await this.process.exited;
    this.exit = exit;
    await this.within(LINGER_MS, pipes);
    if (this.#awaitsFirst) this.#settleFirst(this.#endedSilently(exit));
    return exit;
  }

  /** Without output an exit code of 0 is a child that had nothing to say; anything else is one that failed. */
  #endedSilently(exit: ProcessExit | undefined): KeelsonError {
    if (exit !== undefined && exit.code !== 0) return this.exitError(exit, "before its first event");
    return new KeelsonError(
      "EMPTY_OUTPUT",
      `${this.#options.name} closed its output before its first event${this.#lastWords()}`,
      { hint: "print a first event on standard output", details: { ...exit, stderr: this.#stderr.tail() } },
    );
  }

  async #outputEndedEarly(): Promise<void> {
    await this.within(LINGER_MS, this.process.exited);
    // Has it ended, `#watch` says so as soon as standard error was read too.
    if (this.exit === undefined) this.#settleFirst(this.#endedSilently(undefined));
  }

  async #read(source: AsyncIterable<Bytes> | undefined, reader: LineReader): Promise<void> {
    if (source === undefined) return;
    try {
      const iterator = source[Symbol.asyncIterator]();
      this.#iterators.push(iterator);
      const pace = new Pace(this.#options.clock);
      const push = (piece: Uint8Array): void => {
        if (!this.#closed) reader.push(piece);
      };
      for (
        let next = await iterator.next();
        next.done !== true && !this.#closed;
        next = await iterator.next()
      ) {
        const turn = pace.hand(next.value, push);
        if (turn !== undefined) await turn;
      }
      reader.end();
    } catch (error) {
      if (this.#closed) return;
      const failure = asKeelsonError(error, "IO", `Reading from ${this.#options.name} failed`);
      if (this.#awaitsFirst && source === this.process.stdout) this.#settleFirst(failure);
      else this.#options.onFault?.(failure);
    }
  }

  #take(line: string): void {
    if (this.#closed) return;
    if (!this.#awaitsFirst) return this.#options.onLine?.(line);
    try {
      this.#settleFirst(normalizeEventLine(line));
    } catch (error) {
      const { name } = this.#options;
      const wrong = asKeelsonError(error, "INVALID_SCHEMA", "The first line is no event");
      this.#settleFirst(withDetails(wrong, {}, name));
    }
  }

  #fault(fault: LineFault, start: string): void {
    if (this.#closed) return;
    const { name, maxLineBytes } = this.#options;
    const error = new KeelsonError(
      fault,
      fault === "LINE_TOO_LONG"
        ? `A line of ${name} passes the limit of ${maxLineBytes} bytes`
        : `A line of ${name} is not UTF-8`,
      {
        hint: fault === "LINE_TOO_LONG" ? "send less at once, or raise maxLineBytes" : "write UTF-8",
        details: {
          start: start.replace(/\p{Cc}/gu, " "),
          ...(fault === "LINE_TOO_LONG" ? { maxLineBytes } : {}),
        },
      },
    );
    if (this.#awaitsFirst) this.#settleFirst(error);
    else this.#options.onFault?.(error);
  }

  #settleFirst(result: EventEnvelope | KeelsonError): void {
    if (!this.#awaitsFirst) return;
    this.#awaitsFirst = false;
    if (result instanceof Error) {
      this.#first.reject(result);
      this.#closed = true;
    } else this.#first.resolve(result);
  }
}
