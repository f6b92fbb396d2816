import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { KeelsonError } from "@keelson/core";

/** A file that was named on the command line. */
export interface NamedFile {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Reads a file, or the `manifest.json` of a folder.
 *
 * @param what how a message names it: "manifest"
 * @param hint what to give instead
 * @throws KeelsonError `NOT_FOUND`, `IO`
 */
export async function readNamed(path: string, what: string, hint: string): Promise<NamedFile> {
  try {
    const file = (await stat(path)).isDirectory() ? join(path, "manifest.json") : path;
    return { path: file, bytes: new Uint8Array(await readFile(file)) };
  } catch (cause) {
    const missing = (cause as { readonly code?: unknown }).code === "ENOENT";
    throw new KeelsonError(
      missing ? "NOT_FOUND" : "IO",
      missing ? `There is no ${what} at ${path}` : `${path} could not be read`,
      { hint, cause },
    );
  }
}
