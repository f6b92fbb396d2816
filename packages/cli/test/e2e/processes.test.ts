import process from "node:process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  isKeelsonError,
  type Kernel,
  processModule,
  type ProcessModuleOptions,
  type ShutdownReport,
} from "@keelson/core";
import { createKernel, eventually, isAlive, program } from "./host.ts";

const READY = `echo '{"event_id":"1","source":"module","timestamp_ms":1,"module":"m","event_type":"ready","payload":null}'`;
const sh = (script: string): { command: string; args: string[] } => ({ command: "sh", args: ["-c", script] });

let kernel: Kernel;
beforeEach(async () => void (kernel = await createKernel()));
afterEach(async () => void (await kernel.shutdown()));

async function start(options: Partial<ProcessModuleOptions>): Promise<void> {
  await kernel.register(
    processModule({ id: "child", command: "sh", graceMs: 100, restart: { policy: "never" }, ...options }),
  );
  await kernel.start("child");
}

/** The payload of the next event of the child's that comes under `type`. */
function event(type: string): Promise<unknown> {
  return new Promise((resolve) => {
    const listening = kernel.bus.on(`boundary.child.${type}`, ({ data }) => {
      listening[Symbol.dispose]();
      resolve((data as { event: { payload: unknown } }).event.payload);
    });
  });
}

describe("a daemon that forked twice, out of its group and session", () => {
  test.each([
    ["and keeps its environment", []],
    ["and drops its environment but holds a pipe", ["bare", "holds"]],
    ["and drops everything while its parent lives", ["bare", "stays"]],
  ])("%s, is ended by the shutdown or named in its orphans", async (_, options) => {
    const told = event("ready");
    const [command = "", ...args] = program("daemon.mjs");
    await start({ command, args: [...args, ...options] });
    const { daemon } = (await told) as { daemon: number };
    expect(isAlive(daemon)).toBe(true);
    const report: ShutdownReport = await kernel.shutdown();
    const named = report.orphans.some(({ pid }) => pid === daemon);
    expect(named || !isAlive(daemon)).toBe(true);
    // On Linux, as long as one trace of it is left, it is found.
    expect(named).toBe(false);
  });

  test("is ended when its module crashes, too", async () => {
    const told = event("ready");
    const [command = "", ...args] = program("daemon.mjs");
    await start({ command, args });
    const { daemon, pid } = (await told) as { daemon: number; pid: number };
    process.kill(pid, "SIGKILL");
    await eventually(() => kernel.state("child") === "failed");
    await eventually(() => !isAlive(daemon));
  });
});

describe("a child", () => {
  test.each([
    ["never reads its input", `${READY}; exec sleep 1000`],
    ["closes its input", `${READY}; exec <&-; exec sleep 1000`],
    ["closes its output", `${READY}; exec >&-; exec sleep 1000`],
    ["closes both", `${READY}; exec <&- >&- 2>&-; exec sleep 1000`],
    ["is stopped", `${READY}; kill -STOP $$`],
  ])("that %s costs its callers an error each, and the host nothing", async (_, script) => {
    await start({ ...sh(script), maxQueuedBytes: 1_000_000 });
    const codes = new Set<unknown>();
    const payload = "x".repeat(50_000);
    await Promise.all(
      Array.from({ length: 100 }, () =>
        kernel
          .invoke("child", "ask", payload, { timeoutMs: 300 })
          .catch((error: unknown) => codes.add(isKeelsonError(error) ? error.code : error)),
      ),
    );
    for (const code of codes) expect(["DEADLINE_EXCEEDED", "QUEUE_FULL", "IO"]).toContain(code);
    expect((await kernel.shutdown()).orphans).toEqual([]);
  });

  test.each([
    ["its standard error", "yes >&2"],
    ["its standard output with garbage", "yes"],
    [
      "its standard output with events",
      `yes '{"event_id":"1","source":"module","timestamp_ms":1,"module":"m","event_type":"tick","payload":1}'`,
    ],
    ["its standard output without a newline", "yes | tr -d '\\n'"],
    ["both", "yes >&2 & yes"],
  ])("that floods %s keeps nobody else from their turn", async (_, script) => {
    await start(sh(`${READY}; ${script}`));
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    }, 5);
    await new Promise((resolve) => kernel.platform.clock.after(500, () => resolve(undefined)));
    clearInterval(timer);
    // A host that is kept from its turn has none at all for as long as it is flooded.
    expect(longest).toBeLessThan(3_000);
    const begun = performance.now();
    expect((await kernel.shutdown()).orphans).toEqual([]);
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  test("that leaves its output to a grandchild of its own session is told as ended, and the grandchild ended", async () => {
    const told = event("left");
    await start(
      sh(
        `${READY}; setsid sleep 1000 & echo '{"event_id":"2","source":"module","timestamp_ms":1,"module":"m","event_type":"left","payload":'$!'}'; sleep 0.2; exit 5`,
      ),
    );
    const left = (await told) as number;
    await eventually(() => kernel.state("child") === "failed");
    expect(kernel.list()[0]?.error).toMatchObject({ code: "PROCESS_EXITED", details: { code: 5 } });
    await eventually(() => !isAlive(left));
  });

  test("whose host stops it while it starts is gone when the stop is over", async () => {
    await kernel.register(processModule({ id: "child", ...sh("trap '' TERM; sleep 1000"), graceMs: 50 }));
    const started = kernel.start("child").catch((error: unknown) => error);
    await eventually(() => kernel.state("child") === "starting");
    await kernel.stop("child");
    expect(await started).toMatchObject({ code: "ABORTED" });
    expect((await kernel.shutdown()).orphans).toEqual([]);
  });
});
