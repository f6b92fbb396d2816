// The first program in a thread: gives the program that was asked for its end of the line, and loads it.
import type { ThreadEnd } from "@keelson/core";
import { parentPort, workerData } from "node:worker_threads";

// The global one: an import would make streams of standard input and output for the thread.
const { process } = globalThis;
const port = parentPort;
if (port === null) throw new TypeError("this program is the beginning of a worker thread");

function ran(): number {
  // Asked for the process's time, Linux brings the thread's account up to date.
  process.cpuUsage();
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Not every system counts the time of threads. */
function isCounted(): boolean {
  try {
    return ran() >= 0;
  } catch {
    return false;
  }
}

const end: ThreadEnd = {
  post: (message, transfer = []) => port.postMessage(message, [...transfer]),
  // A port keeps what comes until somebody listens.
  listen: (receive) => void port.on("message", receive),
  ...(isCounted() && { ran }),
};
Object.defineProperty(globalThis, Symbol.for("keelson.end"), { value: end, configurable: true });

await import((workerData as { readonly program: string }).program);
