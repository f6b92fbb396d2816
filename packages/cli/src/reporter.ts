import process from "node:process";
import type { Health, KeelsonError, Kernel, ModuleStatus, ShutdownReport } from "@keelson/core";
import { createDisplay, onKernelEvents, useColor } from "./display.ts";
import { formatStatus } from "./status.ts";
import { errorJson, errorOptions, formatError, print, printError } from "./terminal.ts";
import { oneLine, painter } from "./text.ts";

/** How `keelson run` says what happens. */
export interface Reporter extends Disposable {
  /** Takes the platform's log records. */
  readonly log: (record: string) => void;
  show(kernel: Kernel): void;
  note(text: string): void;
  error(error: KeelsonError): void;
  health(id: string, health: Health): void;
  status(modules: readonly ModuleStatus[]): void;
  report(report: ShutdownReport): void;
}

/** Options of {@link createReporter}. */
export interface ReporterOptions {
  /** One JSON object a line on standard output; the log goes to standard error. */
  readonly json: boolean;
  readonly verbose: boolean;
  /** What is run, for the heading. */
  readonly config: string;
}

/** A reporter for people, or for programs. */
export function createReporter(options: ReporterOptions): Reporter {
  return options.json ? forPrograms() : forPeople(options);
}

function forPeople({ verbose, config }: ReporterOptions): Reporter {
  const color = useColor(process.stdout);
  const paint = painter(color);
  const display = createDisplay({
    heading: () => [`keelson run ${oneLine(config)}   Ctrl-C shuts down`, ""],
  });
  return {
    // Without a table the log has standard error for itself.
    log: (record) => (display.live ? display.line(record) : printError(record)),
    show: (kernel) => display.show(kernel),
    note: (text) => display.line(text),
    error: (error) => (display.live ? display.line : printError)(formatError(error, errorOptions(verbose))),
    health(id, { healthy, message }) {
      const word = healthy ? paint("green", "healthy") : paint("red", "not healthy");
      display.line(`${id} ${word}${message === undefined ? "" : `: ${oneLine(String(message))}`}`);
    },
    status(modules) {
      if (!display.live) print(formatStatus(modules, { color }));
    },
    report(report) {
      display[Symbol.dispose]();
      print(formatReport(report, color));
    },
    [Symbol.dispose]: () => display[Symbol.dispose](),
  };
}

/** The report of a shutdown for people. */
export function formatReport({ terminated, orphans, errors }: ShutdownReport, color = false): string {
  const paint = painter(color);
  const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? "" : "s"}`;
  const counts = [
    `${terminated.length} stopped`,
    paint(orphans.length > 0 ? "red" : "dim", count(orphans.length, "orphan")),
    paint(errors.length > 0 ? "red" : "dim", count(errors.length, "error")),
  ];
  const lines = [`shut down: ${counts.join(", ")}`];
  for (const { pid, command } of orphans) lines.push(`  ${paint("red", "alive")} ${pid} ${oneLine(command)}`);
  for (const { id, error } of errors)
    lines.push(`  ${paint("red", error.code)} ${id}: ${oneLine(error.message)}`);
  return lines.join("\n");
}

function forPrograms(): Reporter {
  const say = (type: string, fields: object): void => print(lineOf({ type, ...fields }));
  let listening: Disposable | undefined;
  return {
    log: printError,
    show(kernel) {
      listening = onKernelEvents(kernel, ({ topic, timestamp, data }) =>
        say("event", { topic, timestamp_ms: timestamp, data }),
      );
    },
    note: printError,
    error: (error) => say("error", errorJson(error)),
    health: (id, health) => say("health", { id, ...health }),
    status: (modules) => say("status", { modules: modules.map((module) => statusJson(module)) }),
    report: ({ terminated, orphans, errors }) =>
      say("report", {
        terminated,
        orphans,
        errors: errors.map(({ id, error }) => ({ id, ...errorJson(error) })),
      }),
    [Symbol.dispose]: () => listening?.[Symbol.dispose](),
  };
}

function statusJson({ metadata, state, generation, inFlight, supervisor, error }: ModuleStatus): object {
  return {
    id: metadata.id,
    version: metadata.version,
    kind: metadata.kind,
    state,
    generation,
    in_flight: inFlight,
    restarts: supervisor?.restarts ?? 0,
    ...(error === undefined ? {} : { error: errorJson(error) }),
  };
}

/** One line of JSON. What a module says of itself may be anything: a field that JSON cannot hold is left out, and the others are told. */
function lineOf(fields: object): string {
  try {
    return JSON.stringify(fields, plain);
  } catch {
    const entries = Object.entries(fields).filter(([, value]) => isHeld(value));
    return JSON.stringify(Object.fromEntries(entries), plain);
  }
}

function isHeld(value: unknown): boolean {
  try {
    JSON.stringify(value, plain);
    return true;
  } catch {
    return false;
  }
}

/** JSON has no bigints and no bytes. */
function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof Uint8Array ? `${value.length} bytes` : value;
}
