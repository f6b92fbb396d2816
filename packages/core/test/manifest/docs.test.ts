import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { knownKeys } from "../../src/manifest/schema.ts";

const page = readFileSync(new URL("../../../../docs/manifest.md", import.meta.url), "utf8");

test("docs/manifest.md names every key that a manifest may have, and no row for another", () => {
  const rows = [...page.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] as string);
  const known = new Set([...knownKeys.values()].flat());
  expect(rows.filter((key) => !known.has(key))).toEqual([]);
  const missing = [...known].filter((key) => !page.includes(`\`${key}\``) && !page.includes(`"${key}"`));
  expect(missing).toEqual([]);
});
