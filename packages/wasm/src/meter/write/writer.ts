/** Grows a byte array, and writes the few encodings that a module is made of. */
export class Writer {
  bytes: Uint8Array<ArrayBuffer>;
  at = 0;
  #view: DataView;
  /** What was copied from last, and a view of it. */
  #source: Uint8Array;
  #sourceView: DataView;

  constructor(capacity = 256) {
    this.bytes = this.#source = new Uint8Array(capacity);
    this.#view = this.#sourceView = viewOf(this.bytes);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.at + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
    this.#view = viewOf(grown);
  }

  byte(value: number): void {
    if (this.at === this.bytes.length) this.reserve(1);
    this.bytes[this.at++] = value;
  }

  /** An opcode and one unsigned immediate. */
  op(opcode: number, immediate: number): void {
    if (this.at + 2 > this.bytes.length) this.reserve(2);
    this.bytes[this.at++] = opcode;
    if (immediate < 0x80) this.bytes[this.at++] = immediate;
    else this.u32(immediate);
  }

  /** `i32.const value`. */
  i32(value: number): void {
    if (this.at + 2 > this.bytes.length) this.reserve(2);
    this.bytes[this.at++] = 0x41;
    if (value >= 0 && value < 0x40) this.bytes[this.at++] = value;
    else this.s32(value);
  }

  u32(value: number): void {
    this.reserve(5);
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.bytes[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.at++] = rest;
  }

  /** An unsigned number that may pass 32 bits; exact up to 2^53. */
  u64(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
    }
    this.byte(rest);
  }

  s32(value: number): void {
    this.reserve(5);
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && low < 0x40) || (rest === -1 && low >= 0x40)) {
        this.bytes[this.at++] = low;
        return;
      }
      this.bytes[this.at++] = low | 0x80;
    }
  }

  raw(bytes: ArrayLike<number>): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** Bytes `from` to `to` of `source`. Short runs, the usual case between two insertions, are copied by words, of which the last may go too far. */
  copy(source: Uint8Array, from: number, to: number): void {
    const count = to - from;
    if (count <= 0) return;
    this.reserve(count + 3);
    const start = this.at;
    this.at = start + count;
    if (count > 128 || to + 3 > source.length) {
      this.bytes.set(source.subarray(from, to), start);
      return;
    }
    if (this.#source !== source) {
      this.#source = source;
      this.#sourceView = viewOf(source);
    }
    const view = this.#view;
    const sourceView = this.#sourceView;
    for (let done = 0; done < count; done += 4)
      view.setInt32(start + done, sourceView.getInt32(from + done, true), true);
  }

  /** A name: its length in UTF-8, then the bytes. */
  name(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u32(bytes.length);
    this.raw(bytes);
  }

  /** Writes what `fill` writes, behind its length in bytes. */
  sized(fill: () => void): void {
    const start = this.at;
    this.reserve(5);
    this.at += 5;
    const body = this.at;
    fill();
    const end = this.at;
    this.at = start;
    this.u32(end - body);
    this.bytes.copyWithin(this.at, body, end);
    this.at += end - body;
  }

  /** What was written, without a copy unless much room was left; the writer must not be used after it. */
  take(): Uint8Array<ArrayBuffer> {
    return this.bytes.length - this.at > this.at / 8 ? this.finish() : this.bytes.subarray(0, this.at);
  }

  /** A copy of what was written so far. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.at);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
