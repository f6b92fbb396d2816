import {
  KeelsonError,
  processModule,
  suggest,
  type ModuleDefinition,
  type ModuleLoader,
  type ProcessModuleOptions,
  type QuarantineOptions,
} from "@keelson/core";
import type { Isolation } from "@keelson/wasm";

/** What `keelson run` reads: a module whose default export this is, or the same as JSON. */
export interface Config {
  readonly kernel?: ConfigKernelOptions;
  /** Manifests, folders with a `manifest.json`, or bare files, relative to the configuration; in TypeScript definitions as well. */
  readonly plugins?: readonly (string | PluginConfig | ModuleDefinition)[];
  /** Child processes by their options; in TypeScript definitions as well. */
  readonly modules?: readonly (ProcessConfig | ModuleDefinition)[];
}

/** The kernel's options that a configuration may set; see `KernelOptions` for units and defaults. */
export interface ConfigKernelOptions {
  readonly callTimeoutMs?: number;
  readonly logCapacity?: number;
  readonly maxParked?: number;
  readonly drainMs?: number;
  readonly quarantine?: QuarantineOptions | false;
  /** In TypeScript only. */
  readonly loaders?: readonly ModuleLoader[];
}

/** A plugin with what the host chooses for it. */
export interface PluginConfig {
  readonly path: string;
  /** Default: the manifest's own. */
  readonly id?: string;
  /** Where the guest of a WebAssembly plugin runs. Default "inline". */
  readonly isolation?: Isolation;
}

/** A plugin whose path is resolved. */
export interface LocatedPlugin {
  readonly url: URL;
  readonly id?: string;
  readonly isolation?: Isolation;
}

/** A process module without a manifest. */
export interface ProcessConfig extends Omit<
  ProcessModuleOptions,
  "cwd" | "preSpawn" | "onRequest" | "manifest"
> {
  /** Relative to the configuration. Default: the configuration's folder. */
  readonly cwd?: string;
}

/** The configuration itself: it is here for the types. */
export function defineConfig(config: Config): Config {
  return config;
}

/** A configuration with its paths resolved. */
export interface LoadedConfig {
  readonly kernel: ConfigKernelOptions;
  readonly plugins: readonly (ModuleDefinition | LocatedPlugin)[];
}

interface Issue {
  readonly path: string;
  readonly message: string;
  readonly hint?: string;
}

const KEYS = ["kernel", "plugins", "modules"];
const KERNEL_NUMBERS = ["callTimeoutMs", "logCapacity", "maxParked", "drainMs"];
const PROCESS_KEYS: Readonly<Record<string, string>> = {
  id: "string",
  command: "string",
  args: "array",
  cwd: "string",
  env: "object",
  name: "string",
  version: "string",
  description: "string",
  restart: "object",
  deadlines: "object",
  depends: "object",
  overlap: "boolean",
  health: "boolean",
  handshakeMs: "number",
  graceMs: "number",
  deadlineMs: "number",
  maxLineBytes: "number",
  maxPending: "number",
  maxQueuedBytes: "number",
};

/** Checks a configuration and resolves its paths against `file`. Throws `INVALID_OPTIONS`. */
export function parseConfig(value: unknown, file: URL): LoadedConfig {
  const issues: Issue[] = [];
  const plugins: (ModuleDefinition | LocatedPlugin)[] = [];
  if (!isRecord(value)) {
    issues.push({ path: "", message: `must be an object, not ${kindOf(value)}` });
    throw refusal(file, issues);
  }
  checkKeys(value, KEYS, "", issues);
  checkKernel(value["kernel"], issues);
  for (const [path, entry] of entriesOf(value, "plugins", issues)) {
    if (isDefinition(entry)) plugins.push(entry);
    else if (typeof entry === "string" && entry !== "") plugins.push(...locate(entry, path, file, issues));
    else if (isRecord(entry)) plugins.push(...parsePlugin(entry, path, file, issues));
    else
      issues.push({
        path,
        message: `must be a path, { path, id, isolation } or a definition, not ${kindOf(entry)}`,
      });
  }
  for (const [path, entry] of entriesOf(value, "modules", issues)) {
    if (isDefinition(entry)) plugins.push(entry);
    else if (isRecord(entry)) plugins.push(...parseProcess(entry, path, file, issues));
    else if (typeof entry === "string")
      issues.push({ path, message: "is a path", hint: "paths belong into plugins" });
    else
      issues.push({
        path,
        message: `must be the options of a process module or a definition, not ${kindOf(entry)}`,
      });
  }
  if (issues.length > 0) throw refusal(file, issues);
  return { kernel: (value["kernel"] ?? {}) as ConfigKernelOptions, plugins };
}

function checkKernel(kernel: unknown, issues: Issue[]): void {
  if (kernel === undefined) return;
  if (!isRecord(kernel))
    return void issues.push({ path: "kernel", message: `must be an object, not ${kindOf(kernel)}` });
  checkKeys(kernel, [...KERNEL_NUMBERS, "quarantine", "loaders"], "kernel.", issues);
  for (const key of KERNEL_NUMBERS) {
    const number = kernel[key];
    if (number === undefined || (typeof number === "number" && number >= 0)) continue;
    issues.push({ path: `kernel.${key}`, message: `must be a number of 0 or more, not ${kindOf(number)}` });
  }
  const { loaders = [], quarantine } = kernel;
  checkQuarantine(quarantine, issues);
  const usable =
    Array.isArray(loaders) &&
    loaders.every((loader) => isRecord(loader) && typeof loader["load"] === "function");
  if (!usable)
    issues.push({
      path: "kernel.loaders",
      message: "must be a list of loaders",
      hint: "JSON cannot hold one: use a .ts configuration",
    });
}

const QUARANTINE_KEYS = ["stops", "withinMs", "initialMs", "maxMs", "minRunMs"];

function checkQuarantine(quarantine: unknown, issues: Issue[]): void {
  if (quarantine === undefined || quarantine === false) return;
  if (!isRecord(quarantine))
    return void issues.push({
      path: "kernel.quarantine",
      message: `must be an object, or false for none, not ${kindOf(quarantine)}`,
    });
  checkKeys(quarantine, QUARANTINE_KEYS, "kernel.quarantine.", issues);
  for (const key of QUARANTINE_KEYS) {
    const number = quarantine[key];
    const whole = key !== "stops" || Number.isInteger(number);
    if (number === undefined || (typeof number === "number" && number > 0 && whole)) continue;
    if (key === "minRunMs" && number === 0) continue;
    issues.push({
      path: `kernel.quarantine.${key}`,
      message: `must be a ${key === "stops" ? "whole " : ""}number above 0, not ${kindOf(number)}`,
    });
  }
}

function parsePlugin(entry: Fields, path: string, file: URL, issues: Issue[]): readonly LocatedPlugin[] {
  const before = issues.length;
  checkKeys(entry, ["path", "id", "isolation"], `${path}.`, issues);
  const { path: target, id, isolation } = entry;
  if (typeof target !== "string" || target === "")
    issues.push({ path: `${path}.path`, message: `must be a path, not ${kindOf(target)}` });
  if (id !== undefined && typeof id !== "string")
    issues.push({ path: `${path}.id`, message: `must be a text, not ${kindOf(id)}` });
  if (isolation !== undefined && !isIsolation(isolation))
    issues.push({
      path: `${path}.isolation`,
      message: `must be ${ISOLATIONS.map((one) => `"${one}"`).join(", ")}, not ${kindOf(isolation)}`,
    });
  if (issues.length > before) return [];
  return locate(target as string, `${path}.path`, file, issues).map(({ url }) => ({
    url,
    ...(id === undefined ? {} : { id: id as string }),
    ...(isolation === undefined ? {} : { isolation: isolation as Isolation }),
  }));
}

/** The plugin at a path as it is written in a configuration; none, and an issue, when that is no path. */
function locate(target: string, path: string, file: URL, issues: Issue[]): readonly LocatedPlugin[] {
  try {
    return [{ url: resolve(target, file) }];
  } catch {
    issues.push({ path, message: `is no URL: ${kindOf(target)}`, hint: "write a path, or file:///a/path" });
    return [];
  }
}

const ISOLATIONS: readonly Isolation[] = ["inline", "worker", "process"];

function isIsolation(value: unknown): value is Isolation {
  return ISOLATIONS.some((one) => one === value);
}

function parseProcess(entry: Fields, path: string, file: URL, issues: Issue[]): ModuleDefinition[] {
  const before = issues.length;
  checkKeys(entry, Object.keys(PROCESS_KEYS), `${path}.`, issues);
  for (const [key, wanted] of Object.entries(PROCESS_KEYS)) {
    const found = entry[key];
    const fits =
      wanted === "array"
        ? Array.isArray(found)
        : wanted === "object"
          ? isRecord(found)
          : typeof found === wanted;
    const optional = key !== "id" && key !== "command";
    if (fits || (optional && found === undefined)) continue;
    const hint = key === "command" ? { hint: "one program; its arguments go into args" } : {};
    issues.push({
      path: `${path}.${key}`,
      message: `must be ${ARTICLES[wanted] ?? wanted}, not ${kindOf(found)}`,
      ...hint,
    });
  }
  if (issues.length > before) return [];
  const { cwd = ".", ...options } = entry as unknown as ProcessConfig;
  const [folder] = locate(cwd.endsWith("/") ? cwd : `${cwd}/`, `${path}.cwd`, file, issues);
  if (folder === undefined) return [];
  try {
    return [processModule({ ...options, cwd: folder.url })];
  } catch (error) {
    const { message, hint } = error as KeelsonError;
    issues.push({
      path,
      message: message.split("\n")[0] ?? message,
      ...(hint === undefined ? {} : { hint }),
    });
    return [];
  }
}

type Fields = Readonly<Record<string, unknown>>;

const ARTICLES: Readonly<Record<string, string>> = {
  string: "a text",
  array: "a list",
  object: "an object",
  boolean: "true or false",
  number: "a number",
};

function entriesOf(value: Fields, key: string, issues: Issue[]): [path: string, entry: unknown][] {
  const list = value[key] ?? [];
  if (Array.isArray(list)) return list.map((entry: unknown, index) => [`${key}[${index}]`, entry]);
  issues.push({ path: key, message: `must be a list, not ${kindOf(list)}` });
  return [];
}

function checkKeys(value: Fields, known: readonly string[], prefix: string, issues: Issue[]): void {
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    const near = suggest(key, known);
    issues.push({
      path: `${prefix}${key}`,
      message: `unknown key \`${key}\``,
      hint: near === undefined ? `known are ${known.join(", ")}` : `did you mean \`${near}\`?`,
    });
  }
}

/** The URL of a path as it is written in a configuration; `file:` URLs go as they are. */
function resolve(path: string, file: URL): URL {
  if (path.startsWith("file:")) return new URL(path);
  return new URL(escapePath(path), file);
}

function escapePath(path: string): string {
  return path.replaceAll("%", "%25").replaceAll("?", "%3F").replaceAll("#", "%23").replaceAll(":", "%3A");
}

function isDefinition(value: unknown): value is ModuleDefinition {
  return isRecord(value) && typeof value["create"] === "function" && isRecord(value["metadata"]);
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return typeof value === "function" ? "a function" : JSON.stringify(value);
}

function refusal(file: URL, issues: readonly Issue[]): KeelsonError {
  const lines = issues.map(
    ({ path, message, hint }) =>
      `\n  - ${path === "" ? "" : `${path}: `}${message}${hint === undefined ? "" : `: ${hint}`}`,
  );
  return new KeelsonError(
    "INVALID_OPTIONS",
    `${decodeURIComponent(file.pathname)} is not valid:${lines.join("")}`,
    {
      hint: "docs/getting-started.md shows a configuration",
      details: { issues },
    },
  );
}
