// The first program in a web worker: takes the address of the program that was asked for, gives it its end of the line, and loads it.
import type { ThreadEnd } from "@keelson/core";
import { threadTime } from "../thread-time.ts";

/** The first message. */
export interface ThreadBegin {
  /** Address of the program. */
  readonly program: string;
  /** Whether the runtime counts the time of single threads finely. */
  readonly countsThreads: boolean;
}

interface WorkerScope {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
}

const scope = globalThis as unknown as WorkerScope;
const waiting: unknown[] = [];

const createEnd = (ran: (() => number) | undefined): ThreadEnd => ({
  post(message, transfer) {
    if (transfer === undefined) scope.postMessage(message);
    else scope.postMessage(message, transfer);
  },
  listen(receive) {
    for (const message of waiting.splice(0)) receive(message);
    scope.onmessage = ({ data }) => receive(data);
  },
  ...(ran && { ran }),
});

scope.onmessage = ({ data }): void => {
  const { program, countsThreads } = data as ThreadBegin;
  const end = createEnd(countsThreads ? threadTime(false) : undefined);
  Object.defineProperty(globalThis, Symbol.for("keelson.end"), { value: end, configurable: true });
  scope.onmessage = ({ data }) => void waiting.push(data);
  // What it throws is told to the host as the end of this thread.
  void import(program);
};
