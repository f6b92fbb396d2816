// The first program in a thread: gives the program that was asked for its end of the line, and loads it.
import type { ThreadEnd } from "@keelson/core";
import { parentPort, workerData } from "node:worker_threads";

const port = parentPort;
if (port === null) throw new TypeError("this program is the beginning of a worker thread");

const end: ThreadEnd = {
  post: (message, transfer = []) => port.postMessage(message, [...transfer]),
  // A port keeps what comes until somebody listens.
  listen: (receive) => void port.on("message", receive),
};
Object.defineProperty(globalThis, Symbol.for("keelson.end"), { value: end, configurable: true });

await import((workerData as { readonly program: string }).program);
