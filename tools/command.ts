import { spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter, join } from "node:path";
import process from "node:process";

/** The repository's root folder. */
export const root: string = join(import.meta.dirname, "..");

/** Options of {@link run}. */
export interface RunOptions {
  /** The folder to run in; the repository's root by default. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** "show" passes the output through as it comes, "capture" (default) keeps it. */
  readonly output?: "show" | "capture";
  /** Ends the command with all its children after so long. Default: ten minutes. */
  readonly limitMs?: number;
  /** Ends the command with all its children when it fires. */
  readonly signal?: AbortSignal;
}

/** How a command ended. */
export interface RunResult {
  /** The exit code, or null when a signal or the limit ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

/** The environment of every command: the pinned tools first on the path, and nothing that calls home. */
export function toolEnvironment(extra: RunOptions["env"] = {}): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PATH: `${join(root, "node_modules/.bin")}${delimiter}${process.env["PATH"] ?? ""}`,
    DENO_NO_UPDATE_CHECK: "1",
    TURBO_TELEMETRY_DISABLED: "1",
    DO_NOT_TRACK: "1",
    ...(process.stdout.isTTY ? {} : { NO_COLOR: "1", FORCE_COLOR: undefined }),
    ...extra,
  };
}

/** Runs a command to its end; a failing one is a result, not an error. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const stdio = options.output === "show" ? "inherit" : "pipe";
  // A group of its own, so that the limit ends its children too.
  const child = spawn(command, args, {
    cwd: options.cwd ?? root,
    env: toolEnvironment(options.env),
    stdio: ["ignore", stdio, stdio],
    detached: true,
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const endGroup = (signal: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {
      // gone already
    }
  };
  const interrupt = (): void => {
    endGroup("SIGTERM");
    process.exit(130);
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  let timedOut = false;
  const limit = setTimeout(
    () => {
      timedOut = true;
      endGroup("SIGKILL");
    },
    options.limitMs ?? 10 * 60_000,
  );
  const giveUp = (): void => endGroup("SIGKILL");
  options.signal?.addEventListener("abort", giveUp, { once: true });
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return { code, stdout, stderr, timedOut };
  } finally {
    clearTimeout(limit);
    options.signal?.removeEventListener("abort", giveUp);
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

/** Runs a command and returns its standard output; throws with all it printed when it fails. */
export async function runOrThrow(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const result = await run(command, args, options);
  if (result.code === 0) return result.stdout;
  const how = result.timedOut ? "took too long" : `ended with ${result.code ?? "a signal"}`;
  throw new Error(`\`${command} ${args.join(" ")}\` ${how}\n${result.stdout}${result.stderr}`.trimEnd());
}
