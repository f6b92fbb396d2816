import type { Process } from "../contract/platform.ts";

/** Writes lines to a child's stdin, and holds them up to a limit while the child does not read. */
export class LineWriter {
  readonly #process: Process;
  /** A line with more characters than this is never taken. */
  readonly maxQueued: number;
  readonly #onFailure: (cause: unknown) => void;
  #queue = "";
  /** The child does not read fast enough. */
  #draining = false;
  #closed = false;

  /** @param maxQueued characters held at most while the child does not read */
  constructor(process: Process, maxQueued: number, onFailure: (cause: unknown) => void) {
    this.#process = process;
    this.maxQueued = maxQueued;
    this.#onFailure = onFailure;
  }

  /** Whether the child no longer reads, or nothing may be sent any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Sends or queues a line, its end included. False: the queue is full or closed, and the line was not taken. */
  write(line: string): boolean {
    if (this.#closed || this.#queue.length + line.length > this.maxQueued) return false;
    if (this.#draining) this.#queue += line;
    else this.#send(line);
    return !this.#closed;
  }

  /** Takes no more lines and forgets those that wait. */
  close(): void {
    this.#closed = true;
    this.#queue = "";
  }

  #send(text: string): void {
    try {
      const full = this.#process.write(text);
      if (full === undefined) return;
      this.#draining = true;
      full.then(
        () => {
          this.#draining = false;
          const waiting = this.#queue;
          this.#queue = "";
          if (waiting !== "") this.#send(waiting);
        },
        (error: unknown) => this.#fail(error),
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.close();
    this.#onFailure(error);
  }
}
