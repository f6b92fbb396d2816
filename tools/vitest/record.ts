import { writeFileSync } from "node:fs";
import process from "node:process";
import type { Reporter, SerializedError, TestCase, TestModule } from "vitest/node";

/** What one run of the tests on one runtime came to; written as JSON to the file KEELSON_TEST_RECORD names. */
export interface TestRecord {
  readonly passed: number;
  /** Failed tests, files that could not be loaded, and errors outside any test. */
  readonly failed: readonly string[];
  readonly skipped: readonly { readonly test: string; readonly reason: string }[];
  /** Of these, the checks of the conformance suite. */
  readonly conformance: { readonly passed: number; readonly failed: number; readonly skipped: number };
}

/** Where the suite is bound to vitest, on the adapter of the runtime at hand. */
const CONFORMANCE = "packages/conformance/test/conformance.test.ts";

/** A vitest reporter that writes a {@link TestRecord}. */
export default class RecordReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const file = process.env["KEELSON_TEST_RECORD"];
    if (file !== undefined) writeFileSync(file, JSON.stringify(recordOf(modules, unhandled), null, 2));
  }
}

function recordOf(modules: readonly TestModule[], unhandled: readonly SerializedError[]): TestRecord {
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
      else {
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
  return (result.state === "skipped" ? result.note : undefined) ?? "no reason given";
}
