import type { Bytes } from "@keelson/core";
import { BrokenMessage } from "./codec.ts";

/** Bytes before each message on a pipe: its length with them, big-endian. */
export const HEAD_BYTES = 4;

const NOTHING: Bytes = new Uint8Array(0);

/** Writes the length of a message into the head that was left free for it. */
export function sealFrame(message: Bytes): Bytes {
  new DataView(message.buffer, message.byteOffset, HEAD_BYTES).setUint32(0, message.length);
  return message;
}

/** Finds the messages in what comes out of a pipe in pieces. */
export class FrameReader {
  readonly #maxBytes: number;
  /** Of the last chunk, what was not looked at. */
  #rest: Bytes = NOTHING;
  /** Of the message that has begun; filled up to `#have`. */
  #whole: Bytes | undefined;
  #have = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes the next chunk. To be called when {@link next} has nothing more. */
  add(chunk: Bytes): void {
    this.#rest = this.#rest.length === 0 ? chunk : join(this.#rest, chunk);
  }

  /**
   * The next message, with its head; undefined when more has to come. It may lie in the chunk that was added.
   * @throws BrokenMessage for a length below that of a message, or above the limit
   */
  next(): Bytes | undefined {
    if (this.#whole !== undefined) return this.#fill(this.#whole);
    const rest = this.#rest;
    if (rest.length < HEAD_BYTES) return undefined;
    const length = new DataView(rest.buffer, rest.byteOffset, HEAD_BYTES).getUint32(0);
    if (length <= HEAD_BYTES || length > this.#maxBytes)
      throw new BrokenMessage(`a message of ${length} bytes`);
    if (rest.length >= length) {
      // The usual case: nothing is copied.
      this.#rest = rest.subarray(length);
      return rest.subarray(0, length);
    }
    this.#whole = new Uint8Array(length);
    this.#have = 0;
    return this.#fill(this.#whole);
  }

  #fill(whole: Bytes): Bytes | undefined {
    const taken = this.#rest.subarray(0, whole.length - this.#have);
    whole.set(taken, this.#have);
    this.#have += taken.length;
    this.#rest = this.#rest.subarray(taken.length);
    if (this.#have < whole.length) return undefined;
    this.#whole = undefined;
    return whole;
  }
}

function join(first: Bytes, second: Bytes): Bytes {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
