// Fills a folder with modules made by binaryen's fuzzer, for KEELSON_FUZZ_DIR:
//   node packages/wasm/test/meter/fuzz/generate.ts <folder> <count>
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const [folder, count] = process.argv.slice(2);
if (folder === undefined || count === undefined) throw new Error("usage: generate.ts <folder> <count>");
const tool = join(dirname(createRequire(import.meta.url).resolve("binaryen")), "bin", "wasm-opt");

/** Proposals that are not finished, and so not known to engines. */
const unfinished =
  "stack-switching shared-everything custom-descriptors strings fp16 compact-imports custom-page-sizes wide-arithmetic multibyte acquire-release-atomics relaxed-atomics relaxed-simd".split(
    " ",
  );
const flavours = [
  [],
  ["--disable-memory64"],
  ["--disable-memory64", "-O2"],
  ["--disable-memory64", "--disable-gc"],
];

mkdirSync(folder, { recursive: true });
const input = join(folder, "input.bin");
for (let number = 0; number < Number(count); number++) {
  writeFileSync(input, randomBytes(500 + ((number * 37) % 6000)));
  const options = [...unfinished.map((name) => `--disable-${name}`), ...flavours[number % flavours.length]!];
  const out = join(folder, `${number}.wasm`);
  try {
    execFileSync(process.execPath, [tool, "-ttf", input, "-o", out, "-all", ...options], { stdio: "ignore" });
  } catch {
    console.log(`${number}: the generator itself failed`);
  }
}
rmSync(input);
