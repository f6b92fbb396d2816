import { allChecks } from "../checks/index.ts";
import type { Check } from "../check.ts";
import { runCheck, selectChecks, skipReason } from "../run.ts";
import { createSubject, type AdapterModule } from "../subject.ts";

/** What a binding must be able to do with its test runner. */
export interface TestRunner {
  test(name: string, run: () => Promise<void>): void;
  skip(name: string, reason: string): void;
}

/** Options of the bindings. */
export interface BindingOptions {
  /** Ids of checks, or contracts ending in a dot, such as "pool.". Default: all. */
  readonly only?: readonly string[];
  /** Checks of your own. Default: those of the suite. */
  readonly checks?: readonly Check[];
}

/** Declares one test for each check. @throws KeelsonError `INVALID_OPTIONS` when `only` names no check */
export function declareTests(runner: TestRunner, adapter: AdapterModule, options: BindingOptions = {}): void {
  const subject = createSubject(adapter);
  for (const check of selectChecks(options.checks ?? allChecks, options.only)) {
    const name = `${check.id}: ${check.title}`;
    const reason = skipReason(check, subject);
    if (reason === undefined) runner.test(name, () => runCheck(check, subject));
    else runner.skip(name, reason);
  }
}
