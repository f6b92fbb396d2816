export { declareTests, type BindingOptions, type TestRunner } from "./bindings/binding.ts";
export { BrokenPromise, ensure, ensureCode, ensureEqual, type Check, type CheckContext } from "./check.ts";
export { allChecks } from "./checks/index.ts";
export { runConformance, type ConformanceOptions } from "./command.ts";
export { formatReport, formatResult, type FormatOptions } from "./report.ts";
export { runCheck, runChecks, selectChecks, skipReason, type CheckResult, type Report, type RunOptions } from "./run.ts";
export { createSubject, type AdapterModule, type ChildRunner, type Subject, type WasmSubjectOptions } from "./subject.ts";
