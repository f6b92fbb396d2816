/**
 * Runs every test on Node, Deno and Bun and closes with one line of totals.
 *
 *     node tools/test.ts [--runtime node|deno|bun]... [part of a file's name]...
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { readArguments } from "./arguments.ts";
import { root, run } from "./command.ts";
import { chooseRuntimes, type Runtime, versionOf } from "./runtimes.ts";
import type { TestRecord } from "./vitest/record.ts";

interface Outcome {
  readonly runtime: string;
  readonly seconds: number;
  readonly record: TestRecord;
  /** Tests that failed beside all others and passed when their file ran alone: told, never hidden. */
  readonly unstable: readonly string[];
}

const LIMIT_MS = 9 * 60_000;

async function testOn(runtime: Runtime, filters: readonly string[], folder: string): Promise<Outcome> {
  const name = `${runtime.name} ${await versionOf(runtime)}`;
  console.log(`\n── ${name}`);
  const started = performance.now();
  const first = await runVitest(runtime, filters, join(folder, `${runtime.name}.json`));
  const { record, unstable } = await lookAgain(runtime, first, folder);
  const seconds = (performance.now() - started) / 1000;
  return { runtime: name, seconds, record, unstable };
}

/** More files than this do not fail for want of a quiet machine. */
const MAX_UNSTABLE_FILES = 3;

/**
 * Runs the files of failed tests once more, alone: real processes and real time can be starved on a small machine. What passes then is told
 * as unstable; what fails again has failed. Failures outside of any test are never looked at again.
 */
async function lookAgain(
  runtime: Runtime,
  first: TestRecord,
  folder: string,
): Promise<{ readonly record: TestRecord; readonly unstable: readonly string[] }> {
  const files = [...new Set(first.failed.map((test) => test.split(" > ", 1)[0] as string))];
  const known = files.every((file) => file.endsWith(".test.ts") && existsSync(join(root, file)));
  if (files.length === 0 || files.length > MAX_UNSTABLE_FILES || !known)
    return { record: first, unstable: [] };
  console.log(`\n── ${runtime.name}: ${files.join(", ")} once more, alone`);
  const second = await runVitest(runtime, files, join(folder, `${runtime.name}-again.json`));
  if (second.failed.length > 0) return { record: first, unstable: [] };
  const conformance = {
    ...first.conformance,
    passed: first.conformance.passed + first.conformance.failed,
    failed: 0,
  };
  const record = { ...first, passed: first.passed + first.failed.length, failed: [], conformance };
  return { record, unstable: first.failed };
}

async function runVitest(
  runtime: Runtime,
  filters: readonly string[],
  recordFile: string,
): Promise<TestRecord> {
  const result = await run(
    runtime.command,
    [
      ...runtime.args,
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      "--reporter=default",
      "--reporter=./tools/vitest/record.ts",
      ...filters,
    ],
    {
      output: "show",
      limitMs: LIMIT_MS,
      env: { KEELSON_EXPECT_RUNTIME: runtime.name, KEELSON_TEST_RECORD: recordFile },
    },
  );
  return readRecord(recordFile, result);
}

const NOTHING: TestRecord = {
  passed: 0,
  failed: [],
  skipped: [],
  conformance: { passed: 0, failed: 0, skipped: 0 },
};

/** The record the run wrote, with the run's own failure added: a run that broke off must never look green. */
function readRecord(file: string, result: { code: number | null; timedOut: boolean }): TestRecord {
  if (result.timedOut) return { ...NOTHING, failed: [`the run took more than ${LIMIT_MS / 60_000} minutes`] };
  if (!existsSync(file)) return { ...NOTHING, failed: [`the run ended with ${result.code} and no record`] };
  const record = JSON.parse(readFileSync(file, "utf8")) as TestRecord;
  const failed = [...record.failed];
  if (result.code !== 0 && failed.length === 0) failed.push(`the run ended with ${result.code}`);
  if (record.passed === 0 && failed.length === 0) failed.push("no test was executed");
  return { ...record, failed };
}

function printTable(outcomes: readonly Outcome[]): void {
  const line = (runtime: string, what: string, cells: readonly (number | string)[]): void =>
    console.log(
      runtime.padEnd(16) + what.padEnd(14) + cells.map((cell) => String(cell).padStart(9)).join(""),
    );
  console.log();
  line("runtime", "", ["passed", "failed", "skipped", "seconds"]);
  for (const { runtime, record, seconds } of outcomes) {
    const { passed, failed, skipped } = record.conformance;
    line(runtime, "all tests", [
      record.passed,
      record.failed.length,
      record.skipped.length,
      seconds.toFixed(1),
    ]);
    if (passed + failed + skipped > 0) line("", "conformance", [passed, failed, skipped]);
  }
}

function printDetails(outcomes: readonly Outcome[]): void {
  for (const { runtime, record } of outcomes) {
    for (const { test, reason } of record.skipped) console.log(`skipped on ${runtime}: ${test} (${reason})`);
  }
  for (const { runtime, unstable } of outcomes) {
    for (const test of unstable) console.log(`UNSTABLE on ${runtime}, failed once and passed alone: ${test}`);
  }
  for (const { runtime, record } of outcomes) {
    for (const test of record.failed) console.log(`FAILED on ${runtime}: ${test}`);
  }
}

const { chosen, positionals } = readArguments(
  "node tools/test.ts [--runtime node|deno|bun]... [part of a file's name]...",
  { options: { runtime: { type: "string", multiple: true } }, allowPositionals: true },
  (parsed) => ({ chosen: chooseRuntimes(parsed.values.runtime), positionals: parsed.positionals }),
);

const folder = mkdtempSync(join(tmpdir(), "keelson-test-"));
const outcomes: Outcome[] = [];
try {
  for (const runtime of chosen) outcomes.push(await testOn(runtime, positionals, folder));
} finally {
  rmSync(folder, { recursive: true });
}
printTable(outcomes);
printDetails(outcomes);
const total = (count: (record: TestRecord) => number): number =>
  outcomes.reduce((sum, { record }) => sum + count(record), 0);
const failed = total((record) => record.failed.length);
console.log(
  `\n${total((record) => record.passed)} passed, ${failed} failed, ${total((record) => record.skipped.length)} skipped`,
);
process.exitCode = failed === 0 ? 0 : 1;
