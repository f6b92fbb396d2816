/** Bytes to base64 and back, by the engine where it can (Node 24 cannot). */

interface Base64Bytes extends Uint8Array {
  toBase64?(): string;
}

interface Base64Constructor {
  fromBase64?(text: string): Uint8Array<ArrayBuffer>;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALID = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Standard base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  const native = (bytes as Base64Bytes).toBase64;
  return typeof native === "function" ? native.call(bytes) : toBase64Plain(bytes);
}

/** The bytes, or undefined when `text` is not base64 with its padding. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!VALID.test(text)) return undefined;
  const native = (Uint8Array as unknown as Base64Constructor).fromBase64;
  return typeof native === "function" ? native.call(Uint8Array, text) : fromBase64Plain(text);
}

/** {@link toBase64} without the engine's help. */
export function toBase64Plain(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let index = 0; index < bytes.length; index += 3) {
    const [first = 0, second, third] = bytes.subarray(index);
    const bits = (first << 16) | ((second ?? 0) << 8) | (third ?? 0);
    const letter = (shift: number): string => ALPHABET.charAt((bits >> shift) & 63);
    parts.push(
      letter(18) +
        letter(12) +
        (second === undefined ? "=" : letter(6)) +
        (third === undefined ? "=" : letter(0)),
    );
  }
  return parts.join("");
}

/** {@link fromBase64} without the engine's help; `text` is known to be valid. */
export function fromBase64Plain(text: string): Uint8Array<ArrayBuffer> {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let at = 0;
  for (let index = 0; index < text.length; index += 4) {
    let bits = 0;
    for (let letter = index; letter < index + 4; letter++) {
      bits = (bits << 6) | Math.max(0, ALPHABET.indexOf(text.charAt(letter)));
    }
    // What padding stands for falls behind the end, where nothing is written.
    for (let shift = 16; shift >= 0; shift -= 8) bytes[at++] = bits >> shift;
  }
  return bytes;
}
