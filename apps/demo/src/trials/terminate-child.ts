/**
 * Measures what `worker.terminate()` does on this runtime: starts a worker that runs an endless WebAssembly loop, terminates it, and
 * watches what the process burns. Prints one line of JSON and waits to be killed: where the thread lives on, nothing else would end it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { builtPlugins } from "../build.ts";
import type { TerminateFigures } from "./terminate.ts";

const WATCHED_MS = 500;
/** How long terminate() is waited for, ms. */
const PATIENCE_MS = 1000;
/** Ticks of the clock by which Linux counts a thread's time. */
const TICKS_PER_SECOND = 100;

/** Processor time so far, ms: of the thread that used most, by its own file; of the whole process where there are no such files. */
function busiestThreadMs(before: ReadonlyMap<string, number>): number {
  let most = 0;
  for (const [thread, ms] of threadTimes()) most = Math.max(most, ms - (before.get(thread) ?? 0));
  return most;
}

function threadTimes(): Map<string, number> {
  if (process.platform !== "linux") {
    const { user, system } = process.cpuUsage();
    return new Map([["process", (user + system) / 1000]]);
  }
  const times = new Map<string, number>();
  for (const thread of readdirSync("/proc/self/task")) {
    try {
      const stat = readFileSync(`/proc/self/task/${thread}/stat`, "utf8");
      // The name in parentheses may hold anything; user and system time are fields 14 and 15 of the line.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      times.set(thread, ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND);
    } catch {
      // It has ended in the meantime.
    }
  }
  return times;
}

/** Cores that the busiest thread uses for a while. */
async function watch(): Promise<number> {
  const before = threadTimes();
  const from = performance.now();
  await wait(WATCHED_MS);
  return busiestThreadMs(before) / (performance.now() - from);
}

const flag = new Int32Array(new SharedArrayBuffer(4));
const code = new Uint8Array(await readFile(new URL("endless.wasm", builtPlugins)));
const worker = new Worker(new URL("terminate-worker.ts", import.meta.url), { workerData: { code, flag } });
while (Atomics.load(flag, 0) === 0) await wait(5);
const coresBefore = await watch();
const from = performance.now();
const resolved = await Promise.race([
  worker.terminate().then(() => performance.now() - from),
  wait(PATIENCE_MS).then(() => undefined),
]);
const coresAfter = await watch();
const figures: TerminateFigures = {
  coresBefore,
  coresAfter,
  ...(resolved === undefined ? {} : { resolvedMs: resolved }),
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
setInterval(() => {}, 1000);
