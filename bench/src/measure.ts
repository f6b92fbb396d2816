import { performance } from "node:perf_hooks";
import process from "node:process";
import { ranMs } from "./thread-time.ts";

/** One who does the task; all contenders of a task do the same work. */
export interface Contender {
  readonly name: string;
  /** Does the task `times` over. Answers the ms it took where only a part of what it does counts. */
  run(times: number): Promise<number | void> | number | void;
}

/** What is told of a task beside the best of `against`, and what Keelson promises of it if there is a target. */
export interface Claim {
  readonly against: readonly string[];
  readonly kind: "at most" | "at least" | "adds at most";
  readonly target?: number;
}

/** What a contender took, in ns for one piece of the work. */
export interface Timing {
  readonly name: string;
  /** Of all rounds. */
  readonly median: number;
  readonly least: number;
  /** Said instead of the time, where there is none that can be compared. */
  readonly note?: string;
}

/** One task with what all contenders took. */
export interface Task {
  readonly task: string;
  /** What is counted instead of ns. */
  readonly unit?: "bytes";
  readonly timings: readonly Timing[];
  readonly claims: readonly Claim[];
}

/** How a claim turned out. */
export interface Verdict {
  readonly peer: Timing;
  /** Times the peer's, times faster than it, or ns above it, as the claim has it: of the medians. */
  readonly figure: number;
  /** The same of the fastest rounds, which what else runs on the machine disturbs least. */
  readonly quietFigure: number;
  /** Undefined where nothing is promised. */
  readonly met: boolean | undefined;
}

/** The contender whose promises are judged. */
export const OURS = "keelson";

/** How a task is measured. */
export interface Turns {
  /** Rounds; in each, every contender has its turn. */
  readonly rounds: number;
  /** Pieces of work in one turn. */
  readonly times: number;
  /** Rounds before, which are not counted. Default 3; more where these take less than {@link WARM_MS}. */
  readonly warm?: number;
}

/** Engines compile in the background: a task whose turns take a millisecond would be over before its code is what it stays. */
const WARM_MS = 150;

/** Lets the contenders take turns, ABAB, in one process, and answers the medians. */
export async function alternate(
  task: string,
  contenders: readonly Contender[],
  { rounds, times, warm = 3 }: Turns,
  claims: readonly Claim[] = [],
): Promise<Task> {
  const taken = contenders.map((): number[] => []);
  const warmBy = performance.now() + WARM_MS;
  for (let round = -warm; round < rounds; round++) {
    if (round === 0 && warm > 0 && performance.now() < warmBy) round = -1;
    progress(`${task}: round ${round + 1} of ${rounds}`);
    for (const [at, contender] of contenders.entries()) {
      const begin = performance.now();
      const running = contender.run(times);
      const own = typeof running === "object" ? await running : running;
      const ms = typeof own === "number" ? own : performance.now() - begin;
      if (round >= 0) taken[at]?.push((ms * 1e6) / times);
    }
  }
  return { task, timings: contenders.map(({ name }, at) => timing(name, taken[at] as number[])), claims };
}

/** The same contender, timed by what its thread ran: what other programs took does not count. */
export function byThread(contender: Contender): Contender {
  return {
    name: contender.name,
    async run(times) {
      const begin = ranMs();
      await contender.run(times);
      return ranMs() - begin;
    },
  };
}

/** The median and the least of what was taken. */
export function timing(name: string, taken: readonly number[]): Timing {
  const sorted = [...taken].sort((one, other) => one - other);
  return { name, median: sorted[sorted.length >> 1] ?? Number.NaN, least: sorted[0] ?? Number.NaN };
}

/** Holds a claim against what was measured; undefined when a contender was left out. */
export function judge({ timings }: Task, claim: Claim): Verdict | undefined {
  const ours = timings.find(({ name }) => name === OURS);
  const peers = timings.filter(({ name }) => claim.against.includes(name));
  const [peer] = peers.sort((one, other) => one.median - other.median);
  if (ours === undefined || peer === undefined) return undefined;
  const figure = figureOf(claim, ours.median, peer.median);
  const quietFigure = figureOf(claim, ours.least, peer.least);
  const { kind, target } = claim;
  const met = target === undefined ? undefined : kind === "at least" ? figure >= target : figure <= target;
  return { peer, figure, quietFigure, met };
}

function figureOf({ kind }: Claim, ours: number, theirs: number): number {
  if (kind === "at least") return theirs / ours;
  return kind === "at most" ? ours / theirs : ours - theirs;
}

/** Shows on a terminal what is being measured; the line is written over. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
