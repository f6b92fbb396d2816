// A host that is killed: says the pid of its guest's process, and has the guest loop for ever.
import { createKernel } from "@keelson/core";
import { adapter, children } from "../../../../node-compat/test/adapter.ts";
import { wasmModule } from "../../../src/index.ts";
import { GUEST } from "../guests.ts";

const kernel = createKernel({ platform: await adapter() });
await kernel.register(wasmModule({ id: "guest", source: GUEST, abi: "raw", isolation: "process" }));
await kernel.start("guest");
const idle = children();
await kernel.register(
  wasmModule({ id: "busy", source: GUEST, abi: "raw", isolation: "process", limits: { cpuMs: 60_000 } }),
);
await kernel.start("busy");
console.log(JSON.stringify({ idle, all: children() }));
await kernel.invoke("busy", "spin", undefined, { timeoutMs: 60_000 });
