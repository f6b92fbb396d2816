import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { platform } from "keelson";
import { runOrThrow } from "../../tools/command.ts";
import { scriptArguments } from "../../tools/runtimes.ts";
import type { Overshoot, Stopped } from "./children/overshoot-here.ts";
import { OURS, type Task, type Timing } from "./measure.ts";

/** The `cpuMs` of every guest. */
const CPU_MS = 50;
const LIMIT = `cpuMs ${CPU_MS}`;

/** How long all of them may take: 100 rounds take three minutes. */
const MOST_MS = 30 * 60_000;

/** A run in which the thread waited longer than this for a core tells of the machine. */
const UNDISTURBED_MS = 0.05;

/**
 * How far guests that never return pass a `cpuMs` of 50: each shape that ends by time, `rounds` times, in a new instance whose first
 * call it is.
 */
export async function benchOvershoot(rounds: number): Promise<readonly Task[]> {
  const { shapes, stopped, invoked, invokedShapes, bare } = await measured(rounds);
  const quiet = stopped.filter(({ waited }) => waited <= UNDISTURBED_MS);
  const share = `${quiet.length} of ${stopped.length} runs`;
  return [
    ...rows(
      `${shapes} shapes × ${rounds}, the guest's last instruction`,
      stopped,
      "guest",
      [0.1, 1, 5],
      [part(`a bare loop that looks at the clock, ${bare.ms / 1000} s, longest gap`, bare.worst)],
    ),
    ...rows("the same, until the caller has the error", stopped, "caller", [0.1]),
    ...rows(
      `by the kernel, in instances that stand ready: ${invokedShapes} shapes × ${rounds}, until the caller has the error`,
      invoked,
      "caller",
      [],
    ),
    ...rows(
      `the guest's last instruction, where no other program had the core (${share})`,
      quiet,
      "guest",
      [],
    ),
  ];
}

/** Assembles, bundles and measures, each in a process of its own. */
async function measured(rounds: number): Promise<Overshoot> {
  const folder = mkdtempSync(join(tmpdir(), "keelson-overshoot-"));
  const file = (name: string): string => join(folder, name);
  const child = (name: string): string => join(import.meta.dirname, "children", name);
  const { name } = platform();
  const before = scriptArguments(name);
  try {
    writeFileSync(
      file("shapes.json"),
      await runOrThrow(process.execPath, [...before, child("assemble-shapes.ts")]),
    );
    const bundle = ["--target=node", `--conditions=${name}`, `--outfile=${file("here.mjs")}`];
    await runOrThrow("bun", ["build", child("overshoot-here.ts"), ...bundle]);
    const args = [file("here.mjs"), file("shapes.json"), file("found.json"), String(rounds), String(CPU_MS)];
    await runOrThrow(process.execPath, [...before, ...args], { output: "show", limitMs: MOST_MS });
    return JSON.parse(readFileSync(file("found.json"), "utf8")) as Overshoot;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function rows(
  what: string,
  runs: readonly Stopped[],
  figure: "guest" | "caller",
  most: readonly number[],
  beside: readonly Timing[] = [],
): readonly Task[] {
  const sorted = runs.toSorted((one, other) => one[figure] - other[figure]);
  const [least] = sorted;
  if (least === undefined) return [];
  const at = (share: number): Stopped =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as Stopped;
  const quantiles = { median: at(0.5), "99th percentile": at(0.99), worst: at(1) };
  return Object.entries(quantiles).map(([quantile, run], index): Task => {
    const target = most[index];
    const time = { median: (CPU_MS + run[figure]) * 1e6, least: (CPU_MS + least[figure]) * 1e6 };
    return {
      task: `${what}: ${quantile}`,
      timings: [
        { name: OURS, ...time },
        { name: LIMIT, median: CPU_MS * 1e6, least: CPU_MS * 1e6 },
        ...(quantile === "worst" ? [...partsOf(run), ...beside] : []),
      ],
      claims: [{ against: [LIMIT], kind: "adds at most", ...(target && { target: target * 1e6 }) }],
    };
  });
}

/** What the time of a run went to that was not the guest's, nor ours. */
function partsOf({ away, collected }: Stopped): readonly Timing[] {
  return [
    part("of it, the thread did not run", away),
    ...(collected === undefined ? [] : [part("of it, garbage was collected", collected)]),
  ];
}

/** A time that is told, and compared with nothing. */
function part(name: string, ms: number): Timing {
  return { name, median: ms * 1e6, least: ms * 1e6, note: `${ms.toFixed(2)} ms` };
}
