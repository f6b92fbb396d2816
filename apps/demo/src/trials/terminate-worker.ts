// A worker that never ends by itself: it says that it runs, then enters the guest's loop.
import { workerData } from "node:worker_threads";

const { code, flag } = workerData as { readonly code: Uint8Array<ArrayBuffer>; readonly flag: Int32Array };
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code));
Atomics.store(flag, 0, 1);
(exports["run"] as () => void)();
