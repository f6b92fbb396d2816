import type { Deadlines } from "../contract/module.ts";
import type { Manifest } from "../contract/manifest.ts";
import type { RestartOptions } from "../contract/supervised.ts";
import type { MaybePromise } from "../contract/value.ts";
import type { RequestHandler } from "./requests.ts";
import { invalidOptions, shown, type Wanted } from "../primitives/invalid-options.ts";

/** Variables for a child's environment. */
export type Environment = Readonly<Record<string, string>>;

/** What is known when a child's last variables are asked for. */
export interface PreSpawnContext {
  /** The module's id, or the command of a one-shot run. */
  readonly id: string;
  /** The module's generation; 1 for a one-shot run. */
  readonly generation: number;
  /** Fires when the start was given up. */
  readonly signal: AbortSignal | undefined;
}

/** How a child that speaks JSON lines is started. */
export interface ChildProcessOptions {
  /** Program: a name looked up in PATH, or a path. No shell is involved. */
  readonly command: string;
  /** Its arguments, each as it is. Default: none. */
  readonly args?: readonly string[] | undefined;
  /** A path or a `file:` URL. Default: the host's own working directory. */
  readonly cwd?: string | URL | undefined;
  /** The child's environment; besides it, only what the platform always passes on. */
  readonly env?: Environment | undefined;
  /** More of the environment, made for each start: a token, a port. Wins over `env`. */
  readonly preSpawn?: Environment | ((context: PreSpawnContext) => MaybePromise<Environment>) | undefined;
  /** Bytes of one line of the child's at most. Default 1 MiB. */
  readonly maxLineBytes?: number | undefined;
  /** Time between asking the process tree to end and killing it, ms. Default 500. */
  readonly graceMs?: number | undefined;
  /** Time after which processes that survive are reported, ms. Default 5,000. */
  readonly deadlineMs?: number | undefined;
}

/** Options of `processModule`. */
export interface ProcessModuleOptions extends ChildProcessOptions {
  readonly id: string;
  /** Default: the id. */
  readonly name?: string | undefined;
  /** Default "0.0.0". */
  readonly version?: string | undefined;
  readonly description?: string | undefined;
  /** Time for the first event, ms. Default 10,000. */
  readonly handshakeMs?: number | undefined;
  /** The policy, if absent, is "on-failure". */
  readonly restart?: RestartOptions | undefined;
  /** Default: `startMs` 10,000 more than the handshake, `stopMs` 2,000 more than the ending of the tree may take. */
  readonly deadlines?: Deadlines | undefined;
  /** What must run before it: ids and ranges of versions. */
  readonly depends?: Readonly<Record<string, string>> | undefined;
  /** Whether a reload may run two of the process side by side. Default false. */
  readonly overlap?: boolean | undefined;
  /** Whether the child answers the method "health", with a boolean or `{ healthy, message? }`. Default false: healthy while it lives. */
  readonly health?: boolean | undefined;
  /** Answers all requests of the child, or lets them pass. Default: those that name a module go there, whichever it is; others are `UNKNOWN_METHOD`. */
  readonly onRequest?: RequestHandler | undefined;
  /** Requests in flight in each direction at most; one more is refused with `QUEUE_FULL`. Default 10,000. */
  readonly maxPending?: number | undefined;
  /** Characters held for a child that does not read, at most; what does not fit is refused with `QUEUE_FULL`. Default 16 Mi. */
  readonly maxQueuedBytes?: number | undefined;
  readonly manifest?: Manifest | undefined;
}

export const DEFAULT_LINE_BYTES = 1_048_576;
export const DEFAULT_GRACE_MS = 500;
export const DEFAULT_DEADLINE_MS = 5000;

/** Whether a system can pass this variable on. */
export function isVariable(name: string, value: unknown): boolean {
  return name !== "" && !/[=\0]/.test(name) && typeof value === "string" && !value.includes("\0");
}

/** For `requireOptions`. */
export const childOptions = {
  command: true,
  args: true,
  cwd: true,
  env: "object",
  preSpawn: true,
  maxLineBytes: 1,
  graceMs: 0,
  deadlineMs: 0,
} as const;

/** The same for a module. */
export const processOptions: Readonly<Record<keyof ProcessModuleOptions, Wanted>> = {
  ...childOptions,
  id: true,
  name: true,
  version: true,
  description: "string",
  handshakeMs: 1,
  restart: "object",
  deadlines: "object",
  depends: true,
  overlap: "boolean",
  health: "boolean",
  onRequest: "function",
  maxPending: 1,
  maxQueuedBytes: 1,
  manifest: true,
};

/** Throws `INVALID_OPTIONS` for a command that cannot be one, or an environment. */
export function checkChildOptions(options: ChildProcessOptions): void {
  const { command, args = [], cwd = "" } = options ?? {};
  if (!Array.isArray(args)) throw invalidOptions(`args is ${shown(args)}`, "give an array of strings");
  for (const [index, word] of [command, ...args].entries()) {
    if (typeof word === "string" && !word.includes("\0") && (index > 0 || word !== "")) continue;
    throw invalidOptions(
      `${index === 0 ? "command" : `args[${index - 1}]`} is no usable text`,
      "command is one program, args its arguments, each a string without NUL",
      { option: index === 0 ? "command" : "args" },
    );
  }
  if (typeof cwd !== "string" && !(cwd instanceof URL))
    throw invalidOptions(`cwd is ${shown(cwd)}`, "give a path or a file: URL, or leave it out");
  for (const [name, value] of Object.entries(options.env ?? {})) {
    if (isVariable(name, value)) continue;
    throw invalidOptions(
      `env.${name} is no variable`,
      "names and values are texts without NUL, a name has no = and is not empty",
      { option: "env" },
    );
  }
}
