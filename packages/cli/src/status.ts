import { KeelsonError, type Envelope, type ModuleState, type ModuleStatus } from "@keelson/core";
import { requireOptions } from "@keelson/core/plain";
import { cut, oneLine, painter, type Color } from "./text.ts";

/** Options of {@link formatStatus}. */
export interface FormatStatusOptions {
  /** Use ANSI colours. Default false. */
  readonly color?: boolean;
  /** Cut lines to so many characters. Default: never. */
  readonly columns?: number;
}

const STATE_COLORS: Readonly<Record<ModuleState, Color>> = {
  loaded: "dim",
  initializing: "yellow",
  initialized: "yellow",
  starting: "yellow",
  running: "green",
  stopping: "yellow",
  stopped: "dim",
  failed: "red",
};

const HEADINGS = [
  "MODULE",
  "KIND",
  "VERSION",
  "STATE",
  "GENERATION",
  "IN FLIGHT",
  "RESTARTS",
  "LAST FAILURE",
] as const;
const STATE_COLUMN = HEADINGS.indexOf("STATE");

/** The table of `kernel.list()` for people: a heading and a line a module. @throws KeelsonError `INVALID_OPTIONS` for what is no such list */
export function formatStatus(modules: readonly ModuleStatus[], options?: FormatStatusOptions): string {
  requireOptions("formatStatus", options, { color: "boolean", columns: 0 }, Infinity);
  const { color = false, columns = Infinity } = options ?? {};
  const isList: boolean =
    Array.isArray(modules) && [...modules].every((module) => typeof module?.metadata?.id === "string");
  if (!isList)
    throw new KeelsonError("INVALID_OPTIONS", "The table is made of a list of modules", {
      hint: "give what kernel.list() answers",
    });
  const paint = painter(color);
  // A long name must not push the state off a narrow screen.
  const most = columns === Infinity ? [] : [Math.max(12, Math.floor(columns / 3)), 12, 16];
  const rows = modules.map((module) =>
    cells(module).map((cell, index) => cut(cell, most[index] ?? Infinity)),
  );
  const widths = HEADINGS.map((heading, index) =>
    Math.max(heading.length, ...rows.map((row) => (row[index] ?? "").length)),
  );
  const lines = [HEADINGS, ...rows].map((row, line) => {
    const padded = row.map((cell, index) =>
      index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0),
    );
    const text = cut(padded.join("  ").trimEnd(), columns);
    if (line === 0) return paint("bold", text);
    const from = widths.slice(0, STATE_COLUMN).reduce((sum, width) => sum + width + 2, 0);
    const { state = "loaded", quarantine } = modules[line - 1] ?? {};
    const word = text.slice(from, from + state.length);
    return word === ""
      ? text
      : text.slice(0, from) +
          paint(quarantine === undefined ? STATE_COLORS[state] : "yellow", word) +
          text.slice(from + state.length);
  });
  return lines.join("\n");
}

function cells(module: ModuleStatus): string[] {
  const { metadata, state, generation, inFlight, supervisor } = module;
  const restarts =
    supervisor === undefined ? "" : `${supervisor.restarts}${supervisor.gaveUp ? " (gave up)" : ""}`;
  return [
    metadata.id,
    oneLine(metadata.kind),
    metadata.version,
    state,
    String(generation),
    String(inFlight),
    restarts,
    failureOf(module),
  ];
}

function failureOf({ error, quarantine }: ModuleStatus): string {
  if (quarantine !== undefined) {
    const { refused, onTrial, trialInMs } = quarantine;
    const next = onTrial ? "on trial" : `trial in ${Math.ceil(trialInMs / 1000)} s`;
    return `MODULE_QUARANTINED: ${refused} refused, ${next}`;
  }
  return error === undefined ? "" : `${error.code}: ${firstLine(error.message)}`;
}

function firstLine(text: string): string {
  return oneLine(text.split("\n")[0] ?? "");
}

const NOTABLE = /^(kernel\.|supervisor\.(restarting|failed)$|module\.(?!initializ|starting|stopping))/;

/** One line for an event of the kernel's own, such as `12:30:05.120 module.started id=greeter`; undefined for all others. */
export function formatEvent(envelope: Envelope, options?: { readonly color?: boolean }): string | undefined {
  const { topic, timestamp, source, data } = envelope ?? {};
  requireOptions("formatEvent", options, { color: "boolean" });
  const { color = false } = options ?? {};
  if (source !== "kernel" || !NOTABLE.test(topic)) return undefined;
  const paint = painter(color);
  const time = new Date(timestamp).toISOString().slice(11, 23);
  const bad = /failed|warning|quarantined/.test(topic);
  const good = topic === "module.started" || topic === "module.reloaded";
  const name = bad ? paint("red", topic) : good ? paint("green", topic) : topic;
  return `${paint("dim", time)} ${name}${fields(data, topic)}`;
}

function fields(data: unknown, topic: string): string {
  if (typeof data !== "object" || data === null) return "";
  // Between which states a module or its supervisor went says no more than the topic.
  const left = topic === "module.reloaded" ? [] : ["from", "to"];
  return Object.entries(data)
    .filter(([key, value]) => value !== undefined && !left.includes(key))
    .map(([key, value]) => ` ${key}=${fieldText(value)}`)
    .join("");
}

function fieldText(value: unknown): string {
  if (typeof value === "string")
    return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(firstLine(value));
  if (typeof value !== "object" || value === null) return String(value);
  const { code, message } = value as { readonly code?: unknown; readonly message?: unknown };
  if (typeof code === "string" && typeof message === "string")
    return JSON.stringify(`${code}: ${firstLine(message)}`);
  return Array.isArray(value) ? `${value.length}` : oneLine(JSON.stringify(value) ?? "");
}
