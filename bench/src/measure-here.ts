/**
 * Measures in the runtime that executes this file, and writes what it found:
 *
 *     measure-here.ts <file> <rounds> <group>...
 */
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import process from "node:process";
import { groups } from "./groups.ts";
import { progress } from "./measure.ts";
import { type GroupResult, machine } from "./results.ts";

const [file = "", rounds = "41", ...chosen] = process.argv.slice(2);
const results: Record<string, GroupResult> = {};
for (const name of chosen) {
  const group = groups[name];
  if (group === undefined) throw new RangeError(`there is no group "${name}"`);
  const load = loadavg()[0] ?? 0;
  const measure = await group.load();
  const tasks = await measure(Math.max(3, Math.round(Number(rounds) * group.share)));
  results[name] = {
    measured: new Date().toISOString(),
    machine: machine(),
    rounds: Number(rounds),
    load,
    tasks,
  };
  progress("");
}
writeFileSync(file, JSON.stringify(results));
