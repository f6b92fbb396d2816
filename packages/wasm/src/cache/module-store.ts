import type { Bytes, Files, FileStat } from "@keelson/core";
import { sha256, toHex } from "./digest.ts";
import { decodeEntry, encodeEntry, type StoredModule } from "./entry.ts";

/** What a store on disk did so far. */
export interface StoreCounts {
  /** Modules that were found. */
  readonly hits: number;
  /** Modules that were not there. */
  readonly misses: number;
  /** Files that were there and could not be trusted: cut off, changed, or made by somebody else. They are written anew. */
  readonly ignored: number;
  readonly written: number;
  readonly evicted: number;
  /** Reads and writes that failed; the module was made again, or not kept. */
  readonly failed: number;
}

const SUFFIX = ".keelson-module";
/** What is left after an eviction, as a share of the bound: so that not every write evicts. */
const KEEP = 0.9;

/**
 * Modules in a folder, made once for all programs that use it. Files are written whole or not at all and never changed, so that
 * several processes may share a folder. Nothing in it is needed: whatever fails, the module is made again.
 */
export class ModuleStore {
  readonly #folder: string | URL;
  readonly #maxBytes: number;
  readonly #counts = { hits: 0, misses: 0, ignored: 0, written: 0, evicted: 0, failed: 0 };

  constructor(folder: string | URL, maxBytes: number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  get counts(): StoreCounts {
    return { ...this.#counts };
  }

  /** What was kept under `key`, or undefined; never fails. */
  async get(key: string, files: Files): Promise<StoredModule | undefined> {
    try {
      const file = await this.#fileOf(key, files);
      if ((await files.stat(file)) === undefined) {
        this.#counts.misses++;
        return undefined;
      }
      const found = await decodeEntry(key, await files.read(file)).catch(() => undefined);
      this.#counts[found === undefined ? "ignored" : "hits"]++;
      return found;
    } catch {
      this.#counts.failed++;
      return undefined;
    }
  }

  /** Keeps a module, and lets go of the oldest when there is too much; never fails. */
  async put(key: string, module: StoredModule, files: Files): Promise<void> {
    try {
      const entry = await encodeEntry(key, module);
      if (entry.length > this.#maxBytes) return;
      await files.write(await this.#fileOf(key, files), entry);
      this.#counts.written++;
      await this.#evict(files);
    } catch {
      this.#counts.failed++;
    }
  }

  async #fileOf(key: string, files: Files): Promise<URL> {
    const name = toHex(await sha256(new TextEncoder().encode(key) as Bytes));
    return new URL(`${name}${SUFFIX}`, this.#folderUrl(files));
  }

  #folderUrl(files: Files): URL {
    const url = this.#folder instanceof URL ? this.#folder : files.resolve(this.#folder);
    return url.pathname.endsWith("/") ? url : new URL(`${url.href}/`);
  }

  /** Removes the files written first, until what is left fits. Another process may do the same: what is gone is gone. */
  async #evict(files: Files): Promise<void> {
    const folder = this.#folderUrl(files);
    const kept: { readonly file: URL; readonly stat: FileStat }[] = [];
    let bytes = 0;
    for (const name of await files.list(folder)) {
      if (!name.endsWith(SUFFIX)) continue;
      const file = new URL(name, folder);
      const stat = await files.stat(file);
      if (stat === undefined) continue;
      kept.push({ file, stat });
      bytes += stat.bytes;
    }
    if (bytes <= this.#maxBytes) return;
    kept.sort((one, other) => one.stat.modified - other.stat.modified);
    for (const { file, stat } of kept) {
      if (bytes <= this.#maxBytes * KEEP) break;
      await files.remove(file);
      this.#counts.evicted++;
      bytes -= stat.bytes;
    }
  }
}
