import { renameSync, writeFileSync } from "node:fs";
import process from "node:process";
import type { Reporter, SerializedError, TestCase, TestModule, TestSpecification } from "vitest/node";

/** What a run of the tests on one runtime came to so far; written as JSON to the file KEELSON_TEST_RECORD names. */
export interface TestRecord {
  readonly passed: number;
  /** Failed tests, files that could not be loaded, and errors outside any test. */
  readonly failed: readonly string[];
  readonly skipped: readonly { readonly test: string; readonly reason: string }[];
  /** Of these, the checks of the conformance suite. */
  readonly conformance: { readonly passed: number; readonly failed: number; readonly skipped: number };
  /** The files whose tests are under way; none when the run has ended. */
  readonly running: readonly string[];
}

/** The reason of a test that was skipped without one: of all that a pattern of names leaves out, too. */
export const NO_REASON = "no reason given";

/** Where the suite is bound to vitest, on the adapter of the runtime at hand. */
const CONFORMANCE = "packages/conformance/test/conformance.test.ts";
/** How often the record is written at most, and a line of progress printed, ms. */
const WRITE_MS = 1_000;
const TELL_MS = 30_000;

/**
 * A vitest reporter that keeps a {@link TestRecord} up to date while tests end: the file's time of change tells that they do, and of a run that
 * is broken off it tells how far it came. Without a terminal, where vitest shows nothing of what is under way, it prints a line every half a minute.
 */
export default class RecordReporter implements Reporter {
  readonly #file = process.env["KEELSON_TEST_RECORD"];
  readonly #running = new Map<TestModule, number>();
  readonly #ended: TestModule[] = [];
  #files = 0;
  #tests = 0;
  #failed = 0;
  #started = 0;
  #written = 0;
  #telling: ReturnType<typeof setInterval> | undefined;

  onTestRunStart(specifications: readonly TestSpecification[]): void {
    this.#files = specifications.length;
    this.#started = performance.now();
    if (process.stdout.isTTY !== true) this.#telling = setInterval(() => this.#tell(), TELL_MS);
    this.#telling?.unref();
  }

  onTestModuleStart(module: TestModule): void {
    this.#running.set(module, performance.now());
  }

  onTestCaseResult(test: TestCase): void {
    this.#tests += 1;
    if (test.result().state === "failed") this.#failed += 1;
    if (performance.now() - this.#written > WRITE_MS)
      this.#write(recordOf([...this.#ended, ...this.#running.keys()], []));
  }

  onTestModuleEnd(module: TestModule): void {
    this.#running.delete(module);
    this.#ended.push(module);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    clearInterval(this.#telling);
    this.#running.clear();
    this.#write(recordOf(modules, unhandled, { ended: true }));
  }

  #write(what: Omit<TestRecord, "running">): void {
    this.#written = performance.now();
    if (this.#file === undefined) return;
    const running = [...this.#running.keys()].map(({ relativeModuleId }) => relativeModuleId);
    const record: TestRecord = { ...what, running };
    // Whole or not at all: it may be read at any time.
    writeFileSync(`${this.#file}.new`, JSON.stringify(record, null, 2));
    renameSync(`${this.#file}.new`, this.#file);
  }

  #tell(): void {
    const seconds = (since: number): string => `${Math.round((performance.now() - since) / 1000)} s`;
    const running = [...this.#running].map(
      ([{ relativeModuleId }, since]) => `${relativeModuleId} (${seconds(since)})`,
    );
    console.log(
      ` …  ${seconds(this.#started)}: ${this.#ended.length} of ${this.#files} files done, ${this.#tests} tests, ${this.#failed} failed; under way: ${running.join(", ") || "none"}`,
    );
  }
}

function recordOf(
  modules: readonly TestModule[],
  unhandled: readonly SerializedError[],
  { ended = false } = {},
): Omit<TestRecord, "running"> {
  const conformance = { passed: 0, failed: 0, skipped: 0 };
  const record = {
    passed: 0,
    failed: [] as string[],
    skipped: [] as { test: string; reason: string }[],
    conformance,
  };
  for (const module of modules) {
    let failedTests = 0;
    for (const test of module.children.allTests()) {
      const result = test.result();
      const name = `${module.relativeModuleId} > ${test.fullName}`;
      if (result.state === "passed") record.passed += 1;
      else if (result.state === "skipped") record.skipped.push({ test: name, reason: reasonOf(test) });
      // One that has not begun when all is over never will.
      else if (result.state === "failed" || ended) {
        failedTests += 1;
        record.failed.push(name);
      }
      if (module.relativeModuleId === CONFORMANCE && result.state !== "pending")
        conformance[result.state] += 1;
    }
    // Its imports, hooks or suites failed, which no test carries.
    if (module.state() === "failed" && failedTests === 0) record.failed.push(module.relativeModuleId);
  }
  for (const error of unhandled) record.failed.push(`outside any test: ${error.message}`);
  return record;
}

function reasonOf(test: TestCase): string {
  const result = test.result();
  return (result.state === "skipped" ? result.note : undefined) ?? NO_REASON;
}
