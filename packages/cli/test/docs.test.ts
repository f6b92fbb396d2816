import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { errorCodes } from "@keelson/core";
import { platform } from "keelson";
import { expect, test } from "vitest";
import { COMMANDS } from "../src/main.ts";

const PAGE = new URL("../../../docs/errors.md", import.meta.url);
const BETWEEN = /(?<=<!-- codes -->\n\n)[\s\S]*(?=\n<!-- \/codes -->)/;

/** A Markdown table whose columns are as wide as their widest cell, as the formatter leaves it. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  const lines = rows.map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`,
  );
  lines.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  return `${lines.join("\n")}\n`;
}

test("docs/errors.md lists all codes as the code has them (KEELSON_UPDATE_DOCS=1 writes the table)", () => {
  const wanted = table([
    ["code", "meaning"],
    ...Object.entries(errorCodes).map(([code, meaning]) => [`\`${code}\``, meaning]),
  ]);
  const page = readFileSync(PAGE, "utf8");
  if (process.env["KEELSON_UPDATE_DOCS"] === "1")
    writeFileSync(
      PAGE,
      page.replace(BETWEEN, () => wanted),
    );
  expect(BETWEEN.exec(readFileSync(PAGE, "utf8"))?.[0]).toBe(wanted);
});

test("docs/command-line.md names every command and every option, as their help does", async () => {
  const page = readFileSync(new URL("../../../docs/command-line.md", import.meta.url), "utf8");
  for (const [name, load] of Object.entries(COMMANDS)) {
    const { args } = await load();
    const [, section = ""] = page.split(`## keelson ${name}\n`);
    const [text = ""] = section.split("\n## ");
    const options = Object.entries(args).filter(([, { type }]) => type !== "positional");
    const missing = options.map(([option]) => `\`--${option}\``).filter((option) => !text.includes(option));
    expect([name, ...missing]).toEqual([name]);
  }
});

test("README.md says of every feature in platform.supports what it means", () => {
  const page = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const [, section = ""] = page.split("## The runtimes\n");
  const [text = ""] = section.split("\n## ");
  const rows = [...text.matchAll(/^\| `(\w+)` *\| (?:yes|no)/gm)].map(([, feature]) => feature);
  expect(rows.sort()).toEqual(Object.keys(platform().supports).sort());
});
