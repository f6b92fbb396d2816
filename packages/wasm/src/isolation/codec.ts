import type { Bytes, Value } from "@keelson/core";
import { isBigintText, KeelsonError } from "@keelson/core/plain";
import { MAX_JSON_DEPTH } from "../abi/json-size.ts";

/** Bytes of a message at most: an object may claim to be of any length. */
const MAX_BYTES = 2 ** 28;

/** Units of text made at once: one by one each would be a string of its own. */
const UNITS_AT_ONCE = 4_096;

// What stands before a value, and says what it is.
const UNDEFINED = 0;
const NULL = 1;
const FALSE = 2;
const TRUE = 3;
const INTEGER = 4;
const FLOAT = 5;
const TEXT = 6;
const UNITS = 7;
const BIGINT = 8;
const BYTES = 9;
const ARRAY = 10;
const OBJECT = 11;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Puts numbers, texts and values behind one another. Every {@link Value} comes out as it went in: NaN, −0, bigint, bytes and lone
 * surrogates included, which JSON would lose.
 */
export class Writer {
  #bytes: Bytes;
  #view: DataView;
  #at: number;

  /** @param head bytes left free at the beginning of what {@link take} gives */
  constructor(head = 0, capacity = 256) {
    this.#bytes = new Uint8Array(head + capacity);
    this.#view = new DataView(this.#bytes.buffer);
    this.#at = head;
  }

  /** All that was written, head included; nothing may be written afterwards. */
  take(): Bytes {
    return this.#bytes.length === this.#at ? this.#bytes : this.#bytes.slice(0, this.#at);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
  }

  word(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }

  float(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#at, value);
    this.#at += 8;
  }

  text(text: string): void {
    this.#reserve(4 + text.length * 3);
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(this.#at + 4));
    this.#view.setUint32(this.#at, written);
    this.#at += 4 + written;
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(4 + bytes.length);
    this.#view.setUint32(this.#at, bytes.length);
    this.#bytes.set(bytes, this.#at + 4);
    this.#at += 4 + bytes.length;
  }

  /** @throws KeelsonError `INVALID_PAYLOAD` for what is not plain data and bytes */
  value(value: Value): void {
    try {
      this.#value(value, 0);
    } catch (error) {
      if (error instanceof KeelsonError) throw error;
      throw new KeelsonError("INVALID_PAYLOAD", "a value cannot be read", {
        hint: "send plain data and bytes; the cause is what reading it threw",
        cause: error,
      });
    }
  }

  #value(value: unknown, depth: number): void {
    switch (typeof value) {
      case "undefined":
        return this.byte(UNDEFINED);
      case "boolean":
        return this.byte(value ? TRUE : FALSE);
      case "number":
        return this.#number(value);
      case "bigint":
        return this.#bigint(value);
      case "string":
        return this.#string(value);
      case "object":
        return value === null ? this.byte(NULL) : this.#object(value, depth);
      default:
        throw unsendable(`a ${typeof value}`);
    }
  }

  #number(value: number): void {
    if (value === (value | 0) && !Object.is(value, -0)) {
      this.byte(INTEGER);
      this.word(value);
    } else {
      this.byte(FLOAT);
      this.float(value);
    }
  }

  #bigint(value: bigint): void {
    const text = value.toString();
    if (!isBigintText(text)) throw unsendable("a bigint of more than 2,500 digits");
    this.byte(BIGINT);
    this.text(text);
  }

  #string(text: string): void {
    if (text.isWellFormed()) {
      this.byte(TEXT);
      return this.text(text);
    }
    this.byte(UNITS);
    this.word(text.length);
    this.#reserve(text.length * 2);
    for (let index = 0; index < text.length; index++, this.#at += 2)
      this.#view.setUint16(this.#at, text.charCodeAt(index));
  }

  #object(value: object, depth: number): void {
    if (depth >= MAX_JSON_DEPTH)
      throw unsendable(`data nested more than ${MAX_JSON_DEPTH} deep, or in a circle`);
    if (value instanceof Uint8Array) {
      this.byte(BYTES);
      return this.bytes(value);
    }
    if (Array.isArray(value)) {
      this.byte(ARRAY);
      // Each of them takes a byte or more.
      if (value.length > MAX_BYTES) throw tooLarge();
      this.word(value.length);
      for (let index = 0; index < value.length; index++) this.#value(value[index], depth + 1);
      return;
    }
    requirePlain(value);
    const keys = Object.keys(value);
    this.byte(OBJECT);
    this.word(keys.length);
    for (const key of keys) {
      this.#string(key);
      this.#value((value as Record<string, unknown>)[key], depth + 1);
    }
  }

  #reserve(length: number): void {
    const needed = this.#at + length;
    if (needed <= this.#bytes.length) return;
    if (needed > MAX_BYTES) throw tooLarge();
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

function tooLarge(): KeelsonError {
  return new KeelsonError(
    "INVALID_PAYLOAD",
    `The payload takes more than ${MAX_BYTES} bytes on its way to the guest`,
    {
      hint: "send less at once",
      details: { maxBytes: MAX_BYTES },
    },
  );
}

function requirePlain(value: object): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  // So has Object.prototype, this realm's and any other's.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return;
  throw unsendable(
    `an instance of ${(value.constructor as { name?: string } | undefined)?.name ?? "a class"}`,
  );
}

function unsendable(what: string): KeelsonError {
  return new KeelsonError("INVALID_PAYLOAD", `${what} cannot leave this thread`, {
    hint: "send plain data and bytes",
  });
}

/** What {@link Reader} throws for bytes that no {@link Writer} made. */
export class BrokenMessage extends Error {
  override readonly name: string = "BrokenMessage";
}

/** Takes apart what a {@link Writer} put together. The other side is not believed: whatever the bytes, it ends, and allocates no more than they hold. */
export class Reader {
  readonly #bytes: Bytes;
  readonly #view: DataView;
  #at: number;
  /** Values that may still come. */
  #left: number;

  /**
   * @param head bytes to pass over
   * @param maxValues values that it may hold, keys and what others hold included: a byte of a message can become a hundred of an object
   */
  constructor(bytes: Bytes, head = 0, maxValues: number = Infinity) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = head;
    this.#left = maxValues;
  }

  byte(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  word(): number {
    return this.#view.getUint32(this.#take(4));
  }

  float(): number {
    return this.#view.getFloat64(this.#take(8));
  }

  text(): string {
    const length = this.word();
    const from = this.#take(length);
    try {
      return decoder.decode(this.#bytes.subarray(from, from + length));
    } catch {
      throw new BrokenMessage("a text is not UTF-8");
    }
  }

  /** A copy. */
  bytes(): Bytes {
    const length = this.word();
    const from = this.#take(length);
    return this.#bytes.slice(from, from + length);
  }

  value(depth = 0): Value {
    if (this.#left-- <= 0) throw new BrokenMessage("a message holds too many values");
    const tag = this.byte();
    switch (tag) {
      case UNDEFINED:
        return undefined;
      case NULL:
        return null;
      case FALSE:
        return false;
      case TRUE:
        return true;
      case INTEGER:
        return this.word() | 0;
      case FLOAT:
        return this.float();
      case TEXT:
        return this.text();
      case UNITS:
        return this.#units();
      case BIGINT:
        return this.#bigint();
      case BYTES:
        return this.bytes();
      default:
        return this.#nested(tag, depth);
    }
  }

  #nested(tag: number, depth: number): Value {
    if (depth >= MAX_JSON_DEPTH) throw new BrokenMessage("a value is nested too deep");
    if (tag === ARRAY) {
      const array: Value[] = [];
      for (let left = this.word(); left > 0; left--) array.push(this.value(depth + 1));
      return array;
    }
    if (tag !== OBJECT) throw new BrokenMessage(`there is no kind ${tag} of value`);
    const object: Record<string, Value> = {};
    for (let left = this.word(); left > 0; left--) {
      const key = this.value(MAX_JSON_DEPTH);
      if (typeof key !== "string") throw new BrokenMessage("a key is no text");
      put(object, key, this.value(depth + 1));
    }
    return object;
  }

  #units(): string {
    const pieces: string[] = [];
    for (let left = this.word(); left > 0;) {
      const units = new Array<number>(Math.min(left, UNITS_AT_ONCE));
      for (let at = 0; at < units.length; at++) units[at] = this.#view.getUint16(this.#take(2));
      pieces.push(String.fromCharCode(...units));
      left -= units.length;
    }
    return pieces.join("");
  }

  #bigint(): bigint {
    const text = this.text();
    if (!isBigintText(text)) throw new BrokenMessage("a bigint is no number");
    return BigInt(text);
  }

  #take(length: number): number {
    const from = this.#at;
    if (from + length > this.#bytes.length) throw new BrokenMessage("a message ends too early");
    this.#at = from + length;
    return from;
  }
}

/** A property of its own even when it is called `__proto__`, which an assignment would take for the prototype. */
function put(object: Record<string, Value>, key: string, value: Value): void {
  if (key === "__proto__") {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  } else object[key] = value;
}
