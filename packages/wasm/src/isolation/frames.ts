import type { Bytes } from "@keelson/core";
import { BrokenMessage } from "./codec.ts";

/** Bytes before each message on a pipe: its length with them, big-endian. */
export const HEAD_BYTES = 4;

/** Writes the length of a message into the head that was left free for it. */
export function sealFrame(message: Bytes): Bytes {
  new DataView(message.buffer, message.byteOffset, HEAD_BYTES).setUint32(0, message.length);
  return message;
}

/** Finds the messages in what comes out of a pipe in pieces. */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #receive: (frame: Bytes) => void;
  /** Of the message that has begun; filled up to `#have`. */
  #whole: Bytes | undefined;
  /** The beginning of a message whose length is not known yet. */
  #start: Bytes = new Uint8Array(0);
  #have = 0;

  /** @param receive gets each message with its head; must not keep it longer than the call */
  constructor(maxBytes: number, receive: (frame: Bytes) => void) {
    this.#maxBytes = maxBytes;
    this.#receive = receive;
  }

  /** @throws BrokenMessage for a length below that of a message, or above the limit */
  push(chunk: Bytes): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#whole !== undefined) {
        rest = this.#fill(this.#whole, rest);
        continue;
      }
      const begun = this.#start.length === 0 ? rest : join(this.#start, rest);
      this.#start = new Uint8Array(0);
      if (begun.length < HEAD_BYTES) {
        this.#start = begun.slice();
        return;
      }
      const length = new DataView(begun.buffer, begun.byteOffset, HEAD_BYTES).getUint32(0);
      if (length <= HEAD_BYTES || length > this.#maxBytes)
        throw new BrokenMessage(`a message of ${length} bytes`);
      if (begun.length >= length) {
        // The usual case: nothing is copied.
        this.#receive(begun.subarray(0, length));
        rest = begun.subarray(length);
        continue;
      }
      this.#whole = new Uint8Array(length);
      this.#have = 0;
      rest = this.#fill(this.#whole, begun);
    }
  }

  #fill(whole: Bytes, chunk: Bytes): Bytes {
    const taken = Math.min(whole.length - this.#have, chunk.length);
    whole.set(chunk.subarray(0, taken), this.#have);
    this.#have += taken;
    if (this.#have === whole.length) {
      this.#whole = undefined;
      this.#receive(whole);
    }
    return chunk.subarray(taken);
  }
}

function join(first: Bytes, second: Bytes): Bytes {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
