import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { performance } from "node:perf_hooks";
import process from "node:process";

const buffer = new Uint8Array(64);
const decoder = new TextDecoder();

/** What the system says of this thread: `[ran, waited]`, ns; undefined where it says nothing. Waited for a core, that is. */
function schedule(): readonly number[] | undefined {
  try {
    const file = openSync("/proc/thread-self/schedstat", "r");
    try {
      return decoder
        .decode(buffer.subarray(0, readSync(file, buffer)))
        .split(" ")
        .map(Number);
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}

/** The time that this thread ran, ms: what other programs took does not count. The wall clock where it is not known. */
export function ranMs(): number {
  // Asked for its usage, the system brings the thread's account up to date, which else is done every few ms.
  process.cpuUsage();
  const [ran] = schedule() ?? [];
  return ran === undefined ? performance.now() : ran / 1e6;
}

/** The time that this thread could have run and another had the core, or the machine's host had it (in steps of 10 ms), ms; 0 where it is not known. */
export function waitedMs(): number {
  return (schedule()?.[1] ?? 0) / 1e6 + stolenMs();
}

/** What the host of a virtual machine took of its cores. */
function stolenMs(): number {
  try {
    const [cores = ""] = readFileSync("/proc/stat", "utf8").split("\n", 1);
    return Number(cores.split(/\s+/)[8] ?? 0) * 10;
  } catch {
    return 0;
  }
}
