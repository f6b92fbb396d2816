import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { RUN_MARK } from "../plugins.ts";

/** What the system shows of this program at one moment. Nothing of it comes from the kernel. */
export interface SystemLook {
  /** Processes that descend from this one, or carry one of its marks wherever they went. */
  readonly processes: readonly { readonly pid: number; readonly command: string }[];
  /** Undefined where the system does not show it. */
  readonly threads: number | undefined;
  readonly descriptors: number | undefined;
}

/** Looks at the system: by /proc, or by ps where there is none. */
export function look(marks: readonly string[]): SystemLook {
  return process.platform === "linux" ? lookAtProc(marks) : lookByPs();
}

/** Looks until `settled` says so, for `ms` at most: what is ending may take a moment to be gone. */
export async function lookUntil(
  marks: readonly string[],
  settled: (look: SystemLook) => boolean,
  ms: number,
): Promise<SystemLook> {
  const end = performance.now() + ms;
  for (;;) {
    const seen = look(marks);
    if (settled(seen) || performance.now() > end) return seen;
    await wait(50);
  }
}

interface Running {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  readonly marked: boolean;
}

/** Those among `all` that are ours: marked, or descending from this process. */
function ours(all: readonly Running[]): Running[] {
  const family = new Set([process.pid]);
  for (let before = 0; before < family.size;) {
    before = family.size;
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid);
  }
  return all.filter(({ pid, marked }) => pid !== process.pid && (marked || family.has(pid)));
}

function lookAtProc(marks: readonly string[]): SystemLook {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => read(Number(name), marks) ?? []);
  return {
    processes: ours(all),
    threads: readdirSync("/proc/self/task").length,
    descriptors: readdirSync("/proc/self/fd").length,
  };
}

/** One process, or undefined when it has gone in the meantime. */
function read(pid: number, marks: readonly string[]): Running | undefined {
  const text = (file: string): string | undefined => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "utf8");
    } catch {
      return undefined;
    }
  };
  const stat = text("stat");
  if (stat === undefined) return undefined;
  // The name in parentheses may hold anything, parentheses too.
  const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  const command = text("cmdline")?.replaceAll("\0", " ").trim() || "ended, but not waited for";
  const environment = text("environ") ?? "";
  return { pid, parent, command, marked: marks.some((mark) => environment.includes(`${RUN_MARK}=${mark}`)) };
}

function lookByPs(): SystemLook {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid=,command="], { encoding: "utf8" }).split("\n");
  const all = lines.flatMap((line): Running[] => {
    const [, pid, parent, command = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    const own = command.startsWith("ps -A -o pid=,ppid=");
    return pid === undefined || own
      ? []
      : [{ pid: Number(pid), parent: Number(parent), command, marked: false }];
  });
  return { processes: ours(all), threads: undefined, descriptors: undefined };
}
