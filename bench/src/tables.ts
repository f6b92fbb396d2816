import { type Claim, judge, OURS, type Task, type Timing } from "./measure.ts";
import type { RuntimeResult } from "./results.ts";

/** One line of a table, as text. */
export interface Line {
  readonly task: string;
  readonly ours: string;
  readonly peer: string;
  readonly theirs: string;
  readonly figure: string;
  /** Of the fastest rounds. */
  readonly quiet: string;
  readonly target: string;
  readonly outcome: "met" | "missed" | "";
}

const headings: Line = {
  task: "task",
  ours: OURS,
  peer: "peer",
  theirs: "peer's",
  figure: "ratio",
  quiet: "fastest rounds",
  target: "target",
  outcome: "",
};

/** The lines of one task: its claims, then the contenders that no claim is about. */
export function linesOf(task: Task): readonly Line[] {
  const ours = task.timings.find(({ name }) => name === OURS) as Timing;
  const line = (
    peer: Timing,
    figure: string,
    quiet: string,
    target = "",
    outcome: Line["outcome"] = "",
  ): Line => ({
    task: task.task,
    ours: amount(task, ours),
    peer: peer.name,
    theirs: amount(task, peer),
    figure,
    quiet,
    target,
    outcome,
  });
  const lines: Line[] = [];
  const told = new Set<string>([OURS]);
  for (const claim of task.claims) {
    const verdict = judge(task, claim);
    if (verdict === undefined) continue;
    told.add(verdict.peer.name);
    const { peer, figure, quietFigure, met } = verdict;
    const [ratio, quiet] = [figureOf(claim, figure), figureOf(claim, quietFigure)];
    const outcome = met === undefined ? "" : met ? "met" : "missed";
    lines.push(line(peer, ratio, quiet, targetOf(claim), outcome));
  }
  for (const peer of task.timings) {
    if (told.has(peer.name)) continue;
    const noted = ours.note !== undefined || peer.note !== undefined;
    const ratio = (one: number, other: number): string => (noted ? "" : `${(one / other).toFixed(2)}×`);
    lines.push(line(peer, ratio(ours.median, peer.median), ratio(ours.least, peer.least)));
  }
  return lines;
}

function figureOf({ kind }: Claim, figure: number): string {
  if (kind === "adds at most") return `${figure < 0 ? "−" : "+"}${duration(Math.abs(figure))}`;
  return kind === "at least" ? `${figure.toFixed(2)}× as fast` : `${figure.toFixed(2)}×`;
}

function targetOf({ kind, target }: Claim): string {
  if (target === undefined) return "";
  if (kind === "adds at most") return `at most +${target < 1000 ? `${target} ns` : duration(target)}`;
  return kind === "at least" ? `at least ${target}× as fast` : `at most ${target}×`;
}

function amount({ unit }: Task, { median, note }: Timing): string {
  if (note !== undefined) return note;
  return unit === "bytes" ? `${(median / 1000).toFixed(0)} kB` : duration(median);
}

function duration(ns: number): string {
  if (ns < 1000) return `${ns.toFixed(ns < 10 ? 1 : 0)} ns`;
  return ns < 1e6 ? `${(ns / 1000).toFixed(ns < 1e4 ? 2 : 1)} µs` : `${(ns / 1e6).toFixed(2)} ms`;
}

const keys = Object.keys(headings) as (keyof Line)[];

/** A table for a terminal. */
export function plainTable(lines: readonly Line[]): string {
  const all = [headings, ...lines];
  const widths = keys.map((key) => Math.max(...all.map((line) => line[key].length)));
  return all
    .map((line) =>
      keys
        .map((key, at) => line[key].padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** A table in Markdown. */
export function markdownTable(lines: readonly Line[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    row(keys.map((key) => headings[key])),
    row(keys.map(() => "---")),
    ...lines.map((line) => row(keys.map((key) => line[key]))),
  ].join("\n");
}

/** All lines of a result. */
export function allLines({ groups }: RuntimeResult): readonly Line[] {
  return Object.values(groups).flatMap(({ tasks }) => tasks.flatMap(linesOf));
}
