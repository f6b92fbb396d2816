import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import type { TimerRecord } from "./timers.ts";

/** What this process holds at one moment, each thing with a sentence about it. */
export type Snapshot = ReadonlyMap<unknown, string>;

// How the three runtimes name the thread of a Worker: Node, Deno (worker-1, worker-2 …) and Bun.
const WORKER_THREAD = /^(WorkerThread|worker-\d+|Worker)$/;

/** `read()`, or nothing when the file vanished in the meantime or the system has no /proc. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function childrenAndWorkers(into: Map<unknown, string>): void {
  for (const task of attempt(() => readdirSync("/proc/self/task")) ?? []) {
    const name = attempt(() => readFileSync(`/proc/self/task/${task}/comm`, "utf8").trim()) ?? "";
    if (WORKER_THREAD.test(name)) into.set(`worker ${task}`, `a worker thread (${name})`);
    const children = attempt(() => readFileSync(`/proc/self/task/${task}/children`, "utf8")) ?? "";
    for (const pid of children.split(" ").filter((part) => /\d/.test(part))) {
      const command = attempt(() =>
        readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim(),
      );
      into.set(`child ${pid}`, `a child process ${pid}: ${command || "ended, but not waited for"}`);
    }
  }
}

/** The names under /proc/self/fd of sockets that listen, by /proc/net/tcp's state 0A. */
function listeningSockets(): Set<string> {
  const names = new Set<string>();
  for (const table of ["/proc/self/net/tcp", "/proc/self/net/tcp6"]) {
    for (const line of (attempt(() => readFileSync(table, "utf8")) ?? "").split("\n").slice(1)) {
      const columns = line.trim().split(/\s+/);
      if (columns[3] === "0A" && columns[9] !== undefined) names.add(`socket:[${columns[9]}]`);
    }
  }
  return names;
}

/** Files that a test or Keelson can have opened: the runtimes' caches and libraries lie elsewhere. */
function isWatchedFile(path: string): boolean {
  const ours = path.startsWith(`${tmpdir()}/`) || path.startsWith(`${process.cwd()}/`);
  return ours && !/[/\\](node_modules|\.git|dist)[/\\]/.test(path);
}

function filesAndSockets(into: Map<unknown, string>): void {
  for (const fd of attempt(() => readdirSync("/proc/self/fd")) ?? []) {
    const target = attempt(() => readlinkSync(`/proc/self/fd/${fd}`)) ?? "";
    if (target.startsWith("socket:")) into.set(target, "a listening socket");
    else if (isWatchedFile(target)) into.set(`file ${fd} ${target}`, `an open file: ${target}`);
  }
}

/**
 * Takes stock of child processes, worker threads, open files, listening sockets and Keelson's timers.
 * All but the timers come from /proc and are looked at on Linux only, where they are right on all three runtimes.
 */
export function takeSnapshot(timers?: TimerRecord): Snapshot {
  const held = new Map<unknown, string>();
  childrenAndWorkers(held);
  filesAndSockets(held);
  for (const [handle, source] of timers?.live() ?? []) held.set(handle, `a timer: ${source}`);
  return held;
}

/** Options of {@link findLeaks}. */
export interface LeakOptions {
  readonly timers?: TimerRecord;
  /** How long what is ending may take to be gone; it is looked for again and again until then. */
  readonly settleMs?: number;
  /** The wait between two looks; a test's own fake timers must not stand behind it. */
  readonly wait: (ms: number) => Promise<void>;
}

/** The sentences of what is in `now` alone. Of sockets only those that listen: connections may be kept for reuse. */
function newlyHeld(before: Snapshot, now: Snapshot): string[] {
  const isSocket = (key: unknown): boolean => typeof key === "string" && key.startsWith("socket:");
  let fresh = [...now].filter(([key]) => !before.has(key));
  if (fresh.some(([key]) => isSocket(key))) {
    // Read only now: the kernel takes milliseconds to print these tables.
    const listening = listeningSockets();
    fresh = fresh.filter(([key]) => !isSocket(key) || listening.has(String(key)));
  }
  return fresh.map(([, what]) => what);
}

/** What is held now and was not held `before`, one sentence each; empty as soon as nothing is. */
export async function findLeaks(before: Snapshot, options: LeakOptions): Promise<string[]> {
  const end = performance.now() + (options.settleMs ?? 2000);
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    const leaks = newlyHeld(before, takeSnapshot(options.timers));
    if (leaks.length === 0 || performance.now() > end) return leaks;
    await options.wait(pauseMs);
  }
}
