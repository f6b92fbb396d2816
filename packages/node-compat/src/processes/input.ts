import { KeelsonError, type Bytes, type MaybePromise } from "@keelson/core";
import process from "node:process";

/** Bytes that may wait for a child before its writer is asked to wait, too. */
const HIGH_WATER_BYTES = 256 * 1024;
/** Largest chunk made by joining small ones. */
const JOIN_BYTES = 64 * 1024;
/** A chunk this large does not wait for others: the child can work on it while they are made. */
const FLUSH_BYTES = 1024;

/** A child's standard input as a runtime has it. */
export interface InputSink {
  /** Takes a chunk; the promise, if any, settles when the next may come. Rejects or throws when the child no longer reads. */
  write(chunk: Bytes): MaybePromise<void>;
  /** Closes it once all is taken. Must not throw and may be called on one that is closed. */
  end(): void;
  /** Closes it at once, whatever was not taken yet. Must not throw and may be called on one that is closed. */
  abort(): void;
}

/** The queue before a child's standard input: joins what is written in one turn, and never lets an error out of band. */
export class Input {
  readonly #sink: InputSink;
  readonly #name: string;
  #queue: Bytes[] = [];
  #bytes = 0;
  /** A flush is under way or due. */
  #busy = false;
  /** The sink takes nothing now; when it does again, there is a flush. */
  #full = false;
  /** Whether the last turn brought more than one write. */
  #joins = false;
  #closing = false;
  /** Why nobody reads any more; the error itself is made when somebody is told. */
  #failed = false;
  #cause: unknown;
  #room: PromiseWithResolvers<void> | undefined;

  /** @param name of the child, for messages */
  constructor(sink: InputSink, name: string) {
    this.#sink = sink;
    this.#name = name;
  }

  write(bytes: Bytes): MaybePromise<void> {
    if (this.#closing) return this.#refuse();
    this.#queue.push(bytes);
    this.#bytes += bytes.byteLength;
    if (!this.#busy) {
      this.#busy = true;
      // Who writes once a turn is not made to wait for its end; who wrote more than once probably does so again.
      if (this.#joins) process.nextTick(this.#flush);
      else if (this.#drain()) queueMicrotask(this.#flush);
    }
    if (bytes.byteLength >= FLUSH_BYTES && !this.#full) this.#drain();
    if (this.#bytes <= HIGH_WATER_BYTES) return undefined;
    if (this.#room === undefined) {
      this.#room = Promise.withResolvers();
      // Who does not wait for room must not die of it.
      this.#room.promise.catch(() => undefined);
    }
    return this.#room.promise;
  }

  /** Closes after what is queued. */
  end(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (!this.#busy) this.#sink.end();
  }

  /** Nobody reads any more: rejects those who wait and drops what is queued. The sink stays open until {@link close}. */
  fail(cause?: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#cause = cause;
    this.#closing = true;
    this.#queue = [];
    this.#bytes = 0;
    this.#room?.reject(this.#error());
    this.#room = undefined;
  }

  /** Closes the sink at once. */
  close(): void {
    this.fail();
    this.#sink.abort();
  }

  #error(): KeelsonError {
    if (!this.#failed)
      return new KeelsonError("PROCESS_EXITED", `the standard input of ${this.#name} is closed`);
    return new KeelsonError("PROCESS_EXITED", `${this.#name} no longer reads its standard input`, {
      hint: "look at how the process ended and at what it wrote to standard error",
      ...(this.#cause === undefined ? {} : { cause: this.#cause }),
    });
  }

  #refuse(): Promise<never> {
    const refused = Promise.reject(this.#error());
    refused.catch(() => undefined);
    return refused;
  }

  /** Writes what has gathered by the end of a turn, or since the sink was full. */
  readonly #flush = (): void => {
    if (this.#full) return;
    this.#joins = this.#queue.length > 1;
    if (!this.#drain()) return;
    this.#busy = false;
    if (this.#closing && !this.#failed) this.#sink.end();
  };

  /** Writes all that is queued; false when the sink is full and goes on by itself, or nobody reads any more. */
  #drain(): boolean {
    for (;;) {
      if (this.#failed) return false;
      const chunk = this.#take();
      if (chunk === undefined) return true;
      let taken: MaybePromise<void>;
      try {
        taken = this.#sink.write(chunk);
      } catch (error) {
        this.#breakOff(error);
        return false;
      }
      if (taken !== undefined) {
        this.#full = true;
        // Such a sink joins by itself: what comes until it is ready goes in one piece.
        taken.then(this.#refill, (error: unknown) => this.#breakOff(error));
        return false;
      }
    }
  }

  #breakOff(error: unknown): void {
    this.fail(error);
    this.#sink.abort();
  }

  readonly #refill = (): void => {
    this.#full = false;
    this.#flush();
    this.#joins = false;
  };

  /** The next chunk: one that is large as it is, small ones joined. */
  #take(): Bytes | undefined {
    const queue = this.#queue;
    const first = queue[0];
    if (first === undefined) return undefined;
    let count = 1;
    let length = first.byteLength;
    for (; count < queue.length; count++) {
      const next = queue[count]?.byteLength ?? 0;
      if (length + next > JOIN_BYTES) break;
      length += next;
    }
    const parts = count === queue.length ? queue : queue.slice(0, count);
    this.#queue = count === queue.length ? [] : queue.slice(count);
    this.#bytes -= length;
    if (this.#room !== undefined && this.#bytes <= HIGH_WATER_BYTES / 2) {
      this.#room.resolve();
      this.#room = undefined;
    }
    return count === 1 ? first : join(parts, length);
  }
}

function join(parts: readonly Bytes[], length: number): Bytes {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
