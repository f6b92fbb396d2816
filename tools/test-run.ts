import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./command.ts";
import type { Runtime } from "./runtimes.ts";
import { NO_REASON, type TestRecord } from "./vitest/record.ts";

/** Which tests to run. */
export interface Selection {
  /** Parts of the names of files; all files when there is none. */
  readonly files: readonly string[];
  /** A regular expression that the names of tests must match. */
  readonly name?: string;
}

/** Options of {@link runTests}. */
export interface TestRunOptions extends Selection {
  /** The file that the run keeps its record in. */
  readonly recordFile: string;
  /** The time for all of it, ms. */
  readonly limitMs: number;
  /** One file after the other, with the machine for itself. */
  readonly alone?: boolean;
}

/** No test takes as long, however slow the machine: each has a limit of its own of at most three minutes. What is silent so long hangs. */
const SILENT_MS = 4 * 60_000;

const NOTHING: TestRecord = {
  passed: 0,
  failed: [],
  skipped: [],
  conformance: { passed: 0, failed: 0, skipped: 0 },
  running: [],
};

/** Runs tests on one runtime, showing vitest's output; a run that breaks off never looks green, and keeps what was known by then. */
export async function runTests(runtime: Runtime, options: TestRunOptions): Promise<TestRecord> {
  const { recordFile, limitMs } = options;
  const controller = new AbortController();
  const watch = setInterval(() => {
    const reason = whyToEnd();
    if (reason !== undefined) controller.abort(reason);
  }, 1_000);
  const started = Date.now();
  const whyToEnd = (): string | undefined => {
    const now = Date.now();
    if (now - started > limitMs)
      return `the run was ended after ${minutes(limitMs)}, which is all it had (--minutes gives more)`;
    const lastSign = existsSync(recordFile) ? statSync(recordFile).mtimeMs : started;
    if (now - lastSign > SILENT_MS)
      return `the run was ended: no test had come to its end for ${minutes(SILENT_MS)}`;
    return undefined;
  };
  try {
    const { code } = await run(runtime.command, [...runtime.args, ...vitest(options)], {
      output: "show",
      limitMs: limitMs + 60_000,
      signal: controller.signal,
      env: { KEELSON_EXPECT_RUNTIME: runtime.name, KEELSON_TEST_RECORD: recordFile },
    });
    const record = completed(recordFile, code, controller.signal.reason as string | undefined);
    if (options.name === undefined) return record;
    // Those of other names are not what was asked for.
    return { ...record, skipped: record.skipped.filter(({ reason }) => reason !== NO_REASON) };
  } finally {
    clearInterval(watch);
  }
}

function vitest({ files, name, alone = false }: TestRunOptions): readonly string[] {
  return [
    join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    "--reporter=default",
    "--reporter=./tools/vitest/record.ts",
    ...(alone ? ["--maxWorkers=1"] : []),
    ...(name === undefined ? [] : [`--testNamePattern=${name}`]),
    ...files,
  ];
}

function minutes(ms: number): string {
  return `${Math.round(ms / 6_000) / 10} minutes`;
}

/** The record the run wrote, with the run's own failure added. */
function completed(file: string, code: number | null, ended: string | undefined): TestRecord {
  const record = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as TestRecord) : NOTHING;
  const failed = [...record.failed];
  const underWay = record.running.length === 0 ? "" : `; under way: ${record.running.join(", ")}`;
  if (ended !== undefined) failed.push(`${ended}${underWay}`);
  else if (record === NOTHING) failed.push(`the run ended with ${code} and no record`);
  else if (record.running.length > 0) failed.push(`the run ended with ${code} half-way${underWay}`);
  else if (code !== 0 && failed.length === 0) failed.push(`the run ended with ${code}`);
  else if (record.passed === 0 && failed.length === 0) failed.push("no test was executed");
  return { ...record, failed };
}
