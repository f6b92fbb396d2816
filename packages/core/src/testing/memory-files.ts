import { KeelsonError } from "../contract/errors.ts";
import type { Files, FileStat } from "../contract/platform.ts";
import type { Bytes } from "../contract/value.ts";

/** Files that live in memory, under `file:///`. */
export interface MemoryFiles extends Files {
  /** Puts a file in place; text is written as UTF-8. */
  put(path: string, content: string | Bytes): void;
}

/** Empty {@link MemoryFiles}; folders exist as long as a file is in them. */
export function createMemoryFiles(now: () => number = () => 0): MemoryFiles {
  const files = new Map<string, { bytes: Bytes; modified: number }>();
  const folder = (url: URL): string => (url.href.endsWith("/") ? url.href : `${url.href}/`);
  const isFolder = (url: URL): boolean => [...files.keys()].some((key) => key.startsWith(folder(url)));
  const missing = (url: URL): KeelsonError =>
    new KeelsonError("NOT_FOUND", `There is no ${url.pathname}`, { details: { path: url.pathname } });
  const resolve = (path: string): URL => new URL(path, "file:///");
  return {
    resolve,
    put(path, content) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      files.set(resolve(path).href, { bytes, modified: now() });
    },
    async read(file) {
      const found = files.get(file.href);
      if (found === undefined) throw missing(file);
      return found.bytes.slice();
    },
    async write(file, bytes) {
      files.set(file.href, { bytes: bytes.slice(), modified: now() });
    },
    async stat(file): Promise<FileStat | undefined> {
      const found = files.get(file.href);
      if (found !== undefined) return { kind: "file", bytes: found.bytes.length, modified: found.modified };
      return isFolder(file) ? { kind: "folder", bytes: 0, modified: 0 } : undefined;
    },
    async list(url) {
      if (!isFolder(url)) throw missing(url);
      const base = folder(url);
      const names = [...files.keys()]
        .filter((key) => key.startsWith(base))
        .map((key) => key.slice(base.length));
      return [...new Set(names.map((name) => name.split("/")[0] as string))].sort();
    },
    async remove(url) {
      const base = folder(url);
      for (const key of [...files.keys()]) if (key === url.href || key.startsWith(base)) files.delete(key);
    },
    async real(file) {
      if (!files.has(file.href) && !isFolder(file)) throw missing(file);
      return file;
    },
  };
}
