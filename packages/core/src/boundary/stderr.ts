import type { Clock, Log } from "../contract/platform.ts";
import { createLineReader, type LineReader } from "../primitives/json-lines.ts";
import { excerpt } from "./normalize.ts";

const MAX_LINE_BYTES = 65_536;
const KEPT_LINES = 20;
const WINDOW_MS = 1000;
const LINES_PER_WINDOW = 1000;
const CHARS_PER_WINDOW = 1_048_576;

/** Turns a child's standard error into log records, no more than a host can bear, and keeps the last lines for error messages. */
export interface StderrLog {
  readonly reader: LineReader;
  /** The last lines, oldest first: at most 20 of 200 characters. */
  tail(): readonly string[];
}

/**
 * Lines over 64 KiB are cut there, broken UTF-8 is replaced; of each second the first 1000 lines and the first 1 MiB are logged, and how
 * many were left out is logged once.
 */
export function createStderrLog(
  log: Log,
  clock: Clock,
  fields: Readonly<Record<string, unknown>>,
): StderrLog {
  const kept: string[] = [];
  let windowFrom = clock.now();
  let lines = 0;
  let chars = 0;
  let leftOut = 0;

  const tellLeftOut = (): void => {
    if (leftOut > 0)
      log.write("warn", `${leftOut} lines of standard error were left out`, { ...fields, leftOut });
    leftOut = 0;
  };

  const reader = createLineReader({
    maxLineBytes: MAX_LINE_BYTES,
    tooLong: "cut",
    brokenUtf8: "replace",
    onLine(line) {
      kept.push(line.slice(0, 201));
      if (kept.length > 2 * KEPT_LINES) kept.splice(0, KEPT_LINES);
      const now = clock.now();
      if (now - windowFrom >= WINDOW_MS) {
        tellLeftOut();
        windowFrom = now;
        lines = 0;
        chars = 0;
      }
      lines++;
      chars += line.length;
      if (lines > LINES_PER_WINDOW || chars > CHARS_PER_WINDOW) leftOut++;
      else log.write("info", line, fields);
    },
  });

  return {
    reader: {
      push: (chunk) => reader.push(chunk),
      end() {
        reader.end();
        tellLeftOut();
      },
    },
    tail: () => kept.slice(-KEPT_LINES).map(excerpt),
  };
}
