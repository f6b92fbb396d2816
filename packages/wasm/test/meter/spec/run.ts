// Runs the specification's tests, as wast2json leaves them in a folder, plain and metered:
//   KEELSON_SPECTEST_DIR=… node packages/wasm/test/meter/spec/run.ts
import { readdirSync } from "node:fs";

import { runSpecFile } from "./runner.ts";

const folder = process.env["KEELSON_SPECTEST_DIR"];
if (!folder) throw new Error("KEELSON_SPECTEST_DIR names no folder");

let differing = 0;
console.log("agree\tdiffer\tskipped\tcommands\tfile");
for (const file of readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .sort()) {
  const { agree, differ, skipped, commands } = runSpecFile(folder, file);
  const skips = [...skipped.values()].reduce((sum, count) => sum + count, 0);
  if (agree + differ.length + skips !== commands) throw new Error(`${file}: commands were lost`);
  console.log([agree, differ.length, skips, commands, file].join("\t"));
  for (const { line, plain, metered } of differ)
    console.log(`\tline ${line}: plain ${plain}, metered ${metered}`);
  for (const [reason, count] of skipped) console.log(`\tskipped ${count}: ${reason}`);
  differing += differ.length;
}
process.exitCode = differing > 0 ? 1 : 0;
