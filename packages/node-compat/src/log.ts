import type { Log, LogLevel } from "@keelson/core";
import { describeThrown } from "@keelson/core";
import { requireOptions, showControls } from "@keelson/core/plain";

/** Options of {@link createLog}. */
export interface LogOptions {
  /** The least level that is written; "silent" writes nothing. Default "info". */
  readonly level?: LogLevel | "silent" | undefined;
  /** Whether to colour the level. Default: what the adapter found out about standard error and `NO_COLOR`. */
  readonly color?: boolean | undefined;
  /** Takes one record, without its line end. Default: standard error. */
  readonly write?: ((line: string) => void) | undefined;
}

const ranks: Readonly<Record<LogLevel | "silent", number>> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
  silent: 4,
};
const colors: Readonly<Record<LogLevel, number>> = { debug: 90, info: 36, warn: 33, error: 31 };

/**
 * A log for people: one line a record, `12:30:05.120 warn  message key=value`, to standard error. What a guest or a
 * child wrote cannot steer the terminal: control characters are shown, not sent.
 *
 * @param colored where `color` is not given
 * @throws KeelsonError `INVALID_OPTIONS`
 */
export function createLog(given?: LogOptions, colored = false): Log {
  requireOptions("log", given, { level: Object.keys(ranks), color: "boolean", write: "function" });
  const options = given ?? {};
  const least = ranks[options.level ?? "info"];
  // console.error is the one writer that all runtimes have and that stays quiet when standard error is closed.
  const write = options.write ?? ((line: string): void => console.error(line));
  return {
    write(level, message, fields) {
      if (ranks[level] < least) return;
      try {
        write(record(level, message, fields, options.color ?? colored));
      } catch {
        // A log that fails must not take down what it reports on.
      }
    },
  };
}

function record(
  level: LogLevel,
  message: string,
  fields: Readonly<Record<string, unknown>> = {},
  color: boolean,
): string {
  const padded = level.padEnd(5);
  const shown = color ? `\u001b[${colors[level]}m${padded}\u001b[0m` : padded;
  let line = `${new Date().toISOString().slice(11, 23)} ${shown} ${showControls(message)}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${showControls(key)}=${fieldText(value)}`;
  }
  return line;
}

function fieldText(value: unknown): string {
  if (value instanceof Error) return quoted(describeThrown(value));
  if (typeof value === "string") return quoted(value);
  if (typeof value !== "object" || value === null) return String(value);
  return showControls(jsonText(value));
}

/** A field that cannot be shown, such as a circle, must not take the record with it. */
function jsonText(value: object): string {
  try {
    return (
      JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? String(part) : part)) ?? ""
    );
  } catch (error) {
    return quoted(`cannot be shown: ${describeThrown(error).split("\n", 1)[0]}`);
  }
}

function quoted(text: string): string {
  return text === "" || /[\s"=]/.test(text)
    ? `"${showControls(text).replaceAll('"', '\\"')}"`
    : showControls(text);
}
