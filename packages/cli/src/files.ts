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
    // What was named may well be a pipe; what lies in a plugin's folder is not the caller's choice.
    if (!(await stat(path)).isDirectory()) return { path, bytes: new Uint8Array(await readFile(path)) };
    const file = join(path, "manifest.json");
    return { path: file, bytes: await readWhole(file) };
  } catch (cause) {
    if (cause instanceof KeelsonError) throw cause;
    const missing = (cause as { readonly code?: unknown }).code === "ENOENT";
    throw new KeelsonError(
      missing ? "NOT_FOUND" : "IO",
      missing ? `There is no ${what} at ${path}` : `${path} could not be read`,
      { hint, cause },
    );
  }
}

/**
 * All bytes of a file. A pipe or a device, which may never end, is refused unread.
 *
 * @throws KeelsonError `IO`, and the system's own errors
 */
export async function readWhole(file: string | URL): Promise<Uint8Array<ArrayBuffer>> {
  if (!(await stat(file)).isFile()) {
    throw new KeelsonError("IO", `${file instanceof URL ? file.pathname : file} is not a file`, {
      hint: "copy what it gives into a file first",
    });
  }
  return new Uint8Array(await readFile(file));
}
