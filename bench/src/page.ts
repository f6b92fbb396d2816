import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readResult, type RuntimeResult } from "./results.ts";
import { linesOf, markdownTable } from "./tables.ts";

const PAGE = join(import.meta.dirname, "../../docs/benchmarks.md");
const MARK = "<!-- Everything below is written by `pnpm bench` from bench/results. -->";

/** Writes the tables of the last results into the documentation, behind the text written by hand. */
export function writePage(): void {
  const text = readFileSync(PAGE, "utf8");
  const [head = ""] = text.split(MARK);
  const results = ["node", "deno", "bun"].map(readResult).filter((result) => result !== undefined);
  writeFileSync(PAGE, `${head}${MARK}\n\n${results.map(section).join("\n")}`);
}

function section(result: RuntimeResult): string {
  const tables = Object.entries(result.groups).map(([name, { tasks, measured, machine, load, rounds }]) => {
    const when = `${machine}, ${measured.slice(0, 10)}, load ${load.toFixed(1)}, ${rounds} rounds`;
    return `### ${name}\n\n${when}.\n\n${markdownTable(tasks.flatMap(linesOf))}\n`;
  });
  const name = result.runtime.charAt(0).toUpperCase() + result.runtime.slice(1);
  return `## ${name} ${result.version}\n\n${tables.join("\n")}`;
}
