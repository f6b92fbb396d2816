import type { Bytes, FileStat, Files } from "@keelson/core";
import { KeelsonError } from "@keelson/core";
import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { fileError, isNotFound } from "./errors.ts";

/** Files of the machine over `node:fs`, which Node, Deno and Bun share. */
export function createFiles(): Files {
  return {
    resolve: (path) => pathToFileURL(path),
    read: (file) => attempt("read", file, (path) => readFile(path) as Promise<Bytes>).then(plain),
    write: (file, bytes) => attempt("write", file, (path) => writeWhole(path, bytes)),
    stat: (file) => attempt("look at", file, statOf),
    list: (folder) => attempt("list", folder, async (path) => (await readdir(path)).sort()),
    remove: (file) => attempt("remove", file, (path) => rm(path, { recursive: true, force: true })),
    real: (file) => attempt("resolve", file, async (path) => pathToFileURL(await realpath(path))),
  };
}

async function attempt<T>(doing: string, file: URL, run: (path: string) => Promise<T>): Promise<T> {
  const path = pathOf(file);
  try {
    return await run(path);
  } catch (error) {
    throw fileError(error, doing, path);
  }
}

function pathOf(file: URL): string {
  try {
    return fileURLToPath(file);
  } catch (cause) {
    const hint = "this platform reads file: URLs only; files.resolve(path) makes one of a path";
    throw new KeelsonError("IO", `${file?.href} is no file URL of this machine`, { hint, cause });
  }
}

/** Without Buffer's own slice(), which would share memory where Uint8Array copies. */
function plain(bytes: Bytes): Bytes {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

async function statOf(path: string): Promise<FileStat | undefined> {
  try {
    const found = await stat(path);
    const kind = found.isFile() ? "file" : found.isDirectory() ? "folder" : "other";
    return { kind, bytes: found.size, modified: found.mtimeMs };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Not by mkdir's own `recursive`: below /proc and its like Node goes on trying for ever, on a thread that nobody can stop. */
async function makeFolder(path: string): Promise<void> {
  const parent = dirname(path);
  try {
    await mkdir(path);
  } catch (error) {
    if (!isNotFound(error) || parent === path) return acceptFolder(path, error);
    await makeFolder(parent);
    // Another program may have made it meanwhile.
    await mkdir(path).catch((again: unknown) => acceptFolder(path, again));
  }
}

/** Throws why a folder could not be made, unless it is there; where it may not be looked at, what was said has to do. */
async function acceptFolder(path: string, error: unknown): Promise<void> {
  const exists = (error as { readonly code?: unknown }).code === "EEXIST";
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => exists,
  );
  if (!isFolder) throw error;
}

/** Aside in the same folder, to the disk, then renamed: a reader sees the old bytes or the new ones, never a part. */
async function writeWhole(path: string, bytes: Bytes): Promise<void> {
  await makeFolder(dirname(path));
  const aside = `${path}.${randomUUID()}.tmp`;
  try {
    // A file that is replaced keeps its mode.
    const mode = await stat(path).then(
      (found) => found.mode & 0o777,
      () => 0o666,
    );
    const handle = await open(aside, "wx", mode);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined);
    throw error;
  }
}
