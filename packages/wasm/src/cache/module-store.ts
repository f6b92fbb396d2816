import { isKeelsonError, type Bytes, type Clock, type Files, type FileStat } from "@keelson/core";
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
  /** Reads and writes that failed or took too long; the module was made again, or not kept. */
  readonly failed: number;
}

const SUFFIX = ".keelson-module";
/** What is left after an eviction, as a share of the bound: so that not every write evicts. */
const KEEP = 0.9;
/** How long a file system may take over one module, ms: to make it again seldom takes half as long. */
const PATIENCE_MS = 2000;
/** Age at which a file that is written aside is no more than what a program that died has left, ms. */
const ABANDONED_MS = 600_000;

/** Where the folder is, and the clock that its answers are waited for by. */
export interface StorePlatform {
  readonly files: Files;
  readonly clock: Clock;
}

/**
 * Modules in a folder, made once for all programs that use it. Files are written whole or not at all and never changed, so that
 * several processes may share a folder. Nothing in it is needed: whatever fails, or does not answer within two seconds, the module is
 * made again. While a question is without an answer no other is put.
 */
export class ModuleStore {
  readonly #folder: string | URL;
  readonly #maxBytes: number;
  /** Questions that were given up and may still be answered. */
  #unanswered = 0;
  readonly #counts = { hits: 0, misses: 0, ignored: 0, written: 0, evicted: 0, failed: 0 };

  constructor(folder: string | URL, maxBytes: number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  get counts(): StoreCounts {
    return { ...this.#counts };
  }

  /** What was kept under `key`, or undefined; never fails. */
  async get(key: string, platform: StorePlatform): Promise<StoredModule | undefined> {
    try {
      const file = await this.#within(platform, (files) => this.#read(key, files));
      if (file === undefined) {
        this.#counts.misses++;
        return undefined;
      }
      const found = await decodeEntry(key, file).catch(() => undefined);
      this.#counts[found === undefined ? "ignored" : "hits"]++;
      return found;
    } catch {
      this.#counts.failed++;
      return undefined;
    }
  }

  /** Keeps a module, and lets go of the oldest when there is too much; never fails. */
  async put(key: string, module: StoredModule, platform: StorePlatform): Promise<void> {
    try {
      const entry = await encodeEntry(key, module);
      if (entry.length > this.#maxBytes) return;
      await this.#within(platform, async (files) => files.write(await this.#fileOf(key, files), entry));
      this.#counts.written++;
      await this.#within(platform, (files) => this.#evict(files, platform.clock.wall()));
    } catch {
      this.#counts.failed++;
    }
  }

  async #read(key: string, files: Files): Promise<Bytes | undefined> {
    const file = await this.#fileOf(key, files);
    try {
      return (await files.stat(file)) === undefined ? undefined : await files.read(file);
    } catch (error) {
      // Another process may have let go of it in between.
      if (isKeelsonError(error, "NOT_FOUND")) return undefined;
      throw error;
    }
  }

  /** The answer of the file system, if it comes in time; it cannot be made to give up what it does not answer. */
  async #within<T>({ files, clock }: StorePlatform, ask: (files: Files) => Promise<T>): Promise<T> {
    if (this.#unanswered > 0) throw new Error("the file system does not answer");
    const late = Promise.withResolvers<never>();
    const answer = ask(files);
    const timer = clock.after(PATIENCE_MS, () => {
      this.#unanswered++;
      const answered = (): void => void this.#unanswered--;
      answer.then(answered, answered);
      late.reject(new Error("the file system took too long"));
    });
    try {
      return await Promise.race([answer, late.promise]);
    } finally {
      timer[Symbol.dispose]();
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

  /**
   * Removes the files written first, until what is left fits, and those that were begun long ago and never got their name. Another process may do
   * the same: what is gone is gone.
   */
  async #evict(files: Files, now: number): Promise<void> {
    const folder = this.#folderUrl(files);
    const kept: { readonly file: URL; readonly stat: FileStat }[] = [];
    let bytes = 0;
    for (const name of await files.list(folder)) {
      if (!name.includes(SUFFIX)) continue;
      const file = new URL(name, folder);
      const stat = await files.stat(file);
      if (stat === undefined) continue;
      if (!name.endsWith(SUFFIX)) {
        if (now - stat.modified > ABANDONED_MS) await files.remove(file);
        continue;
      }
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
