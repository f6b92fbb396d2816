import type { Bytes } from "@keelson/core";
import { KeelsonError } from "@keelson/core/plain";
import type { EngineMemory } from "./engine.ts";

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });
const utf16 = new TextDecoder("utf-16le", { ignoreBOM: true });

/** Up to so many bytes a loop is faster than the engine's own copying. */
const SHORT_BYTES = 32;

/**
 * A guest's linear memory, read and written by pointers that the guest gave: each is checked, none is believed.
 * Pointers and lengths are taken as the i32 that they are and read as unsigned.
 */
export class GuestMemory {
  readonly #memory: EngineMemory;
  #bytes: Uint8Array<ArrayBuffer>;
  /** Of the same buffer as the bytes, always. */
  #words: DataView<ArrayBuffer>;

  constructor(memory: EngineMemory) {
    this.#memory = memory;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#words = new DataView(memory.buffer);
  }

  /** All of it. Growth detaches it: never keep it across a call into the guest. */
  get bytes(): Uint8Array<ArrayBuffer> {
    // A grown memory leaves its old buffer detached, of length 0; asking the engine for the buffer each time costs far more.
    if (this.#bytes.length === 0) this.#look();
    return this.#bytes;
  }

  /** Size now, bytes. */
  get size(): number {
    return this.bytes.length;
  }

  /** The unsigned pointer, once it and `length` are known to lie inside; throws `OUT_OF_BOUNDS`. */
  check(pointer: number, length: number, what: string): number {
    const from = pointer >>> 0;
    if (from + (length >>> 0) > this.bytes.length) this.#refuse(from, length >>> 0, what);
    return from;
  }

  /** A copy of the bytes. */
  copy(pointer: number, length: number, what: string): Bytes {
    const from = this.check(pointer, length, what);
    const bytes = this.#bytes;
    const count = length >>> 0;
    if (count > SHORT_BYTES) return bytes.slice(from, from + count);
    const copy = new Uint8Array(count);
    for (let at = 0; at < count; at++) copy[at] = bytes[from + at] as number;
    return copy;
  }

  /** UTF-8 text; throws `INVALID_PAYLOAD` when it is none. */
  text(pointer: number, length: number, what: string): string {
    const from = this.check(pointer, length, what);
    const view = this.#view(from, from + (length >>> 0));
    try {
      return strict.decode(view);
    } catch (cause) {
      throw new KeelsonError("INVALID_PAYLOAD", `${what} is not UTF-8`, {
        hint: "the guest must answer text and JSON in UTF-8; raw bytes have a kind of their own",
        cause,
      });
    }
  }

  /** Text for people, from a guest in an unknown state: what is broken or out of bounds is replaced, never thrown. */
  lossyText(pointer: number, length: number, encoding: "utf-8" | "utf-16le" = "utf-8"): string {
    const from = pointer >>> 0;
    const view = this.#view(from, Math.min(from + (length >>> 0), this.bytes.length));
    return (encoding === "utf-8" ? lossy : utf16).decode(view);
  }

  /** Little-endian u32. */
  word(pointer: number, what: string): number {
    return this.wordAt(this.check(pointer, 4, what));
  }

  /** The same where {@link GuestMemory.check} has just found four bytes. */
  wordAt(from: number): number {
    return this.#words.getUint32(from, true);
  }

  /** Writes bytes where the guest said. */
  write(pointer: number, bytes: Uint8Array, what: string): void {
    const from = this.check(pointer, bytes.length, what);
    // Not before the check: that may have found a shared memory grown.
    const memory = this.#bytes;
    const count = bytes.length;
    if (count > SHORT_BYTES) memory.set(bytes, from);
    else for (let at = 0; at < count; at++) memory[from + at] = bytes[at] as number;
  }

  /** Writes `text` as UTF-8, of which `capacity` is known to hold three bytes for each unit; answers the bytes written. */
  writeText(pointer: number, capacity: number, text: string, what: string): number {
    const from = this.check(pointer, capacity, what);
    const bytes = this.#bytes;
    if (text.length <= 48) {
      // For short ASCII a loop is faster than the encoder and its view.
      let at = 0;
      for (; at < text.length; at++) {
        const unit = text.charCodeAt(at);
        if (unit > 0x7f) break;
        bytes[from + at] = unit;
      }
      if (at === text.length) return at;
    }
    if (isShared(bytes)) {
      const encoded = encoder.encode(text);
      bytes.set(encoded, from);
      return encoded.length;
    }
    return encoder.encodeInto(text, bytes.subarray(from, from + capacity)).written;
  }

  /** A view for decoders, which refuse shared memory. */
  #view(from: number, to: number): Uint8Array {
    const bytes = this.bytes;
    return isShared(bytes) ? bytes.slice(from, to) : bytes.subarray(from, to);
  }

  #look(): void {
    const { buffer } = this.#memory;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new DataView(buffer);
  }

  /** Whether `pointer` and `length`, both unsigned, lie inside. */
  holds(pointer: number, length: number): boolean {
    if (pointer + length <= this.bytes.length) return true;
    // A shared memory that grew keeps its old buffer alive: look again before judging.
    this.#look();
    return pointer + length <= this.#bytes.length;
  }

  #refuse(from: number, length: number, what: string): void {
    if (this.holds(from, length)) return;
    throw new KeelsonError("OUT_OF_BOUNDS", `${what} lies outside the guest's memory`, {
      hint: "the guest gave a wrong pointer or length; its instance is discarded",
      details: { pointer: from, length, memoryBytes: this.#bytes.length },
    });
  }
}

function isShared(bytes: Uint8Array): boolean {
  return bytes.buffer[Symbol.toStringTag] === "SharedArrayBuffer";
}

/** The beginning of a long text, as a text of its own: engines let a part of a text keep all of it alive. */
export function beginningOf(text: string, units: number): string {
  return text.length <= units ? text : lossy.decode(encoder.encode(text.slice(0, units)));
}

/** The UTF-8 form of `text`. */
export function encodeText(text: string): Bytes {
  return encoder.encode(text);
}
