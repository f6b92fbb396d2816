import { realpathSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, sep } from "node:path";
import { KeptPages, type PageWish } from "./kept-pages.ts";

/** A folder whose Markdown files are pages; their paths begin with `prefix`, which is empty or ends in `/`. */
export interface Shelf {
  readonly prefix: string;
  readonly folder: string;
}

/** What a reader sees of a page in the list. */
export interface PageEntry {
  readonly path: string;
  readonly title: string;
}

/** By these the system says that a path leads to no file. */
const NO_FILE: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "EISDIR", "ENAMETOOLONG", "ELOOP"]);
const NOT_READ: ReadonlySet<string> = new Set(["node_modules", "dist"]);

/** Finds and reads pages. The files are looked at each time: what was added or edited is there at the next look. */
export class Library {
  readonly #shelves: readonly Shelf[];
  readonly #pages = new KeptPages();

  constructor(shelves: readonly Shelf[]) {
    this.#shelves = shelves;
  }

  /** All pages, those at the top of a shelf first, then by path. */
  async list(): Promise<readonly PageEntry[]> {
    const pages: PageEntry[] = [];
    for (const { prefix, folder } of this.#shelves) {
      for (const path of await markdownFiles(folder, "")) {
        const wish = await this.#pages.read(join(folder, path)).catch(() => undefined);
        if (wish?.kind === "page") pages.push({ path: prefix + path, title: titleOf(wish.markdown) ?? path });
      }
    }
    return pages;
  }

  /** One page by its path, such as `docs/hooks.md`. */
  async read(path: string): Promise<PageWish> {
    const reason = faultIn(path);
    if (reason !== undefined) return { kind: "refused", reason };
    for (const { prefix, folder } of this.#shelves) {
      if (!path.startsWith(prefix)) continue;
      const found = await this.#readInside(folder, path.slice(prefix.length));
      if (found.kind !== "missing") return found;
    }
    return { kind: "missing" };
  }

  async #readInside(folder: string, path: string): Promise<PageWish> {
    try {
      // A symbolic link may lead anywhere: what counts is where the file really lies.
      const root = realpathSync.native(folder);
      const file = realpathSync.native(join(folder, path));
      if (!file.startsWith(root.endsWith(sep) ? root : root + sep)) {
        return { kind: "refused", reason: "a path stays inside its folder" };
      }
      return await this.#pages.read(file);
    } catch (error) {
      const { code } = error as { readonly code?: string };
      if (code !== undefined && NO_FILE.has(code)) return { kind: "missing" };
      throw error;
    }
  }
}

async function markdownFiles(folder: string, inside: string): Promise<string[]> {
  const entries = await readdir(join(folder, inside), { withFileTypes: true }).catch(() => []);
  const files: string[] = [];
  const folders: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith(".") || NOT_READ.has(entry.name)) continue;
    if (entry.isDirectory()) folders.push(`${inside}${entry.name}/`);
    else if (entry.isFile() && entry.name.endsWith(".md")) files.push(inside + entry.name);
  }
  for (const name of folders.sort()) files.push(...(await markdownFiles(folder, name)));
  if (inside !== "") return files.sort();
  // At the top, what a reader begins with: the README, the other files, the documentation.
  const order = (path: string): number => {
    if (path === "README.md") return 0;
    if (!path.includes("/")) return 1;
    return path.startsWith("docs/") ? 2 : 3;
  };
  return files.sort((a, b) => order(a) - order(b) || (a < b ? -1 : 1));
}

function titleOf(markdown: string): string | undefined {
  return /^#\s+(.+?)\s*#*$/m.exec(markdown)?.[1]?.replaceAll("`", "");
}

/** What is wrong with a path, if anything. It is checked decoded, as the file system would take it. */
function faultIn(path: string): string | undefined {
  if (path.includes("\0") || path.includes("\\")) return "a path has no NUL and no backslash";
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..")) {
    return "a path stays inside its folder";
  }
  if (parts.some((part) => part.startsWith(".") || NOT_READ.has(part))) return "this folder is not published";
  return path.endsWith(".md") ? undefined : "only Markdown files are published";
}
