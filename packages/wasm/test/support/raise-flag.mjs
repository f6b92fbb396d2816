// Raises the flag at index 0 once index 1 says that the guest runs.
import { parentPort, workerData } from "node:worker_threads";

parentPort.postMessage("ready");
Atomics.wait(workerData, 1, 0);
Atomics.store(workerData, 0, 1);
parentPort.postMessage("raised");
