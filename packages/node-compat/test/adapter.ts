import type { Bytes, Clock, Platform, Process, Processes, Random } from "@keelson/core";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The runtime that runs this test, and with it the adapter under test. */
export const runtime: "node" | "deno" | "bun" =
  "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";

/** A new platform of the adapter under test. */
export async function adapter(): Promise<Platform & { readonly processes: Processes }> {
  const made: Platform =
    runtime === "deno"
      ? (await import("../../deno/src/index.ts")).denoPlatform({ log: { level: "silent" } })
      : runtime === "bun"
        ? (await import("../../bun/src/index.ts")).bunPlatform({ log: { level: "silent" } })
        : (await import("../../node/src/index.ts")).nodePlatform({ log: { level: "silent" } });
  if (made.processes === undefined) throw new Error("no processes");
  return { ...made, processes: made.processes };
}

/** Child processes of the adapter under test, on another clock. */
export async function processesOf(clock: Clock, random: Random): Promise<Processes> {
  const { createProcesses } =
    runtime === "deno"
      ? await import("../../deno/src/processes.ts")
      : runtime === "bun"
        ? await import("../../bun/src/processes.ts")
        : await import("../../node/src/processes.ts");
  return createProcesses(clock, random);
}

/** How to run a program of `programs/` on this runtime. */
export function program(name: string, ...args: readonly string[]): [command: string, args: string[]] {
  const file = fileURLToPath(new URL(`programs/${name}`, import.meta.url));
  return [process.execPath, [...(runtime === "deno" ? ["run", "-A"] : []), file, ...args]];
}

/** Whether a process lives; a zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}

/** Open descriptors of this process. */
export function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Living children of this process. */
export function children(): number[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      const stat = readFileSync(`/proc/${Number(name)}/stat`, "latin1");
      const [, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return Number(parent) === process.pid ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

/** Lines of a process's standard output, one by one. */
export function lineReader(from: AsyncIterable<Bytes>): () => Promise<string | undefined> {
  const lines = (async function* () {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of from) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop() ?? "";
      yield* parts;
    }
    if (rest !== "") yield rest;
  })();
  return async () => (await lines.next()).value ?? undefined;
}

/** Everything a process writes to its standard output. */
export async function textOf(from: AsyncIterable<Bytes>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of from) text += decoder.decode(chunk, { stream: true });
  return text;
}

export function bytes(text: string): Bytes {
  return new TextEncoder().encode(text);
}

/** Looks until `condition` holds, for what no event tells; fails after half a minute. */
export async function eventually(condition: () => boolean): Promise<void> {
  // Long enough for a slow and busy machine: what never comes to be is a failure either way.
  const until = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > until) throw new Error("it never came to be");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Starts a shell script; `sh` is the one program that every POSIX system has. */
export function shell(
  processes: Processes,
  script: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Process> {
  return processes.spawn("sh", ["-c", script], { env });
}
