import type { Process } from "../contract/platform.ts";

const encoder = new TextEncoder();
const turn = Promise.resolve();
/** So many characters go out before the turn ends: the child works on them while the host makes more. */
const FLUSH_LENGTH = 1024;

/**
 * Writes lines to a child's stdin. Small lines of one turn go out together, a KiB or so at a time; while the child does not read
 * they wait here, up to a limit.
 */
export class LineWriter {
  readonly #process: Process;
  /** A line with more characters than this is never taken. */
  readonly maxQueued: number;
  readonly #onFailure: (cause: unknown) => void;
  #queue = "";
  #scheduled = false;
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

  /** Queues a line, its end included. False: the queue is full or closed, and the line was not taken. */
  write(line: string): boolean {
    if (this.#queue.length + line.length > this.maxQueued) {
      // What waits for the end of the turn alone can go at once.
      if (!this.#draining) this.#flush();
      if (this.#queue.length + line.length > this.maxQueued) return false;
    }
    if (this.#closed) return false;
    this.#queue += line;
    if (this.#draining) return true;
    if (this.#queue.length >= FLUSH_LENGTH) this.#flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      // Not queueMicrotask: on Node it makes an asynchronous resource each time.
      void turn.then(this.#flushLater);
    }
    return true;
  }

  /** Takes no more lines and forgets those that wait. */
  close(): void {
    this.#closed = true;
    this.#queue = "";
  }

  readonly #flushLater = (): void => {
    this.#scheduled = false;
    if (!this.#draining) this.#flush();
  };

  #flush(): void {
    if (this.#queue === "" || this.#closed) return;
    const bytes = encoder.encode(this.#queue);
    this.#queue = "";
    try {
      const full = this.#process.write(bytes);
      if (full === undefined) return;
      this.#draining = true;
      full.then(
        () => {
          this.#draining = false;
          this.#flush();
        },
        (error: unknown) => this.#fail(error),
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#draining = false;
    if (this.#closed) return;
    this.close();
    this.#onFailure(error);
  }
}
