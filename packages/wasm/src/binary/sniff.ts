import { KeelsonError, type Bytes } from "@keelson/core";

import { invalidOptions, shown } from "@keelson/core/plain";
/** What the first eight bytes of a file say. */
type Header = "module" | "component" | "other";

const MAGIC = [0x00, 0x61, 0x73, 0x6d];

function headerOf(bytes: Bytes): Header {
  if (bytes.length < 8 || MAGIC.some((byte, at) => bytes[at] !== byte)) return "other";
  const version = (bytes[4] as number) | ((bytes[5] as number) << 8);
  const layer = (bytes[6] as number) | ((bytes[7] as number) << 8);
  if (version === 1 && layer === 0) return "module";
  return layer === 1 ? "component" : "other";
}

/** @throws KeelsonError `INVALID_OPTIONS` for what is no bytes at all */
export function requireBytes(bytes: unknown, origin: string): asserts bytes is Bytes {
  if (bytes instanceof Uint8Array) return;
  const what = typeof origin === "string" ? origin : "what was given";
  throw invalidOptions(
    `${what} is ${shown(bytes)}, and no bytes`,
    "give a Uint8Array; an ArrayBuffer becomes one by new Uint8Array(buffer)",
  );
}

/**
 * Refuses bytes that cannot be a core WebAssembly module, and says what they look like instead.
 *
 * @param origin how messages name the bytes: a path, a URL or "the given bytes"
 * @throws KeelsonError `INVALID_WASM`, or `UNSUPPORTED_WASM` for a component
 */
export function requireCoreModule(bytes: Bytes, origin: string): void {
  const header = headerOf(bytes);
  if (header === "module") return;
  if (header === "component") {
    throw new KeelsonError("UNSUPPORTED_WASM", `${origin} is a WebAssembly component, not a core module`, {
      hint: "the wasm kind runs core modules; components need a loader of their own",
      details: { looksLike: "component" },
    });
  }
  const { looksLike, text, hint } = describe(bytes);
  throw new KeelsonError("INVALID_WASM", `${origin} is not a WebAssembly module: ${text}`, {
    hint,
    details: { looksLike, bytes: bytes.length },
  });
}

interface Guess {
  readonly looksLike: string;
  readonly text: string;
  readonly hint: string;
}

function guess(looksLike: string, text: string, hint: string): Guess {
  return { looksLike, text, hint };
}

function describe(bytes: Bytes): Guess {
  const rebuild = "build the module again, or name the .wasm file that the build wrote";
  if (bytes.length === 0) return guess("empty", "it is empty", rebuild);
  const isMagic = MAGIC.every((byte, at) => at >= bytes.length || bytes[at] === byte);
  if (isMagic && bytes.length < 8) {
    return guess(
      "truncated",
      `it ends after ${bytes.length} of 8 header bytes`,
      "the file was cut short; copy it again",
    );
  }
  if (isMagic) {
    const version = [...bytes.subarray(4, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    return guess(
      "version",
      `its version is ${version}, not 01 00 00 00`,
      "no engine knows this version of the format",
    );
  }
  const [a, b] = bytes;
  if (a === 0x1f && b === 0x8b) return guess("gzip", "it is compressed with gzip", "unpack it first");
  if (a === 0x50 && b === 0x4b)
    return guess("zip", "it is a zip archive", "unpack it and name the .wasm file inside");
  if (a === 0x7f && b === 0x45)
    return guess("elf", "it is a native program (ELF)", "build for a wasm32 target");
  return (
    describeText(bytes) ?? guess("unknown", `it begins with ${hex(bytes)} instead of 00 61 73 6d`, rebuild)
  );
}

function describeText(bytes: Bytes): Guess | undefined {
  const head = new TextDecoder()
    .decode(bytes.subarray(0, 512))
    .replace(/^\uFEFF/, "")
    .trimStart();
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000E-\u001F\uFFFD]/.test(head.slice(0, 200))) return undefined;
  if (/^(<!doctype|<html|<\?xml|<head|<body)/i.test(head)) {
    return guess(
      "html",
      "it is an HTML or XML page",
      "a download probably answered with an error page; look into the file",
    );
  }
  if (head.startsWith("version https://git-lfs")) {
    return guess("git-lfs", "it is a Git LFS pointer", "fetch the real file with `git lfs pull`");
  }
  if (/^(\(module|\(component|;;|\(;)/.test(head)) {
    return guess(
      "wat",
      "it is WebAssembly in text form (wat)",
      "assemble it first, for example with wat2wasm",
    );
  }
  if (/^[[{]/.test(head))
    return guess("json", "it is JSON", "a manifest is given as `manifest`, not as the module itself");
  return guess(
    "text",
    `it is text beginning with ${JSON.stringify(head.slice(0, 24))}`,
    "name the .wasm file instead",
  );
}

function hex(bytes: Bytes): string {
  return [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
