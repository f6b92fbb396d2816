import { allChecks } from "./checks/index.ts";
import { requireGiven } from "./given.ts";
import { promises } from "./promises.ts";
import { matches, type CheckResult, type Report } from "./run.ts";

/** Options of {@link formatResult} and {@link formatReport}. */
export interface FormatOptions {
  /** Use ANSI colours. Default false. */
  readonly color?: boolean;
}

const MARKS = { passed: "ok", failed: "FAILED", skipped: "skipped" } as const;
const COLORS = { passed: 32, failed: 31, skipped: 33 } as const;

/** One line for one result; the reason of a failure or skip on a line of its own. */
export function formatResult(result: CheckResult, options?: FormatOptions): string {
  const { id, title, status, reason, ms } = result ?? {};
  const { color = false } = options ?? {};
  requireGiven(Object.hasOwn(MARKS, status) && typeof id === "string", "a result of a check");
  const mark = MARKS[status].padEnd(8);
  const painted = color ? `\u001b[${COLORS[status]}m${mark}\u001b[0m` : mark;
  const line = `${painted}${id.padEnd(40)} ${title} (${ms} ms)`;
  return reason === undefined ? line : `${line}\n        ${reason.replaceAll("\n", "\n        ")}`;
}

/** The table of a whole report, a line a contract, and the totals. */
export function formatReport(report: Report, options?: FormatOptions): string {
  requireGiven(Array.isArray(report?.results), "a report of checks");
  const groups = new Map<string, { passed: number; failed: number; skipped: number }>();
  for (const { id, status } of report.results) {
    const name = id.slice(0, id.indexOf("."));
    const counts = groups.get(name) ?? { passed: 0, failed: 0, skipped: 0 };
    counts[status]++;
    groups.set(name, counts);
  }
  const row = (name: string, cells: readonly (string | number)[]): string =>
    name.padEnd(16) + cells.map((cell) => String(cell).padStart(9)).join("");
  const lines = [
    `Conformance of ${report.subject} on ${report.platform.name} ${report.platform.version}`,
    "",
  ];
  lines.push(row("contract", ["passed", "failed", "skipped"]));
  for (const [name, { passed, failed, skipped }] of groups) lines.push(row(name, [passed, failed, skipped]));
  const { passed, failed, skipped } = report.counts;
  lines.push(row("all", [passed, failed, skipped]));
  lines.push("", ...promiseLines(report));
  const told = report.results.filter(({ status }) => status !== "passed");
  if (told.length > 0) lines.push("", ...told.map((result) => formatResult(result, options)));
  return lines.join("\n");
}

/** What the results say of each promise: kept when all its checks were run and passed. */
function promiseLines({ results }: Report): readonly string[] {
  return promises.flatMap(({ number, text, checks, open, reason }) => {
    if (reason !== undefined) return [`promise ${number}: ${reason}: ${text}`];
    const belongs = ({ id }: { readonly id: string }): boolean => checks.some((part) => matches(id, part));
    const own = results.filter(belongs);
    const all = allChecks.filter(belongs).length;
    if (own.length === 0) return [];
    const passed = own.filter(({ status }) => status === "passed").length;
    const kept = open === undefined ? "kept" : "kept so far";
    const broken = own.some(({ status }) => status === "failed");
    const state = broken ? "BROKEN" : passed < all ? "in part" : kept;
    const still = open === undefined ? [] : [`           still open: ${open}`];
    return [`promise ${number}: ${state} (${passed} of ${all}): ${text}`, ...still];
  });
}
