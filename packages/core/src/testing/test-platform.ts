import type { Log, LogLevel, Platform, Processes, Random } from "../contract/platform.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import { createMemoryFiles, type MemoryFiles } from "./memory-files.ts";

/** One record that a {@link MemoryLog} took. */
export interface LogRecord {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A log that keeps its records. */
export interface MemoryLog extends Log {
  readonly records: LogRecord[];
}

/** A {@link MemoryLog} without records. */
export function createMemoryLog(): MemoryLog {
  const records: LogRecord[] = [];
  return { records, write: (level, message, fields = {}) => void records.push({ level, message, fields }) };
}

/** Chance that repeats itself: the same `seed` gives the same numbers (mulberry32) and ids. */
export function createSeededRandom(seed = 1): Random {
  let state = Number(seed) >>> 0;
  let count = 0;
  return {
    number() {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
    id: () => `id-${seed}-${++count}`,
  };
}

/** A {@link Platform} for deterministic tests. */
export interface TestPlatform extends Platform {
  readonly clock: FakeClock;
  readonly log: MemoryLog;
  readonly files: MemoryFiles;
}

/** Options of {@link createTestPlatform}. */
export interface TestPlatformOptions {
  readonly seed?: number;
  readonly processes?: Processes;
}

/** A platform with a fake clock, seeded chance, memory files and a log that keeps its records. */
export function createTestPlatform(options?: TestPlatformOptions): TestPlatform {
  const clock = createFakeClock();
  const { processes, seed } = options ?? {};
  return {
    name: "test",
    version: "1.0.0",
    supports: { files: true, processes: processes !== undefined },
    reasons: processes === undefined ? { processes: "The test platform was made without processes." } : {},
    clock,
    random: createSeededRandom(seed),
    log: createMemoryLog(),
    files: createMemoryFiles(() => clock.wall()),
    ...(processes === undefined ? {} : { processes }),
  };
}
