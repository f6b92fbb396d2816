export { declareTests, type TestRunner } from "./bindings/binding.ts";
export { BrokenPromise, ensure, ensureCode, ensureEqual, type Check, type CheckContext } from "./check.ts";
export { allChecks } from "./checks/index.ts";
export { runConformance, type ConformanceOptions } from "./command.ts";
export { formatReport, formatResult, type FormatOptions } from "./report.ts";
export { runCheck, runChecks, skipReason, type CheckResult, type Report, type RunOptions } from "./run.ts";
export { createSubject, type AdapterModule, type ChildRunner, type Subject } from "./subject.ts";
