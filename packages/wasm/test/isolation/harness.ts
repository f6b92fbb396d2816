import {
  createKernel,
  isKeelsonError,
  type Kernel,
  type LogLevel,
  type Platform,
  type Value,
} from "@keelson/core";
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, expect } from "vitest";
import { adapter, children, descriptors, eventually } from "../../../node-compat/test/adapter.ts";
import { wasmModule, type Isolation, type WasmModuleOptions } from "../../src/index.ts";

export const levels = ["inline", "worker", "process"] as const satisfies readonly Isolation[];

/** A log record that was written, with the id of its module. */
export interface Written {
  readonly level: LogLevel;
  readonly message: string;
}

const kernels: Kernel[] = [];
afterEach(async () => {
  for (const kernel of kernels.splice(0)) await kernel.shutdown();
});

/** A kernel of the runtime that runs this test, and what it logged. Shut down after the test. */
export async function openKernel(
  change: (platform: Platform) => Platform = (platform) => platform,
): Promise<{ kernel: Kernel; written: Written[] }> {
  const written: Written[] = [];
  const log = { write: (level: LogLevel, message: string) => void written.push({ level, message }) };
  const platform = change({ ...(await adapter()), log });
  const kernel = createKernel({ platform });
  kernels.push(kernel);
  return { kernel, written };
}

/** The same with one module, "guest", running. */
export async function open(
  isolation: Isolation,
  options: WasmModuleOptions,
  change?: (platform: Platform) => Platform,
): Promise<{ kernel: Kernel; written: Written[] }> {
  const opened = await openKernel(change);
  await opened.kernel.register(
    wasmModule({ id: "guest", abi: "raw", pool: { max: 1 }, quarantine: false, ...options, isolation }),
  );
  await opened.kernel.start("guest");
  return opened;
}

/** Registers a guest for each of `isolations`, under its name, and starts it. */
export async function startEach(
  kernel: Kernel,
  isolations: readonly Isolation[],
  options: (isolation: Isolation) => WasmModuleOptions,
): Promise<void> {
  for (const isolation of isolations) {
    await kernel.register(
      wasmModule({ id: isolation, abi: "raw", isolation, quarantine: false, ...options(isolation) }),
    );
    await kernel.start(isolation);
  }
}

/** What came of a call: its value, or of its error what a program may rely on. */
export async function outcome(work: Promise<Value>): Promise<unknown> {
  try {
    return await work;
  } catch (error) {
    if (!isKeelsonError(error)) throw error;
    const { kind, limit, value, usage, module, method } = (error.details ?? {}) as Record<string, unknown>;
    const { fuel } = (usage ?? {}) as { readonly fuel?: unknown };
    // What reads the payload is another part of the way at each level.
    if (error.code === "INVALID_PAYLOAD") return { code: error.code };
    return {
      code: error.code,
      kind,
      limit,
      value,
      module,
      method,
      hinted: error.hint !== undefined,
      ...(error.code === "FUEL_EXHAUSTED" ? { fuel } : {}),
    };
  }
}

/** The code of the error that `work` fails with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    return `answered ${String(await work)}`;
  } catch (error) {
    if (isKeelsonError(error)) return error.code;
    throw error;
  }
}

function ticksOf(process: number | "self"): number {
  const stat = readFileSync(`/proc/${process}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** Time that this process, its threads and its children have run so far, in clock ticks of 10 ms. */
export function ticks(): number {
  return children().reduce((sum, pid) => sum + ticksOf(pid), ticksOf("self"));
}

/** Runs `begin`, which makes these children loop, and waits until each surely does: it has run for 50 ms since. */
export async function looping<T>(pids: readonly number[], begin: () => T): Promise<T> {
  const before = pids.map(ticksOf);
  const begun = begin();
  await eventually(() => pids.every((pid, index) => ticksOf(pid) >= (before[index] as number) + 5));
  return begun;
}

/** A thread that burns uses all of a core, and never less. */
const IDLE = 0.05;

/**
 * From half a second after now, this program, its threads and its children use next to nothing of a core. On a machine that others use, the
 * collector may take a window of it; a thread that was not stopped takes all of them.
 */
export async function expectIdle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 500));
  let load = 1;
  for (let window = 0; window < 6 && load >= IDLE; window++) {
    const [before, started] = [ticks(), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, 500));
    load = ((ticks() - before) * 10) / (performance.now() - started);
  }
  expect(load).toBeLessThan(IDLE);
}

// How the three runtimes name the thread of a worker: Node, Deno (worker-1, worker-2 …) and Bun. They have others for work of their own.
const WORKER_THREAD = /^(WorkerThread|worker-\d+|Worker)$/;

function isWorker(task: string): boolean {
  try {
    return WORKER_THREAD.test(readFileSync(`/proc/self/task/${task}/comm`, "utf8").trim());
  } catch {
    return false;
  }
}

/** Processes, worker threads and descriptors of this program. */
export function holdings(): { children: number; threads: number; descriptors: number } {
  return {
    children: children().length,
    threads: readdirSync("/proc/self/task").filter(isWorker).length,
    descriptors: descriptors(),
  };
}

/** Waits until no more is held than at `before`; descriptors within eight, since Deno keeps four of its own once it had threads and children, however many. */
export async function expectHoldings(before: ReturnType<typeof holdings>): Promise<void> {
  const { children, threads, descriptors } = before;
  const until = performance.now() + 30_000;
  let now = holdings();
  while (now.children > children || now.threads > threads || now.descriptors > descriptors + 8) {
    if (performance.now() > until) expect(now).toEqual(before);
    await new Promise((resolve) => setTimeout(resolve, 10));
    now = holdings();
  }
}

export { adapter, children, eventually, isAlive, runtime } from "../../../node-compat/test/adapter.ts";

/** The pid of the one child that this program has. */
export function onlyChild(): number {
  const pids = children();
  expect(pids).toHaveLength(1);
  return pids[0] as number;
}
