import type { Bytes } from "@keelson/core";

/** Where things are in the shared memory, in 32-bit words; the bytes of the answer come behind. */
const STATE = 0;
const LENGTH = 1;
const LEFT = 2;
const HEAD_BYTES = 12;
const CHUNK_BYTES = 8_192;

const EMPTY = 0;
const FILLED = 1;

/** Shared memory in which a host leaves its answers for a thread that waits for them, a piece at a time. */
export class SharedAnswer {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  /** What was not put yet. */
  #rest: Bytes | undefined;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(HEAD_BYTES + CHUNK_BYTES)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, 3);
    this.#bytes = new Uint8Array(buffer, HEAD_BYTES);
  }

  /** The host answers: as much as there is room for. */
  put(message: Bytes): void {
    this.#rest = message;
    this.putMore();
  }

  /** The thread has taken a piece, and waits for the next. */
  putMore(): void {
    const rest = this.#rest;
    if (rest === undefined) return;
    const piece = rest.subarray(0, CHUNK_BYTES);
    this.#rest = piece.length === rest.length ? undefined : rest.subarray(piece.length);
    this.#bytes.set(piece);
    this.#words[LENGTH] = piece.length;
    this.#words[LEFT] = rest.length - piece.length;
    Atomics.store(this.#words, STATE, FILLED);
    Atomics.notify(this.#words, STATE);
  }

  /** The thread waits for an answer; `askMore` is to tell the host that the next piece may come. */
  take(askMore: () => void): Bytes {
    let whole: Bytes | undefined;
    for (let at = 0; ; askMore()) {
      Atomics.wait(this.#words, STATE, EMPTY);
      const [, length, left] = this.#words as unknown as readonly [number, number, number];
      whole ??= new Uint8Array(length + left);
      whole.set(this.#bytes.subarray(0, length), at);
      at += length;
      Atomics.store(this.#words, STATE, EMPTY);
      if (left === 0) return whole;
    }
  }
}
