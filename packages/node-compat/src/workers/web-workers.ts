import { asKeelsonError, describeThrown, type WorkerExit, type Workers } from "@keelson/core";
import { webThreadProgram } from "../programs.ts";
import type { ThreadBegin } from "../programs/web-thread-end.ts";

/** The part of a web Worker that is used here; each runtime declares its own. */
interface WebWorker {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: ErrorLike) => void) | null;
  addEventListener(type: "close", listener: () => void): void;
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  terminate(): void;
}

interface ErrorLike {
  readonly message?: string;
  readonly error?: unknown;
  preventDefault?(): void;
}

type WorkerClass = new (program: URL, options: { readonly type: "module" }) => WebWorker;

/**
 * Threads over the runtime's own `Worker`, where that is quicker than `node:worker_threads`.
 *
 * @param countsThreads whether the runtime counts the time of single threads finely, and not in hundredths of a second
 */
export function createWebWorkers(countsThreads: boolean): Workers {
  return {
    start(program, receive) {
      const worker = create();
      const { promise: exited, resolve } = Promise.withResolvers<WorkerExit>();
      let over = false;
      const end = (error: unknown): void => {
        over = true;
        worker.onmessage = null;
        resolve({ error });
      };
      worker.onmessage = ({ data }) => receive(data);
      worker.onerror = (event) => {
        // Else the error that ended the thread would end the host.
        event.preventDefault?.();
        const error = event.error ?? new Error(describeThrown(event.message ?? "an error without a message"));
        // On Deno a thread whose error was caught here lives on.
        worker.terminate();
        end(error);
      };
      // Bun alone tells it.
      worker.addEventListener("close", () => end(undefined));
      worker.postMessage({ program: program.href, countsThreads } satisfies ThreadBegin);
      return {
        exited,
        post(message, transfer) {
          if (over) return;
          if (transfer === undefined) worker.postMessage(message);
          else worker.postMessage(message, transfer);
        },
        async terminate() {
          if (over) return;
          worker.terminate();
          end(undefined);
        },
      };
    },
  };
}

function create(): WebWorker {
  const { Worker } = globalThis as unknown as { readonly Worker: WorkerClass };
  try {
    return new Worker(webThreadProgram, { type: "module" });
  } catch (error) {
    throw asKeelsonError(error, "SPAWN_FAILED", "a worker thread cannot be started");
  }
}
