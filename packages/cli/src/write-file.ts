import { randomUUID } from "node:crypto";
import { realpath, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { KeelsonError } from "@keelson/core";

/**
 * Writes a file whole or not at all: beside its place, then moved there. What was there is replaced.
 *
 * @throws KeelsonError `INVALID_OPTIONS` when `path` is `input`, `NOT_FOUND` when its folder is missing, `IO`
 */
export async function writeWhole(path: string, bytes: Uint8Array, input: string): Promise<void> {
  if (await isSame(path, input)) {
    throw new KeelsonError("INVALID_OPTIONS", `${path} is the input itself`, {
      hint: "give another name for the output",
    });
  }
  const beside = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  try {
    await writeFile(beside, bytes, { flag: "wx" });
    await rename(beside, path);
  } catch (cause) {
    await rm(beside, { force: true });
    const missing = (cause as { readonly code?: unknown }).code === "ENOENT";
    throw new KeelsonError(
      missing ? "NOT_FOUND" : "IO",
      missing ? `There is no folder ${dirname(path)}` : `${path} could not be written`,
      { hint: missing ? "make it first" : "look at the folder's permissions and its room", cause },
    );
  }
}

async function isSame(path: string, input: string): Promise<boolean> {
  try {
    return (await realpath(path)) === (await realpath(input));
  } catch {
    return false;
  }
}
