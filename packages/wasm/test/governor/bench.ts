// What governing costs, and how far a guest overruns its time:
//   node packages/wasm/test/governor/bench.ts
import { Governor } from "../../src/governor/index.ts";
import { meter, type MeterOptions } from "../../src/meter/index.ts";
import { wat, watGc } from "../meter/wat.ts";

const clock = { now: () => performance.now() };
const options: MeterOptions = {
  mode: "exact",
  stackBytes: 512 * 1024,
  memoryBytes: 64 * 2 ** 20,
  tableElements: 100_000,
};

type Run = () => unknown;

function make(
  bytes: Uint8Array<ArrayBuffer>,
  imports: WebAssembly.Imports = {},
): { governor: Governor; f: Run } {
  const metered = meter(bytes, options);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(metered.bytes), imports);
  const governor = new Governor({ clock });
  governor.adopt(instance, metered.meta);
  return { governor, f: instance.exports["f"] as unknown as Run };
}

function nsPerCall(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 12; round++) {
    const start = performance.now();
    for (let call = 0; call < 50_000; call++) run();
    best = Math.min(best, ((performance.now() - start) * 1e6) / 50_000);
  }
  return best;
}

const nothing = wat(`(module (func (export "f")))`);
const plain = new WebAssembly.Instance(new WebAssembly.Module(nothing)).exports["f"] as unknown as () => void;
const { governor, f } = make(nothing);
const limits = { fuel: 1e9, cpuMs: 50, deadline: clock.now() + 1e9 };
const measured = { ...limits, measure: true };
const ungoverned = nsPerCall(() => plain());
const governed = nsPerCall(() => governor.run(limits, f));
const withUsage = nsPerCall(() => {
  governor.run(measured, f);
  return void governor.usage;
});
console.log(
  `a no-op export: plain ${ungoverned.toFixed(0)} ns, governed ${governed.toFixed(0)}, with usage ${withUsage.toFixed(0)}`,
);

const shapes: readonly [name: string, text: string, gc?: true][] = [
  ["empty loop", `(module (func (export "f") (loop (br 0))))`],
  ["mutual tail calls", `(module (func $f (export "f") (return_call $g)) (func $g (return_call $f)))`],
  [
    "recursion without end",
    `(module (func $f (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1)))))) (func (export "f") (call $f (i32.const 60))))`,
  ],
  ["host calls", `(module (import "h" "n" (func $h)) (func (export "f") (loop (call $h) (br 0))))`],
  [
    "failing host calls",
    `(module (import "h" "x" (func $h)) (func (export "f") (loop $l (try (do (call $h)) (catch_all (br $l))))))`,
  ],
  ["exceptions", `(module (tag $e) (func (export "f") (loop $l (try (do (throw $e)) (catch_all (br $l))))))`],
  [
    "memory.fill",
    `(module (memory 800) (func (export "f") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 52428800)) (br 0))))`,
  ],
  [
    "memory.copy",
    `(module (memory 100) (func (export "f") (loop (memory.copy (i32.const 0) (i32.const 100) (i32.const 6000000)) (br 0))))`,
  ],
  [
    "table.fill",
    `(module (table 50000 funcref) (func (export "f") (loop (table.fill (i32.const 0) (ref.null func) (i32.const 50000)) (br 0))))`,
  ],
  [
    "cold memory",
    `(module (memory 800) (func (export "f") (local i32) (loop (drop (i32.load (local.tee 0 (i32.and (i32.add (local.get 0) (i32.const 16777259)) (i32.const 33554428))))) (br 0))))`,
  ],
  [
    "array.fill",
    `(module (type $a (array (mut i32))) (func (export "f") (local (ref $a)) (local.set 0 (array.new_default $a (i32.const 100000))) (loop (array.fill $a (local.get 0) (i32.const 0) (i32.const 1) (i32.const 100000)) (br 0))))`,
    true,
  ],
  [
    "atomics wait",
    `(module (memory 1 1 shared) (func (export "f") (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))`,
  ],
];
const fail = (): never => {
  throw new Error("no");
};
const all: number[] = [];
const cpuMs = Number(process.env["CPU_MS"] ?? 50);
for (const [name, text, gc] of shapes) {
  const bytes = gc ? await watGc(text) : wat(text);
  const over: number[] = [];
  for (let round = 0; round < Number(process.env["ROUNDS"] ?? 8); round++) {
    const one = make(bytes, { h: { n: (() => {}) as never, x: fail as never } });
    const start = performance.now();
    try {
      one.governor.run({ cpuMs }, one.f);
    } catch {
      over.push(performance.now() - start - cpuMs);
    }
  }
  over.sort((a, b) => a - b);
  all.push(...over);
  console.log(
    `${name}: median ${over[over.length >> 1]?.toFixed(2)} ms, worst ${over.at(-1)?.toFixed(2)} ms over ${cpuMs}`,
  );
}
all.sort((a, b) => a - b);
console.log(
  `all: median ${all[all.length >> 1]?.toFixed(3)}, 90 % ${all[Math.floor(all.length * 0.9)]?.toFixed(2)}, worst ${all.at(-1)?.toFixed(2)}`,
);
