/**
 * What every package does around its packing: `prepack` writes its README as a reader of the tarball needs it, and the documentation beside that of
 * `keelson`; `postpack` puts back what was there.
 *
 *     node ../../tools/pack.ts before | after
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { root } from "./command.ts";
import { packedText } from "./packed-text.ts";

/** The package that carries the documentation. */
const CARRIER = "cli";
/** Pages about the project itself, not about its use. */
const LEFT_OUT: ReadonlySet<string> = new Set(["systems.md", "benchmarks.md"]);
const KEPT = ".README.kept.md";

const folder = process.cwd();
const name = basename(folder);
const readme = join(folder, "README.md");
const docs = join(folder, "docs");

function place(file: string): string | undefined {
  if (name !== CARRIER) return undefined;
  if (file === "README.md") return "docs/README.md";
  return file.startsWith("docs/") && file.endsWith(".md") && !LEFT_OUT.has(basename(file)) ? file : undefined;
}

function packed(file: string): string {
  return packedText(readFileSync(file, "utf8"), "README.md", { page: `packages/${name}/README.md`, place });
}

function before(): void {
  // What an interrupted packing left is put back first.
  const left = join(folder, KEPT);
  if (existsSync(left) && existsSync(readme) && packed(left) !== readFileSync(readme, "utf8")) {
    throw new Error(
      `${readme} was changed after a packing that was interrupted, which kept what it was as ${KEPT}: remove one of the two`,
    );
  }
  after();
  renameSync(readme, join(folder, KEPT));
  writeFileSync(readme, packed(join(folder, KEPT)));
  if (name !== CARRIER) return;
  mkdirSync(docs);
  for (const file of readdirSync(join(root, "docs"))) {
    const page = `docs/${file}`;
    if (place(page) === undefined) continue;
    writeFileSync(
      join(docs, file),
      packedText(readFileSync(join(root, page), "utf8"), page, { page, place }),
    );
  }
}

function after(): void {
  const kept = join(folder, KEPT);
  if (existsSync(kept)) renameSync(kept, readme);
  if (name === CARRIER) rmSync(docs, { recursive: true, force: true });
}

const [when] = process.argv.slice(2);
if (when === "before") before();
else if (when === "after") after();
else throw new RangeError("say before or after; `pnpm pack` in the folder of a package says both");
