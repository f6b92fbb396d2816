/**
 * Runs every test on Node, Deno and Bun, closes with a table of totals, and says of each failure how to see it again.
 *
 *     node tools/test.ts [--runtime node|deno|bun]... [--name pattern] [--minutes n] [part of a file's name]...
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { readArguments } from "./arguments.ts";
import { root } from "./command.ts";
import { chooseRuntimes, type Runtime, versionOf } from "./runtimes.ts";
import { runTests, type Selection } from "./test-run.ts";
import type { TestRecord } from "./vitest/record.ts";
import { WORKERS } from "./vitest/workers.ts";

interface Outcome {
  readonly runtime: Runtime;
  readonly title: string;
  readonly seconds: number;
  readonly record: TestRecord;
  /** Tests that failed beside all others and passed when their file ran alone: told, never hidden. */
  readonly unstable: readonly string[];
}

/** The time for all runtimes together unless `--minutes` says otherwise: on two cores with nothing else to do they take less than half of it. */
const MINUTES = 26;
/** What each runtime that is still to come can count on, ms, however slow those before it are. */
const KEPT_MS = 4 * 60_000;
/** More files than this do not fail for want of a quiet machine. */
const MAX_UNSTABLE_FILES = 6;

async function testOn(
  runtime: Runtime,
  selection: Selection,
  folder: string,
  limitMs: number,
): Promise<Outcome> {
  const title = `${runtime.name} ${await versionOf(runtime)}`;
  console.log(`\n── ${title}`);
  const started = performance.now();
  const recordFile = join(folder, `${runtime.name}.json`);
  const first = await runTests(runtime, { ...selection, recordFile, limitMs });
  const leftMs = limitMs - (performance.now() - started);
  const { record, unstable } = await lookAgain(runtime, selection, first, folder, leftMs);
  return { runtime, title, seconds: (performance.now() - started) / 1000, record, unstable };
}

/** The file of a failed test; undefined when what failed was outside of any test. */
function fileOf(failed: string): string | undefined {
  const file = failed.split(" > ", 1)[0] as string;
  return file !== failed && file.endsWith(".test.ts") && existsSync(join(root, file)) ? file : undefined;
}

/**
 * Runs the files of failed tests once more, alone: real processes and real time can be starved on a small machine. What passes then is told
 * as unstable; what fails again has failed. Failures outside of any test are never looked at again.
 */
async function lookAgain(
  runtime: Runtime,
  selection: Selection,
  first: TestRecord,
  folder: string,
  limitMs: number,
): Promise<Pick<Outcome, "record" | "unstable">> {
  const files = [...new Set(first.failed.map(fileOf))].filter((file) => file !== undefined);
  const known = first.failed.every((test) => fileOf(test) !== undefined);
  if (files.length === 0 || files.length > MAX_UNSTABLE_FILES || !known)
    return { record: first, unstable: [] };
  console.log(`\n── ${runtime.name}: once more, alone, for something failed there: ${files.join(", ")}`);
  const recordFile = join(folder, `${runtime.name}-again.json`);
  const again = await runTests(runtime, { ...selection, files, recordFile, limitMs, alone: true });
  const unstable = first.failed.filter((test) => !again.failed.includes(test));
  const conformance = {
    ...first.conformance,
    passed: first.conformance.passed + first.conformance.failed - again.conformance.failed,
    failed: again.conformance.failed,
  };
  // A run that broke off has shown nothing of what it did not come to.
  if (again.failed.some((test) => fileOf(test) === undefined)) return { record: first, unstable: [] };
  const record = { ...first, passed: first.passed + unstable.length, failed: again.failed, conformance };
  return { record, unstable };
}

function printTable(outcomes: readonly Outcome[]): void {
  const line = (runtime: string, what: string, cells: readonly (number | string)[]): void =>
    console.log(
      runtime.padEnd(16) + what.padEnd(14) + cells.map((cell) => String(cell).padStart(9)).join(""),
    );
  console.log();
  line("runtime", "", ["passed", "failed", "skipped", "seconds"]);
  for (const { title, record, seconds } of outcomes) {
    const { passed, failed, skipped } = record.conformance;
    line(title, "all tests", [
      record.passed,
      record.failed.length,
      record.skipped.length,
      seconds.toFixed(1),
    ]);
    if (passed + failed + skipped > 0) line("", "conformance", [passed, failed, skipped]);
  }
}

function printDetails(outcomes: readonly Outcome[]): void {
  for (const { title, record } of outcomes) {
    for (const { test, reason } of record.skipped) console.log(`skipped on ${title}: ${test} (${reason})`);
  }
  for (const { title, unstable } of outcomes) {
    for (const test of unstable) console.log(`UNSTABLE on ${title}, failed once and passed alone: ${test}`);
  }
  for (const { title, record } of outcomes) {
    for (const test of record.failed) console.log(`FAILED on ${title}: ${test}`);
  }
}

/** How to run just those files again, a line for each runtime. */
function printWayBack(outcomes: readonly Outcome[]): void {
  for (const { runtime, record } of outcomes) {
    const files = [...new Set(record.failed.map((test) => test.split(" > ", 1)[0] as string))];
    const known = files.filter((file) => existsSync(join(root, file)));
    if (known.length > 0)
      console.log(`again, just these files: npm run test:${runtime.name} -- ${known.join(" ")}`);
  }
  if (outcomes.some(({ record }) => record.failed.some((test) => fileOf(test) !== undefined)))
    console.log('a single test: add --name "part of its name". Why it failed stands further up.');
}

const { chosen, limitMs, selection } = readArguments(
  "node tools/test.ts [--runtime node|deno|bun]... [--name pattern] [--minutes n] [part of a file's name]...",
  {
    options: {
      runtime: { type: "string", multiple: true },
      name: { type: "string" },
      minutes: { type: "string", default: String(MINUTES) },
    },
    allowPositionals: true,
  },
  ({ values: { runtime, name, minutes }, positionals }) => {
    if (!(Number(minutes) > 0)) throw new RangeError("--minutes takes a number above 0");
    const files: Selection = { files: positionals, ...(name === undefined ? {} : { name }) };
    return { chosen: chooseRuntimes(runtime), limitMs: Number(minutes) * 60_000, selection: files };
  },
);

const names = chosen.map(({ name }) => name).join(", then ");
const files = selection.files.length === 0 ? "every test file" : selection.files.join(", ");
console.log(`Tests on ${names}: ${files}, ${WORKERS} at a time; at most ${limitMs / 60_000} minutes in all.`);
const folder = mkdtempSync(join(tmpdir(), "keelson-test-"));
const by = performance.now() + limitMs;
const outcomes: Outcome[] = [];
// Also when a signal ends it.
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const [index, runtime] of chosen.entries()) {
  const left = by - performance.now();
  const others = chosen.length - 1 - index;
  // With little time in all, the rest is shared evenly.
  const mine = Math.max(left - others * KEPT_MS, left / (others + 1));
  outcomes.push(await testOn(runtime, selection, folder, mine));
}
printTable(outcomes);
printDetails(outcomes);
printWayBack(outcomes);
const total = (count: (record: TestRecord) => number): number =>
  outcomes.reduce((sum, { record }) => sum + count(record), 0);
const failed = total((record) => record.failed.length);
console.log(
  `\n${total((record) => record.passed)} passed, ${failed} failed, ${total((record) => record.skipped.length)} skipped`,
);
process.exitCode = failed === 0 ? 0 : 1;
