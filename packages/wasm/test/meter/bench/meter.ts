// What metering costs: the time of each kernel metered, divided by its time plain. Run it with each runtime:
//   node packages/wasm/test/meter/bench/meter.ts
// Plain and metered runs alternate and the fastest of each counts, so that a busy machine disturbs both alike.
import type { MeterOptions } from "../../../src/meter/index.ts";
import { type Callable, FuelHost, run } from "../harness.ts";
import { wat } from "../wat.ts";
import { kernels } from "./kernels.ts";

const caps = { memoryBytes: 64 * 2 ** 20, tableElements: 10_000 };
const variants: readonly [name: string, options: MeterOptions][] = [
  ["deadline", { mode: "deadline", ...caps }],
  ["exact", { mode: "exact", ...caps }],
  ["exact + stack", { mode: "exact", ...caps, stackBytes: 512 * 1024 }],
];
const rounds = Number(process.env["ROUNDS"] ?? 7);
const filter = process.env["KERNEL"];

/** Processor time of this process: on a busy machine the wall clock says little. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const sums = variants.map(() => 0);
let count = 0;
console.log(["kernel", "plain ms", ...variants.map(([name]) => name)].join("\t"));
for (const kernel of kernels) {
  if (filter && !kernel.name.includes(filter)) continue;
  const bytes = wat(kernel.text);
  const plain = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports["run"] as unknown as Callable;
  const metered = variants.map(
    ([, options]) => run(bytes, options, {}, new FuelHost(1e15, 500_000)).exports["run"]!,
  );
  const all = [plain, ...metered];
  const best = all.map(() => Number.POSITIVE_INFINITY);
  for (const one of all) for (let warm = 0; warm < 3; warm++) one(kernel.size);
  for (let round = 0; round < rounds; round++) {
    let expected: unknown;
    for (const [index, one] of all.entries()) {
      const start = cpuMs();
      const result = one(kernel.size);
      best[index] = Math.min(best[index]!, cpuMs() - start);
      expected ??= result;
      if (result !== expected)
        throw new Error(`${kernel.name}: ${String(result)} is not ${String(expected)}`);
    }
  }
  const ratios = best.slice(1).map((time) => time / best[0]!);
  for (const [index, ratio] of ratios.entries()) sums[index]! += Math.log(ratio);
  count++;
  console.log([kernel.name, best[0]!.toFixed(1), ...ratios.map((ratio) => ratio.toFixed(2))].join("\t"));
}
console.log(["geometric mean", "", ...sums.map((sum) => Math.exp(sum / count).toFixed(3))].join("\t"));
