import type { Bytes } from "@keelson/core";
import { sha256, toHex } from "./digest.ts";

/** What the cache keeps of one module: its bytes after all steps, and what the steps left beside them. */
export interface StoredModule {
  readonly bytes: Bytes;
  readonly notes: ReadonlyMap<string, unknown>;
}

/** Names the format; a file that begins otherwise is somebody else's. */
const MAGIC = "keelson module 1\n";
const DIGEST_BYTES = 32;

interface Header {
  readonly key: string;
  readonly bytes: number;
  readonly notes: readonly (readonly [key: string, note: unknown])[];
}

/**
 * A module as a file: a magic line, a SHA-256 of all that follows, the length of the header, the header as JSON, the
 * module's bytes.
 */
export async function encodeEntry(key: string, { bytes, notes }: StoredModule): Promise<Bytes> {
  const header: Header = { key, bytes: bytes.length, notes: [...notes] };
  const magic = new TextEncoder().encode(MAGIC);
  const plain = (_key: string, value: unknown): unknown =>
    value === bytes ? BYTES : value instanceof Int32Array ? encodeNumbers(value) : value;
  const json = new TextEncoder().encode(JSON.stringify(header, plain));
  const bodyAt = magic.length + DIGEST_BYTES;
  const out = new Uint8Array(bodyAt + 4 + json.length + bytes.length);
  out.set(magic);
  new DataView(out.buffer).setUint32(bodyAt, json.length);
  out.set(json, bodyAt + 4);
  out.set(bytes, bodyAt + 4 + json.length);
  out.set(await sha256(out.subarray(bodyAt)), magic.length);
  return out;
}

/** The module of a file, or undefined when the file is cut off, changed, of another format, or made for another key. */
export async function decodeEntry(key: string, file: Bytes): Promise<StoredModule | undefined> {
  const bodyAt = MAGIC.length + DIGEST_BYTES;
  if (file.length < bodyAt + 4) return undefined;
  if (new TextDecoder().decode(file.subarray(0, MAGIC.length)) !== MAGIC) return undefined;
  const digest = toHex(file.subarray(MAGIC.length, bodyAt));
  if (toHex(await sha256(file.subarray(bodyAt))) !== digest) return undefined;
  const length = new DataView(file.buffer, file.byteOffset).getUint32(bodyAt);
  const bytesAt = bodyAt + 4 + length;
  const bytes = file.subarray(bytesAt);
  const revive = (_key: string, value: unknown): unknown =>
    value === BYTES
      ? bytes
      : typeof value === "string" && value.startsWith(NUMBERS)
        ? decodeNumbers(value)
        : value;
  const text = new TextDecoder().decode(file.subarray(bodyAt + 4, bytesAt));
  const header = JSON.parse(text, revive) as Header;
  if (header.key !== key || header.bytes !== bytes.length) return undefined;
  return { bytes, notes: new Map(header.notes) };
}

/** Stands in the header for the module's own bytes, which a step may have kept as its note. */
const BYTES = "module:bytes";
const NUMBERS = "int32:";

/** Offset maps are typed arrays; in JSON they are text, four digits of base 16 for each byte being too many. */
function encodeNumbers(value: Int32Array): string {
  let text = NUMBERS;
  let last = 0;
  // differences are small: an ordered map takes a few digits an entry
  for (const number of value) {
    text += `${(number - last).toString(36)} `;
    last = number;
  }
  return text;
}

function decodeNumbers(value: string): Int32Array {
  const parts = value.slice(NUMBERS.length).split(" ");
  const numbers = new Int32Array(parts.length - 1);
  let last = 0;
  for (let index = 0; index < numbers.length; index++) {
    last += Number.parseInt(parts[index] as string, 36);
    numbers[index] = last;
  }
  return numbers;
}
