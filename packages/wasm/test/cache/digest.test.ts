import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { sha256, toBase64, toHex, verifyIntegrity } from "../../src/cache/digest.ts";
import { failure } from "../support/errors.ts";

const bytes = (length: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length }, (_, at) => (at * 151 + length * 13) % 256);

test("bytes are written in hexadecimal and in base64 as everywhere, whatever their number", () => {
  for (let length = 0; length <= 70; length++) {
    expect(toHex(bytes(length))).toBe(Buffer.from(bytes(length)).toString("hex"));
    expect(toBase64(bytes(length))).toBe(Buffer.from(bytes(length)).toString("base64"));
  }
});

test("a file is the one that its integrity names, or INVALID_WASM with what it is", async () => {
  const file = bytes(40);
  const digest = createHash("sha256").update(file).digest("base64");
  expect(toBase64(await sha256(file))).toBe(digest);
  await verifyIntegrity(file, `sha256-${digest}`, "a file");
  const error = await failure("INVALID_WASM", () => verifyIntegrity(bytes(41), `sha256-${digest}`, "a file"));
  expect(error.details?.["expected"]).toBe(`sha256-${digest}`);
  for (const form of [
    digest,
    `sha256-${digest}=`,
    `sha512-${digest}`,
    ` sha256-${digest}`,
    `sha256-${digest} `,
  ])
    await failure("INVALID_OPTIONS", () => verifyIntegrity(file, form, "a file"));
});
