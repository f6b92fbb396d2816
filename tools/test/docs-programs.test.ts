import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const docs = fileURLToPath(new URL("../../docs/", import.meta.url));
const read = (page: string): string => readFileSync(join(docs, page), "utf8");

/** Blocks of program text that are neither run nor written beside one that is, by page. */
function notExecuted(): Record<string, number> {
  const found: Record<string, number> = {};
  for (const page of readdirSync(docs).filter((name) => name.endsWith(".md"))) {
    const blocks = read(page).match(/^```(?:ts|js|py|c|rs)(?: file=keelson\.config\.ts)?[^\S\n]*$/gm);
    if (blocks !== null) found[page] = blocks.length;
  }
  return found;
}

test("docs/README.md names each page with programs that are not executed, and no other", () => {
  // A configuration is written beside the programs of its page, which do not run it.
  expect(notExecuted()).toEqual({
    "command-line.md": 1,
    "conformance.md": 2,
    "getting-started.md": 1,
    "migrating.md": 4,
    "plugins.md": 2,
    "processes.md": 1,
    "wasm.md": 1,
  });
  const [, told = ""] = /These are not executed:([\s\S]*?)\n\n/.exec(read("README.md")) ?? [];
  const named = [...told.matchAll(/\]\(([^)#]+)/g)].map(([, page]) => page);
  expect(named.toSorted()).toEqual(Object.keys(notExecuted()).toSorted());
});
