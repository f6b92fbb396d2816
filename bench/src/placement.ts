import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";

/** The processors that this program may run on, and a way to choose among them. */
export interface Placement {
  readonly processors: readonly number[];
  /** Has all threads of this program run on these alone, and what it starts from now on. */
  moveTo(processors: readonly number[]): void;
  /** Whether this program's only child ran last where this program's main thread does. */
  childIsNear(): boolean;
}

/** Over `taskset`; undefined where there is none, or one processor only. */
export function findPlacement(): Placement | undefined {
  const taskset = (...args: readonly string[]): string =>
    execFileSync("taskset", [...args, String(process.pid)], { encoding: "utf8", stdio: "pipe" });
  let list: string | undefined;
  try {
    list = /: *([\d,-]+)\s*$/.exec(taskset("-cp"))?.[1];
  } catch {
    return undefined;
  }
  const processors = (list ?? "").split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  });
  if (processors.length < 2) return undefined;
  return {
    processors,
    moveTo: (chosen) => void taskset("-acp", chosen.join(",")),
    childIsNear: () => processorOf(onlyChild()) === processorOf("self"),
  };
}

function onlyChild(): string {
  const children = readdirSync("/proc/self/task").flatMap((thread) =>
    readFileSync(`/proc/self/task/${thread}/children`, "latin1").split(" ").filter(Boolean),
  );
  const [child] = children;
  if (child === undefined || children.length > 1)
    throw new Error(`${children.length} children instead of one`);
  return child;
}

/** Where a process ran last: the 37th field of its line behind the name. */
function processorOf(pid: string): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[36];
}
