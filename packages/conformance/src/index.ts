// The door `@keelson/conformance`: the checks, how to run them against a subject, and the report.

export { declareTests, type BindingOptions, type TestRunner } from "./bindings/binding.ts";
export {
  BrokenPromise,
  ensure,
  ensureCode,
  ensureEqual,
  handled,
  type Check,
  type CheckContext,
} from "./check.ts";
export { allChecks } from "./checks/index.ts";
export {
  conformanceCommand,
  conformanceUsage,
  runConformance,
  type CommandHost,
  type ConformanceOptions,
} from "./command.ts";
export { promises, type Promised } from "./promises.ts";
export { formatReport, formatResult, type FormatOptions } from "./report.ts";
export { runCheck, runChecks, skipReason, type CheckResult, type Report, type RunOptions } from "./run.ts";
export {
  createSubject,
  type AdapterModule,
  type ChildRunner,
  type HostFunction,
  type ReplayedCall,
  type Subject,
  type WasmSubjectOptions,
} from "./subject.ts";
