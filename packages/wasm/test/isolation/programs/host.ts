// A host that is killed: says the pids of its guests' processes once one of them loops, which it does for a minute.
import { createKernel } from "@keelson/core";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { adapter, children } from "../../../../node-compat/test/adapter.ts";
import { wasmModule } from "../../../src/index.ts";
import { GUEST } from "../guests.ts";

/** Time that a process has run, clock ticks of 10 ms. */
function ticks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[11]);
}

const kernel = createKernel({ platform: await adapter() });
await kernel.register(wasmModule({ id: "guest", source: GUEST, abi: "raw", isolation: "process" }));
await kernel.start("guest");
const idle = children();
await kernel.register(
  wasmModule({ id: "busy", source: GUEST, abi: "raw", isolation: "process", limits: { cpuMs: 60_000 } }),
);
await kernel.start("busy");
const all = children();
const busy = all.find((pid) => !idle.includes(pid)) as number;
const call = kernel.invoke("busy", "spin", undefined, { timeoutMs: 60_000 });
for (const before = ticks(busy); ticks(busy) < before + 10;) await setTimeout(10);
console.log(JSON.stringify({ idle, all }));
await call;
