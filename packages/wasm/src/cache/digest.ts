import { KeelsonError, type Bytes } from "@keelson/core";

import { invalidOptions } from "@keelson/core/plain";
// All supported runtimes have WebCrypto; only the one function used here is declared.
declare const crypto: {
  readonly subtle: { digest(algorithm: "SHA-256", bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> };
};

/** The SHA-256 of `bytes`. */
export async function sha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** Lower-case hexadecimal. */
export function toHex(bytes: Bytes): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const word = ((bytes[at] as number) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += `${ALPHABET[word >> 18]}${ALPHABET[(word >> 12) & 63]}`;
    text += left > 1 ? ALPHABET[(word >> 6) & 63] : "=";
    text += left > 2 ? ALPHABET[word & 63] : "=";
  }
  return text;
}

/**
 * Checks a module's bytes against its declared integrity.
 *
 * @param integrity `sha256-<base64>`
 * @throws KeelsonError `INVALID_WASM` when they differ, `INVALID_OPTIONS` for another form
 */
export async function verifyIntegrity(bytes: Bytes, integrity: string, origin: string): Promise<void> {
  if (!/^sha256-[A-Za-z0-9+/]{43}=$/.test(integrity)) {
    throw invalidOptions(
      `integrity ${JSON.stringify(integrity)} of ${origin} is not of a known form`,
      "write sha256- followed by the base64 of the file's SHA-256",
    );
  }
  const actual = `sha256-${toBase64(await sha256(bytes))}`;
  if (actual === integrity) return;
  throw new KeelsonError("INVALID_WASM", `${origin} is not the file that its integrity names`, {
    hint: `the file has ${actual}: if that is what you meant to ship, put it in the manifest`,
    details: { expected: integrity, actual },
  });
}
