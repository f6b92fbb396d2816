import type { ShutdownReport } from "keelson";
import type { Expectations } from "./expectations.ts";
import type { Press, PressCounts } from "../press.ts";
import type { StreamCounts } from "./stream.ts";
import { lookUntil, type SystemLook } from "./system.ts";

/** Descriptors and threads that the runtimes themselves open or close at their leisure. */
const TOLERANCE = 2;

/** What is left when all is over: by the kernel's report, then by looking at the system. */
export async function checkSystem(
  { mark, plugins }: Press,
  before: SystemLook,
  report: ShutdownReport,
  expect: Expectations,
): Promise<SystemLook> {
  const clean = report.orphans.length === 0 && report.errors.length === 0;
  const detail = report.errors.map(({ id, error }) => `${id}: ${error.message}`).join("; ");
  expect.that(
    `the kernel reports ${plugins.length} modules stopped, no orphan, no error`,
    clean && report.terminated.length === plugins.length,
    detail,
  );
  const near = (now?: number, then?: number): boolean => now === undefined || now <= (then ?? 0) + TOLERANCE;
  // What was told to end may take a moment to be gone; pools of the runtimes' own threads end theirs within seconds.
  await lookUntil([mark], ({ processes }) => processes.length === 0, 3_000);
  const quiet = (now: SystemLook): boolean =>
    near(now.threads, before.threads) && near(now.descriptors, before.descriptors);
  const after = await lookUntil([mark], quiet, 15_000);
  const alive = after.processes.map(({ pid, command }) => `${pid} ${command}`).join("; ");
  expect.that("the system shows no process of ours any more", after.processes.length === 0, alive);
  expect.that(
    "… no thread more than before",
    near(after.threads, before.threads),
    change(before.threads, after.threads),
  );
  const descriptors = change(before.descriptors, after.descriptors);
  expect.that(
    "… and no descriptor more than before",
    near(after.descriptors, before.descriptors),
    descriptors,
  );
  return after;
}

/** The figures of a run, for people. */
export function printReport(
  counts: PressCounts,
  stream: StreamCounts | undefined,
  report: ShutdownReport,
  { before, after }: { readonly before: SystemLook; readonly after: SystemLook },
  print: (line: string) => void,
): void {
  print("");
  print(`requests   served ${counts.served}, failed ${counts.failed}, without a filter ${counts.degraded}`);
  print(`stream     sent ${stream?.sent ?? 0}, failed ${stream?.failures.length ?? 0}`);
  print(`plugins    restarts ${counts.restarts}, rollbacks ${counts.rollbacks}`);
  print(
    `kernel     stopped ${report.terminated.join(", ")}; orphans ${report.orphans.length}, errors ${report.errors.length}`,
  );
  const alive = after.processes.map(({ pid, command }) => `${pid} ${command}`);
  print(`system     processes alive: ${alive.length === 0 ? "none" : alive.join("; ")}`);
  print(`           threads ${change(before.threads, after.threads)}`);
  print(`           descriptors ${change(before.descriptors, after.descriptors)}`);
  print("");
}

function change(before: number | undefined, after: number | undefined): string {
  return before === undefined || after === undefined
    ? "not visible on this system"
    : `${before} before, ${after} after`;
}
