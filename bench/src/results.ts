import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import type { Task } from "./measure.ts";

/** The groups of tasks in the order of the tables. */
export const groupNames: readonly string[] = [
  "pool",
  "invoke",
  "wasm",
  "metering",
  "governed",
  "overshoot",
  "isolation",
  "runaways",
  "bus",
  "boundary",
  "modules",
];

/** What one group of tasks gave. */
export interface GroupResult {
  readonly measured: string;
  readonly machine: string;
  readonly rounds: number;
  /** The machine's load average of one minute when the group began; 0 is a quiet machine. */
  readonly load: number;
  readonly tasks: readonly Task[];
}

/** What was measured on one runtime: the last result of each group. */
export interface RuntimeResult {
  readonly runtime: string;
  readonly version: string;
  readonly groups: Readonly<Record<string, GroupResult>>;
}

/** The machine as the tables name it. */
export function machine(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpu?.model ?? "unknown processor"}, ${cpus().length} cores, ${memory} GiB, ${type()} ${release()}`;
}

const fileOf = (runtime: string): string => join(import.meta.dirname, "../results", `${runtime}.json`);

/** The last results of a runtime, if there are any. */
export function readResult(runtime: string): RuntimeResult | undefined {
  const file = fileOf(runtime);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as RuntimeResult) : undefined;
}

/** Keeps what was measured; groups that were not keep their last result, with the machine it was measured on. */
export function writeResult(result: RuntimeResult): RuntimeResult {
  const before = readResult(result.runtime);
  const all = { ...(before?.version === result.version ? before.groups : {}), ...result.groups };
  const groups = Object.fromEntries(
    Object.entries(all).sort(([one], [other]) => groupNames.indexOf(one) - groupNames.indexOf(other)),
  );
  const merged = { ...result, groups };
  mkdirSync(join(import.meta.dirname, "../results"), { recursive: true });
  writeFileSync(fileOf(result.runtime), `${JSON.stringify(merged, undefined, 2)}\n`);
  return merged;
}
