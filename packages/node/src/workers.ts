import { asKeelsonError, type WorkerExit, type Workers } from "@keelson/core";
import { Worker } from "node:worker_threads";
import { threadProgram } from "./programs.ts";

/** Threads over `node:worker_threads`. */
export function createWorkers(): Workers {
  return {
    start(program, receive) {
      const worker = create(program);
      const { promise: exited, resolve } = Promise.withResolvers<WorkerExit>();
      worker.on("message", receive);
      worker.on("error", (error) => resolve({ error }));
      worker.on("exit", () => resolve({ error: undefined }));
      return {
        exited,
        post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
        async terminate() {
          await worker.terminate();
        },
      };
    },
  };
}

function create(program: URL): Worker {
  try {
    return new Worker(threadProgram, { workerData: { program: program.href } });
  } catch (error) {
    throw asKeelsonError(error, "SPAWN_FAILED", "a worker thread cannot be started");
  }
}
