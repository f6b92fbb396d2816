import { execFileSync } from "node:child_process";
import process from "node:process";

/** The processors that this program may run on, and a way to choose among them. */
export interface Placement {
  readonly processors: readonly number[];
  /** Has all threads of this program run on these alone, and what it starts from now on. */
  moveTo(processors: readonly number[]): void;
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
  return { processors, moveTo: (chosen) => void taskset("-acp", chosen.join(",")) };
}
