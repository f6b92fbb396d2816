// Runs the specification's tests, as wast2json leaves them in a folder, plain and metered:
//   KEELSON_SPECTEST_DIR=… node packages/wasm/test/meter/spec/run.ts
import { readdirSync } from "node:fs";

import { runSpecFile, ways } from "./runner.ts";

const folder = process.env["KEELSON_SPECTEST_DIR"];
if (!folder) throw new Error("KEELSON_SPECTEST_DIR names no folder");

let differing = 0;
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
for (const way of ways) {
  const total = [0, 0, 0, 0];
  const report = (numbers: readonly number[], name: string): void =>
    console.log([...numbers, way.mode, name].join("\t"));
  console.log("agree\tdiffer\tskipped\tcommands\tmode\tfile");
  for (const file of files.sort()) {
    const { agree, differ, skipped, commands } = runSpecFile(folder, file, way);
    const skips = [...skipped.values()].reduce((sum, count) => sum + count, 0);
    if (agree + differ.length + skips !== commands) throw new Error(`${file}: commands were lost`);
    const numbers = [agree, differ.length, skips, commands];
    for (const [index, number] of numbers.entries()) total[index]! += number;
    report(numbers, file);
    for (const { line, plain, metered } of differ)
      console.log(`\tline ${line}: plain ${plain}, metered ${metered}`);
    for (const [reason, count] of skipped) console.log(`\tskipped ${count}: ${reason}`);
    differing += differ.length;
  }
  report(total, `in all ${files.length} files`);
}
process.exitCode = differing > 0 ? 1 : 0;
