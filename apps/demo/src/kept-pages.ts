import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";

/** The answer to a wish for a page. Refused is a path that is none of a page's, or leads out of its shelf. */
export type PageWish =
  | { readonly kind: "page"; readonly markdown: string }
  | { readonly kind: "missing" }
  | { readonly kind: "refused"; readonly reason: string };

interface Kept {
  readonly markdown: string;
  readonly version: string;
}

/** No page is larger: a file of any size costs its writer nothing, and its readers their memory. */
const MAX_PAGE_BYTES = 4 * 2 ** 20;
/** Of all pages that are kept, bytes. */
const MAX_KEPT_BYTES = 16 * 2 ** 20;
/** A file that was written less than this ago, ms, may be written again with nothing to tell it by. */
const SETTLED_MS = 1000;

/**
 * Reads pages, and keeps them until their files change: a look takes microseconds, while each of a reading's
 * four steps goes to another thread, and comes back to wait for whoever has this one.
 */
export class KeptPages {
  readonly #kept = new Map<string, Kept>();
  readonly #wall: () => number;
  #bytes = 0;

  /** @param wall the time of day, ms; default: the machine's */
  constructor(wall: () => number = Date.now) {
    this.#wall = wall;
  }

  /** A file's page as it is now. A pipe that nobody writes to would hold up its reader for ever, so only files are read. */
  async read(file: string): Promise<PageWish> {
    const found = statSync(file);
    if (!found.isFile()) return { kind: "missing" };
    if (found.size > MAX_PAGE_BYTES) return { kind: "refused", reason: "a page has up to 4 MiB" };
    const version = `${found.dev} ${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}`;
    const kept = this.#kept.get(file);
    if (kept?.version === version) return { kind: "page", markdown: kept.markdown };
    const markdown = await readFile(file, "utf8");
    const writtenAt = Math.max(found.mtimeMs, found.ctimeMs);
    if (this.#wall() - writtenAt > SETTLED_MS) this.#keep(file, { markdown, version });
    return { kind: "page", markdown };
  }

  #keep(file: string, page: Kept): void {
    const size = ({ markdown }: Kept): number => 2 * markdown.length;
    const before = this.#kept.get(file);
    this.#bytes += size(page) - (before === undefined ? 0 : size(before));
    this.#kept.set(file, page);
    // Those that are asked for come back by themselves.
    if (this.#bytes <= MAX_KEPT_BYTES) return;
    this.#kept.clear();
    this.#bytes = 0;
  }
}
