import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { allChecks } from "../../packages/conformance/src/index.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(join(root, "docs/systems.md"), "utf8");
const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| ") && !/^\| (---|it has|Keelson adds)/.test(line));

test("every row of docs/systems.md names what shows it", () => {
  expect(rows.length).toBeGreaterThan(30);
  expect(rows.filter((row) => !/`(check|test):[^`]+`/.test(row))).toEqual([]);
});

test("every check it names is in the suite, and every check of the suite is named", () => {
  const named = new Set([...page.matchAll(/`check:([^`…]+)`/g)].map(([, id]) => id));
  const ids = allChecks.map(({ id }) => id);
  expect([...named].filter((id) => !ids.includes(id as string))).toEqual([]);
  expect(ids.filter((id) => !named.has(id))).toEqual([]);
});

test("every test it names exists", () => {
  const missing = [...page.matchAll(/`test:([^`#…]+)#([^`]*)`/g)].filter(([, file = "", title = ""]) => {
    const path = join(root, file);
    if (!existsSync(path)) return true;
    const source = readFileSync(path, "utf8");
    return title === "" ? !/\b(test|it)(\.each)?\(/.test(source) : !source.includes(title);
  });
  expect(missing.map(([reference]) => reference)).toEqual([]);
});
