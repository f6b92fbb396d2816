import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { milliseconds, type Account } from "./account.ts";
import { RUN_MARK } from "../plugins.ts";
import { currentRuntime, scriptArguments } from "../runtime.ts";

/** What the child measured. Cores are those of its busiest thread. */
export interface TerminateFigures {
  readonly coresBefore: number;
  readonly coresAfter: number;
  /** From `terminate()` to its promise, ms; absent when that did not come. */
  readonly resolvedMs?: number;
}

/** How long the child may take, ms. */
const PATIENCE_MS = 20_000;
/** A thread that uses more than this lives on. */
const BURNING_CORES = 0.1;

/**
 * Measures what `worker.terminate()` does here, in a child process of the same runtime, which is then killed: a thread that burns on would
 * burn on in this process.
 */
export async function tryTerminate(mark: string): Promise<Account> {
  const path = fileURLToPath(new URL("terminate-child.ts", import.meta.url));
  const child = spawn(process.execPath, scriptArguments(path), {
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, [RUN_MARK]: mark },
  });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const late = setTimeout(() => kill(child.pid), PATIENCE_MS);
  let figures: TerminateFigures | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    figures = JSON.parse(line) as TerminateFigures;
    break;
  }
  const from = performance.now();
  kill(child.pid);
  await ended;
  clearTimeout(late);
  return account(figures, performance.now() - from);
}

function account(figures: TerminateFigures | undefined, killedMs: number): Account {
  const burns = figures !== undefined && figures.coresAfter > BURNING_CORES;
  const runtime = `${currentRuntime()} ${process.versions[currentRuntime()] ?? ""}`;
  return {
    title: burns ? "terminate() left the thread burning" : "terminate() ended the thread, this time",
    kept: figures !== undefined,
    alarming: burns,
    story:
      `A worker of ${runtime} ran the loop of the plugin endless, not metered, and was terminated. This was done in a process of its own, ` +
      "which then got SIGKILL: that always works. Keelson stops guests by metering, and trusts no terminate().",
    facts:
      figures === undefined
        ? [{ name: "error", value: "the measuring process said nothing" }]
        : [
            {
              name: "terminate()",
              value:
                figures.resolvedMs === undefined
                  ? "its promise did not settle within a second"
                  : `said that it was done after ${milliseconds(figures.resolvedMs)}`,
            },
            { name: "before", value: cores(figures.coresBefore) },
            { name: "after", value: cores(figures.coresAfter) },
            { name: "SIGKILL", value: `the process was gone after ${milliseconds(killedMs)}` },
          ],
  };
}

function cores(share: number): string {
  return `the busiest thread used ${share.toFixed(2)} of a core`;
}

/** Not child.kill, after which Deno tells of a signal however the child ended. */
function kill(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
