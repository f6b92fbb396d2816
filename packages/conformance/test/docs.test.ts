import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { expect, test } from "vitest";
import { allChecks, promises } from "../src/index.ts";

const file = new URL("../../../docs/conformance.md", import.meta.url);
const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("*", "\\*");

/** What stands between the marks of each name. */
const parts: Readonly<Record<string, () => string>> = {
  promises: () =>
    promises
      .map(({ number, text, checks, open, reason }) => {
        const shown = reason ?? checks.map((id) => `\`${id}\``).join(", ");
        return `${number}. ${text}\n   Checks: ${shown}.${open === undefined ? "" : ` Still open: ${open}.`}`;
      })
      .join("\n"),
  checks: () => {
    const rows = allChecks.map(
      ({ id, title, requires = [] }) => `| \`${id}\` | ${cell(title)} | ${requires.join(", ")} |`,
    );
    return [
      `${allChecks.length} checks. The last column names what a platform must support.`,
      "",
      "| check | promise | needs |",
      "| --- | --- | --- |",
      ...rows,
    ].join("\n");
  },
};

function written(page: string): string {
  return Object.entries(parts).reduce(
    (text, [name, part]) =>
      text.replace(
        new RegExp(`(<!-- ${name}: [^\n]*-->\n)[^]*?(<!-- /${name} -->)`),
        (_, open: string, close: string) => `${open}\n${part()}\n\n${close}`,
      ),
    page,
  );
}

/** The formatter sets tables its own way. */
const plain = (page: string): string => page.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---");

test("docs/conformance.md has the promises and checks of the code; KEELSON_UPDATE_PINS=1 writes them", () => {
  const page = readFileSync(file, "utf8");
  const expected = written(page);
  for (const { id } of allChecks) expect(plain(expected)).toContain(`| \`${id}\` |`);
  if (process.env["KEELSON_UPDATE_PINS"] === "1") writeFileSync(file, expected);
  else expect(plain(page)).toBe(plain(expected));
});

test("every promise's checks are in the suite", () => {
  const named = promises.flatMap(({ checks }) => checks);
  const ids = allChecks.map(({ id }) => id);
  expect(
    named.filter((part) => !ids.some((id) => id === part || (part.endsWith(".") && id.startsWith(part)))),
  ).toEqual([]);
  expect(promises.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6]);
});
