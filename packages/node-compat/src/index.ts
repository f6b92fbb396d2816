// The parts of a platform that runtimes with Node's modules share: each adapter puts its own together from them.

export { createClock, type ClockOptions } from "./clock.ts";
export { fileError, nativeCode, permissionHint, spawnError, type SpawnFacts } from "./errors.ts";
export { createFiles } from "./files.ts";
export { createKernelOn, kernelOptions } from "./kernel.ts";
export { createLog, type LogOptions } from "./log.ts";
export type { SendSignal } from "./processes/ending.ts";
export type { InputSink } from "./processes/input.ts";
export type { Launched, Launcher, LaunchOptions } from "./processes/launcher.ts";
export type { OutputSource } from "./processes/output.ts";
export { childEndProgram } from "./programs.ts";
export { createProcTable } from "./processes/proc.ts";
export { createProcesses, type ProcessesOptions } from "./processes/processes.ts";
export { createPsTable, type RunText } from "./processes/ps.ts";
export { createSystemProcesses, type SystemProcessesOptions } from "./processes/system.ts";
export { readWebStream } from "./processes/web-stream.ts";
export type { ProcessEntry, ProcessInsight, ProcessTable } from "./processes/table.ts";
export { createPlatform, processFeatures, type Denied, type PlatformParts } from "./platform.ts";
export { createRandom } from "./random.ts";
export { createWebWorkers } from "./workers/web-workers.ts";
export type { Missing } from "./supports.ts";
