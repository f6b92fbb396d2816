// What the end-to-end tests and their programs share: the package on the runtime at hand, and what the system says is left.
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Kernel, KernelOptions } from "@keelson/core";

/** The runtime that runs this. */
export const runtime: "node" | "deno" | "bun" =
  "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";

const keelson =
  runtime === "deno"
    ? await import("../../src/index.deno.ts")
    : runtime === "bun"
      ? await import("../../src/index.bun.ts")
      : await import("../../src/index.node.ts");

/** A kernel as a host makes it, but for its log, which says nothing. */
export function createKernel(options: Omit<KernelOptions, "platform"> = {}): Promise<Kernel> {
  return keelson.createKernel({ ...options, platform: { log: { level: "silent" } } });
}

/** How to run a file on this runtime. */
export function command(file: URL): string[] {
  return [process.execPath, ...(runtime === "deno" ? ["run", "-A"] : []), fileURLToPath(file)];
}

/** How to run one of the programs beside this file. */
export function program(name: string): string[] {
  return command(new URL(`programs/${name}`, import.meta.url));
}

/** Whether a process lives; a zombie does not. */
export function isAlive(pid: number): boolean {
  return stateOf(pid) !== undefined;
}

/** What this process holds, by the system's own word. */
export interface Holdings {
  readonly descriptors: number;
  readonly threads: number;
  readonly children: readonly number[];
}

/** Counts what this process holds now. */
export function holdings(): Holdings {
  return {
    descriptors: readdirSync("/proc/self/fd").length,
    threads: readdirSync("/proc/self/task").length,
    children: readdirSync("/proc")
      .map(Number)
      .filter((pid) => pid > 0 && parentOf(pid) === process.pid),
  };
}

/** What this process holds once it holds no more than `before`, give or take two descriptors; what it holds after ten seconds if it does not come to that. */
export async function settledHoldings(before: Holdings): Promise<Holdings> {
  const until = performance.now() + 10_000;
  for (;;) {
    const now = holdings();
    const settled =
      now.descriptors <= before.descriptors + 2 &&
      now.threads <= before.threads &&
      now.children.length <= before.children.length;
    if (settled || performance.now() > until) return now;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Looks until `condition` holds, for what no event tells; fails after thirty seconds. */
export async function eventually(condition: () => boolean, what = "it never came to be"): Promise<void> {
  const until = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > until) throw new Error(what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function parentOf(pid: number): number | undefined {
  const parent = statOf(pid)?.[1];
  return parent === undefined ? undefined : Number(parent);
}

function stateOf(pid: number): string | undefined {
  const state = statOf(pid)?.[0];
  return state === undefined || "ZX".includes(state) ? undefined : state;
}

function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
