import { KeelsonError, type Bytes, type MaybePromise } from "@keelson/core";
import process from "node:process";

/** Bytes that may wait for a child before its writer is asked to wait, too; a character of text counts as one. */
const HIGH_WATER_BYTES = 256 * 1024;
/** Largest chunk made by joining small ones. */
const JOIN_BYTES = 64 * 1024;
/** So much does not wait for more: the child can work on it while the rest is made. */
const FLUSH_BYTES = 1024;

const turn = Promise.resolve();

/** A child's standard input as a runtime has it. */
export interface InputSink {
  /** Takes a chunk; the promise, if any, settles when the next may come. Rejects or throws when the child no longer reads. */
  write(chunk: Bytes | string): MaybePromise<void>;
  /** Closes it once all is taken. Must not throw and may be called on one that is closed. */
  end(): void;
  /** Closes it at once, whatever was not taken yet. Must not throw and may be called on one that is closed. */
  abort(): void;
}

/** The queue before a child's standard input: joins what is written in one turn, and never lets an error out of band. */
export class Input {
  readonly #sink: InputSink;
  readonly #name: string;
  /** Empty unless a flush is due or the sink is full. */
  #queue: (Bytes | string)[] = [];
  #bytes = 0;
  /** A flush is due at the end of the turn. */
  #due = false;
  /** The sink takes nothing now; when it does again, it is given what waits. */
  #full = false;
  /** Writes since the last flush, and whether it found more than one. */
  #writes = 0;
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

  write(chunk: Bytes | string): MaybePromise<void> {
    if (this.#closing) return this.#refuse();
    this.#writes++;
    if (!this.#due && !this.#full) {
      this.#due = true;
      // Who writes once a turn is not made to wait for its end; who wrote more than once probably does so again.
      if (this.#joins) process.nextTick(this.#flush);
      else {
        // Not queueMicrotask: on Node it makes an asynchronous resource each time.
        void turn.then(this.#flush);
        this.#give(chunk);
        return undefined;
      }
    }
    this.#add(chunk);
    if (this.#bytes >= FLUSH_BYTES) this.#drain();
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
    if (!this.#due && !this.#full) this.#sink.end();
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

  /** Writes what has gathered by the end of a turn. */
  readonly #flush = (): void => {
    this.#due = false;
    this.#joins = this.#writes > 1;
    this.#writes = 0;
    this.#goOn();
  };

  readonly #refill = (): void => {
    this.#full = false;
    // No flush counted what came meanwhile, and it says nothing of the next turn.
    if (!this.#due) this.#writes = 0;
    this.#goOn();
  };

  #goOn(): void {
    this.#drain();
    if (this.#closing && !this.#failed && !this.#due && !this.#full) this.#sink.end();
  }

  #drain(): void {
    while (!this.#full && this.#queue.length > 0) this.#give(this.#take());
  }

  #give(chunk: Bytes | string): void {
    try {
      const taken = this.#sink.write(chunk);
      if (taken === undefined) return;
      this.#full = true;
      taken.then(this.#refill, (error: unknown) => this.#breakOff(error));
    } catch (error) {
      this.#breakOff(error);
    }
  }

  #breakOff(error: unknown): void {
    this.fail(error);
    this.#sink.abort();
  }

  #add(chunk: Bytes | string): void {
    this.#bytes += chunk.length;
    const last = this.#queue.at(-1);
    if (typeof chunk !== "string" || typeof last !== "string" || last.length + chunk.length > JOIN_BYTES)
      this.#queue.push(chunk);
    else this.#queue[this.#queue.length - 1] = last + chunk;
  }

  /** The next chunk: one that is large as it is, small ones joined. */
  #take(): Bytes | string {
    const queue = this.#queue;
    const parts: Bytes[] = [];
    let length = 0;
    for (const part of queue) {
      if (typeof part === "string" || (length > 0 && length + part.length > JOIN_BYTES)) break;
      length += part.length;
      parts.push(part);
    }
    const count = Math.max(1, parts.length);
    const first = queue[0] as Bytes | string;
    this.#queue = count === queue.length ? [] : queue.slice(count);
    this.#bytes -= count === 1 ? first.length : length;
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
