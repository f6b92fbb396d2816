import { KeelsonError, type Bytes, type Files, type Platform } from "@keelson/core";
import { invalidOptions, isObject, shown } from "@keelson/core/plain";
import { tooLarge } from "../meter/read/reader.ts";
import type { BinarySource } from "./options.ts";

/** Bytes of a module, with the name that messages give them. */
export interface SourceBytes {
  readonly bytes: Bytes;
  readonly origin: string;
}

/**
 * Reads a module through the platform's files.
 *
 * @param within folder that the file must lie in once symbolic links are resolved, with a `/` at the end
 * @param id the module's, for messages about bytes
 * @param maxBytes a larger file is not read
 * @throws KeelsonError `NOT_FOUND`, `PERMISSION_DENIED`, `IO`, `UNSUPPORTED`, `WASM_TOO_LARGE`, or `INVALID_MANIFEST` when it lies elsewhere
 */
export async function readSource(
  source: BinarySource,
  platform: Platform,
  within: URL | undefined,
  id: string,
  maxBytes: number = Infinity,
): Promise<SourceBytes> {
  if (source instanceof Uint8Array) return { bytes: source, origin: `the binary of ${id}` };
  return readFile(source, platform, within, maxBytes);
}

/** A file that was read. */
export interface FileBytes extends SourceBytes {
  readonly url: URL;
}

/** Reads a file by path or URL, as {@link readSource} does. */
export async function readFile(
  source: string | URL,
  platform: Platform,
  within?: URL,
  maxBytes: number = Infinity,
): Promise<FileBytes> {
  const files = requireFiles(platform);
  return readUrl(urlOf(source, files), files, within, maxBytes);
}

/** Reads a manifest: a file, or the `manifest.json` of a folder, as `kernel.load` takes them. */
export async function readManifestFile(source: string | URL, platform: Platform): Promise<FileBytes> {
  const files = requireFiles(platform);
  const url = urlOf(source, files);
  const isFolder = (await files.stat(url))?.kind === "folder";
  const file = isFolder ? new URL("manifest.json", `${url.href.replace(/\/$/, "")}/`) : url;
  if (((await files.stat(file))?.bytes ?? 0) > MAX_MANIFEST_BYTES) {
    throw new KeelsonError(
      "INVALID_MANIFEST",
      `${decodeURIComponent(file.pathname)} is larger than ${MAX_MANIFEST_BYTES} bytes`,
      { hint: "give the plugin's manifest.json" },
    );
  }
  return readUrl(file, files);
}

/** As parseManifest has it: more is not read. */
const MAX_MANIFEST_BYTES = 2 ** 20;

async function readUrl(
  url: URL,
  files: Files,
  within?: URL,
  maxBytes: number = Infinity,
): Promise<FileBytes> {
  if (within !== undefined) await requireInside(url, within, files);
  const origin = decodeURIComponent(url.pathname);
  await requireReadable(url, origin, files, maxBytes);
  return { bytes: await files.read(url), origin, url };
}

/** A pipe may never end, and a file of any size costs its writer nothing: neither is read to find that out. */
async function requireReadable(url: URL, origin: string, files: Files, maxBytes: number): Promise<void> {
  const found = await files.stat(url);
  if (found !== undefined && found.kind !== "file") {
    const folder = found.kind === "folder";
    throw new KeelsonError("IO", `${origin} is ${folder ? "a folder" : "a pipe, a device or a socket"}`, {
      hint: `name ${folder ? "the file in it" : "a file, or read it yourself and give the bytes as `source`"}`,
    });
  }
  if (found !== undefined && found.bytes > maxBytes) throw tooLarge("maxBytes", found.bytes, maxBytes);
}

/** The URL of a file, from what a host gave for it. */
function urlOf(source: string | URL, files: Files): URL {
  if (typeof source !== "string" && !(source instanceof URL)) {
    throw invalidOptions(`The file to read is ${shown(source)}`, "give a path or a file: URL");
  }
  const url = source instanceof URL ? source : resolve(source, files);
  if (url.protocol === "file:") return url;
  throw new KeelsonError("UNSUPPORTED", `${url.href} cannot be read: modules are read from files`, {
    hint: "fetch it yourself, check its integrity and give the bytes as `source`",
  });
}

function resolve(path: string, files: Files): URL {
  // A drive letter is no scheme.
  return /^[a-z][a-z0-9+.-]+:/i.test(path) && URL.canParse(path) ? new URL(path) : files.resolve(path);
}

async function requireInside(url: URL, within: URL, files: Files): Promise<void> {
  const [real, folder] = await Promise.all([files.real(url), files.real(within)]);
  const base = folder.pathname.endsWith("/") ? folder.pathname : `${folder.pathname}/`;
  if (real.pathname.startsWith(base)) return;
  throw new KeelsonError("INVALID_MANIFEST", `The entry ${url.pathname} lies outside the plugin's folder`, {
    hint: "put the code beside or below the manifest; symbolic links may not lead out",
  });
}

function requireFiles(platform: Platform): Files {
  if (!isObject(platform?.reasons)) {
    throw invalidOptions(
      `The platform to read with is ${shown(platform)}`,
      "give kernel.platform, or what platform() of the runtime's adapter makes",
    );
  }
  if (platform.files !== undefined) return platform.files;
  throw new KeelsonError("UNSUPPORTED", `The platform ${platform.name} has no files to read a module from`, {
    hint: platform.reasons["files"] ?? "give the bytes or a compiled module as `source`",
  });
}
