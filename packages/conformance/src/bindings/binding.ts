import { allChecks } from "../checks/index.ts";
import type { Check } from "../check.ts";
import { runCheck, skipReason } from "../run.ts";
import { createSubject, type AdapterModule } from "../subject.ts";

/** What a binding must be able to do with its test runner. */
export interface TestRunner {
  test(name: string, run: () => Promise<void>): void;
  skip(name: string, reason: string): void;
}

/** Declares one test for each check. */
export function declareTests(runner: TestRunner, adapter: AdapterModule, checks: readonly Check[] = allChecks): void {
  const subject = createSubject(adapter);
  for (const check of checks) {
    const name = `${check.id}: ${check.title}`;
    const reason = skipReason(check, subject);
    if (reason === undefined) runner.test(name, () => runCheck(check, subject));
    else runner.skip(name, reason);
  }
}
