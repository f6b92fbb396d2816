/**
 * Measures Keelson beside its peers on Node, Deno and Bun, one after the other, prints the tables, and keeps them in
 * bench/results and docs/benchmarks.md.
 *
 *     pnpm bench [--runtime node|deno|bun]... [--only group]... [--rounds 41] [--dry] [--help]
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { sizeCheck } from "../../tools/checks/size.ts";
import { run, runOrThrow } from "../../tools/command.ts";
import { chooseRuntimes, type Runtime, versionOf } from "../../tools/runtimes.ts";
import { writePage } from "./page.ts";
import { type GroupResult, groupNames, machine, type RuntimeResult, writeResult } from "./results.ts";
import { allLines, plainTable } from "./tables.ts";

const { values } = parseArgs({
  options: {
    runtime: { type: "string", multiple: true },
    only: { type: "string", multiple: true },
    rounds: { type: "string", default: "41" },
    /** Prints and keeps nothing. */
    dry: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(`pnpm bench: Keelson beside its peers, on Node, Deno and Bun

  --runtime node|deno|bun   on this runtime alone; may be given more than once
  --only group              this group alone; may be given more than once:
                            ${groupNames.join(", ")}
  --rounds 41               rounds of each contender, of which the median counts
  --dry                     prints, and keeps nothing
  -h, --help                prints this

Results go to bench/results and docs/benchmarks.md.`);
  process.exit(0);
}
const chosen = chooseRuntimes(values.runtime);
const groups = values.only ?? groupNames;
for (const name of groups) {
  if (!groupNames.includes(name)) throw new RangeError(`--only takes ${groupNames.join(", ")}`);
}
if (!(Number(values.rounds) >= 1)) throw new RangeError("--rounds takes a number of 1 or more");

async function measureOn(runtime: Runtime): Promise<RuntimeResult> {
  const version = await versionOf(runtime);
  const folder = mkdtempSync(join(tmpdir(), "keelson-bench-"));
  const found: Record<string, GroupResult> = {};
  try {
    // A process for each group: what one leaves in the heap and in the compiler does not weigh on the next.
    for (const [at, group] of groups.entries()) {
      console.log(`${runtime.name} ${version}: ${group} (${at + 1} of ${groups.length})`);
      const file = join(folder, "found.json");
      const script = [join(import.meta.dirname, "measure-here.ts"), file, values.rounds, group];
      const { code } = await run(runtime.command, [...runtime.args, ...script], { output: "show" });
      if (code !== 0) throw new Error(`${group} ended with ${code} on ${runtime.name}`);
      Object.assign(found, JSON.parse(readFileSync(file, "utf8")));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { runtime: runtime.name, version, groups: found };
}

const results: RuntimeResult[] = [];
for (const runtime of chosen) {
  const result = await measureOn(runtime);
  results.push(result);
  if (!values.dry) writeResult(result);
}
console.log(`\n${machine()}`);
for (const result of results) {
  const lines = allLines(result);
  console.log(`\n── ${result.runtime} ${result.version}\n${plainTable(lines)}`);
  const judged = lines.filter(({ outcome }) => outcome !== "");
  console.log(`${judged.filter(({ outcome }) => outcome === "met").length} of ${judged.length} targets met`);
}
if (!values.dry) {
  writePage();
  await runOrThrow("oxfmt", ["bench/results", "docs/benchmarks.md"]);
}
console.log(`\nsize: ${await sizeCheck.run()}`);
