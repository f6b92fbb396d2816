import { KeelsonError, type Bytes, type MaybePromise } from "@keelson/core";
import process from "node:process";

/** Bytes that may wait for a child before its writer is asked to wait, too. */
const HIGH_WATER_BYTES = 256 * 1024;
/** Largest chunk made by joining small ones. */
const JOIN_BYTES = 64 * 1024;

/** A child's standard input as a runtime has it. */
export interface InputSink {
  /** Takes a chunk; the promise, if any, settles when the next may come. Rejects or throws when the child no longer reads. */
  write(chunk: Bytes): MaybePromise<void>;
  /** Closes it. Must not throw and may be called on one that is closed. */
  end(): void;
}

/** The queue before a child's standard input: joins what is written in one turn, and never lets an error out of band. */
export class Input {
  readonly #sink: InputSink;
  readonly #name: string;
  #queue: Bytes[] = [];
  #bytes = 0;
  #busy = false;
  #closing = false;
  #failure: KeelsonError | undefined;
  #room: PromiseWithResolvers<void> | undefined;

  /** @param name of the child, for messages */
  constructor(sink: InputSink, name: string) {
    this.#sink = sink;
    this.#name = name;
  }

  write(bytes: Bytes): MaybePromise<void> {
    if (this.#failure !== undefined || this.#closing) return this.#refuse();
    this.#queue.push(bytes);
    this.#bytes += bytes.byteLength;
    if (!this.#busy) {
      this.#busy = true;
      process.nextTick(this.#flush);
    }
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

  /** Gives up: nobody reads any more. */
  fail(cause?: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = new KeelsonError("PROCESS_EXITED", `${this.#name} no longer reads its standard input`, {
      hint: "look at how the process ended and at what it wrote to standard error",
      ...(cause === undefined ? {} : { cause }),
    });
    this.#queue = [];
    this.#bytes = 0;
    this.#room?.reject(this.#failure);
    this.#room = undefined;
    this.#closing = true;
    this.#sink.end();
  }

  #refuse(): Promise<never> {
    const refused = Promise.reject(
      this.#failure ?? new KeelsonError("PROCESS_EXITED", `the standard input of ${this.#name} is closed`),
    );
    refused.catch(() => undefined);
    return refused;
  }

  readonly #flush = (): void => {
    for (;;) {
      if (this.#failure !== undefined) return;
      const chunk = this.#take();
      if (chunk === undefined) break;
      let taken: MaybePromise<void>;
      try {
        taken = this.#sink.write(chunk);
      } catch (error) {
        return this.fail(error);
      }
      if (taken !== undefined) {
        taken.then(this.#flush, (error: unknown) => this.fail(error));
        return;
      }
    }
    this.#busy = false;
    if (this.#closing) this.#sink.end();
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
