// The door `@keelson/core/testing`: a platform for tests whose clock, files, processes, log and random numbers are under their control.

export { createFakeClock, settle, type FakeClock } from "./fake-clock.ts";
export {
  createFakeProcesses,
  type FakePipe,
  type FakeProcess,
  type FakeProcesses,
  type FakeScript,
} from "./fake-processes.ts";
export { createMemoryFiles, type MemoryFiles } from "./memory-files.ts";
export {
  createMemoryLog,
  createSeededRandom,
  createTestPlatform,
  type LogRecord,
  type MemoryLog,
  type TestPlatform,
  type TestPlatformOptions,
} from "./test-platform.ts";
