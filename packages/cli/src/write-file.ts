import { randomUUID } from "node:crypto";
import { realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { KeelsonError } from "@keelson/core";

/**
 * Writes a file whole or not at all: beside its place, then moved there. A file that was there is replaced, behind a symbolic link too; what is no
 * file, such as a device or a pipe, is written to as it is.
 *
 * @throws KeelsonError `INVALID_OPTIONS` when `path` is `input`, `NOT_FOUND` when its folder is missing, `IO`
 */
export async function writeWhole(path: string, bytes: Uint8Array, input: string): Promise<void> {
  if (await isSame(path, input)) {
    throw new KeelsonError("INVALID_OPTIONS", `${path} is the input itself`, {
      hint: "give another name for the output",
    });
  }
  const place = await realpath(path).catch(() => path);
  const beside = join(dirname(place), `.${basename(place)}.${randomUUID()}`);
  try {
    if (await isNoFile(place)) await writeFile(place, bytes);
    else {
      await writeFile(beside, bytes, { flag: "wx" });
      await rename(beside, place);
    }
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

/** Whether there is something that moving a file there would destroy. */
async function isNoFile(path: string): Promise<boolean> {
  const there = await stat(path).catch(() => undefined);
  return there?.isFile() === false;
}

async function isSame(path: string, input: string): Promise<boolean> {
  try {
    return (await realpath(path)) === (await realpath(input));
  } catch {
    return false;
  }
}
