import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { platform } from "keelson";
import { scriptArguments } from "../../tools/runtimes.ts";
import { OURS, progress, type Task, type Timing } from "./measure.ts";

const SHAPES = [
  "an empty loop",
  "recursion that returns, without end",
  "mutual tail calls",
  "catch_all around a trap-free throw",
  "memory.fill",
  "memory.copy",
  "table.fill",
  "array.fill",
  "atomics wait",
];
const NAMES: Readonly<Record<string, string>> = {
  keelson: OURS,
  inline: "Extism JS 1.0.3",
  worker: "Extism JS 1.0.3, in a worker, closed after 200 ms",
  next: "Extism JS 2.0.0-rc13, in a worker, timeoutMs 200",
};
/** What has not ended by then never will, ms. */
const LIMIT_MS = 3000;
/** A process that uses more of a core than this after its guest was stopped has not stopped it. */
const BUSY_CORES = 0.05;

/**
 * Whether guests that never return are stopped after 200 ms, and when: each in a process of its own, which is killed afterwards.
 */
export async function benchRunaways(): Promise<readonly Task[]> {
  const tasks: Task[] = [];
  for (const shape of SHAPES) {
    progress(`runaways: ${shape}`);
    // Who leaves a core burning does so until it is killed: never more than two at once, and ours alone.
    const run = (contender: string): Promise<Timing> => attempt(contender, shape);
    const ours = await run("keelson");
    const peers = await Promise.all([run("inline"), run("worker")]);
    peers.push(await run("next"));
    tasks.push({ task: `stopped: ${shape}`, timings: [ours, ...peers], claims: [] });
  }
  return tasks;
}

async function attempt(contender: string, shape: string): Promise<Timing> {
  const script = join(import.meta.dirname, "children/runaway.ts");
  const child = spawn(process.execPath, [...scriptArguments(platform().name), script, contender, shape], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const exited = new Promise((done) => child.once("exit", done));
  try {
    return { name: NAMES[contender] ?? contender, ...(await watch(child)) };
  } finally {
    process.kill(child.pid as number, "SIGKILL");
    await exited;
  }
}

type Found = Pick<Timing, "median" | "least" | "note">;

/** Reads what the child says until it is done, or has said nothing for too long since it began. */
async function watch(child: ChildProcess): Promise<Found> {
  let endMs: number | undefined;
  let cores: number | undefined;
  let failed = false;
  let timer: NodeJS.Timeout | undefined;
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const done = new Promise<void>((resolve) => {
    lines.on("line", (line) => {
      const [word, value] = line.split(" ");
      if (word === "begin") timer = setTimeout(resolve, LIMIT_MS);
      if (word === "failed") failed = true;
      if (word === "end") endMs = Number(value);
      if (word === "cpu") cores = Number(value);
      if (cores !== undefined) resolve();
    });
    lines.once("close", resolve);
  });
  await done;
  clearTimeout(timer);
  lines.close();
  return failed ? { ...timeOf(endMs), note: "does not start" } : judge(endMs, cores);
}

function judge(endMs: number | undefined, cores: number | undefined): Found {
  const found = timeOf(endMs);
  const runsOn = cores !== undefined && cores > BUSY_CORES;
  if (cores === undefined) return { ...found, note: "never: the host stands still" };
  if (endMs === undefined) {
    return { ...found, note: runsOn ? "never: a thread burns" : "stopped; the call stays pending" };
  }
  return { ...found, note: `${endMs.toFixed(0)} ms${runsOn ? ", but a thread burns on" : ""}` };
}

function timeOf(endMs = LIMIT_MS): Pick<Timing, "median" | "least"> {
  return { median: endMs * 1e6, least: endMs * 1e6 };
}
