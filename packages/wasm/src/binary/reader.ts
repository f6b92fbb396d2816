import type { Bytes } from "@keelson/core";

/** Thrown inside this folder when a binary is not laid out as it should be; never leaves the package. */
export class MalformedBinary extends Error {
  override readonly name: string = "MalformedBinary";
  /** Offset in the file where reading failed. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`${message} at offset ${offset}`);
    this.offset = offset;
  }
}

/** Walks through a binary; every read is checked against the end. */
export class Reader {
  readonly bytes: Bytes;
  offset: number;
  readonly end: number;

  constructor(bytes: Bytes, offset: number, end: number) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
  }

  get done(): boolean {
    return this.offset >= this.end;
  }

  byte(): number {
    if (this.offset >= this.end) throw new MalformedBinary("the file ends too early", this.offset);
    return this.bytes[this.offset++] as number;
  }

  /** An unsigned LEB128 of at most 64 bits, as a number: exact up to 2^53, which no limit that matters here passes. */
  unsigned(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new MalformedBinary("a number is too long", this.offset);
  }

  /** Steps over a LEB128 of either sign. */
  skipNumber(): void {
    while (this.byte() >= 0x80);
  }

  skip(count: number): void {
    if (count > this.end - this.offset) throw new MalformedBinary("the file ends too early", this.offset);
    this.offset += count;
  }

  name(): string {
    const length = this.unsigned();
    const from = this.offset;
    this.skip(length);
    return new TextDecoder().decode(this.bytes.subarray(from, this.offset));
  }
}

/** One section of a binary. */
export interface Section {
  readonly id: number;
  /** Offset of the id byte. */
  readonly from: number;
  /** Offset of the first byte of its body. */
  readonly body: number;
  readonly end: number;
}

/** The sections of a core module, in order. Throws {@link MalformedBinary}. */
export function readSections(bytes: Bytes): readonly Section[] {
  const reader = new Reader(bytes, 8, bytes.length);
  const sections: Section[] = [];
  while (!reader.done) {
    const from = reader.offset;
    const id = reader.byte();
    const size = reader.unsigned();
    const body = reader.offset;
    if (size > bytes.length - body) {
      const missing = size - (bytes.length - body);
      throw new MalformedBinary(
        `section ${id} lacks its last ${missing} bytes: the file was cut short`,
        from,
      );
    }
    reader.skip(size);
    sections.push({ id, from, body, end: body + size });
  }
  return sections;
}

/** `value` as unsigned LEB128. */
export function encodeUnsigned(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    out.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return out;
}
