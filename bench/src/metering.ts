import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { platform } from "keelson";
import { attach, meter, type MeterOptions } from "../../packages/wasm/src/meter/index.ts";
import { FuelHost } from "../../packages/wasm/test/meter/harness.ts";
import { wat } from "../../packages/wasm/test/meter/wat.ts";
import { kernels } from "./kernels.ts";
import { alternate, byThread, type Claim, type Contender, OURS, type Task, type Timing } from "./measure.ts";
import { type Compile, quickjs, type Run, sqlite } from "./programs.ts";

const PLAIN = "plain";
const caps = { memoryBytes: 2 ** 30, tableElements: 100_000 };
const MODES: Readonly<Record<string, MeterOptions>> = {
  deadline: { mode: "deadline", ...caps },
  exact: { mode: "exact", ...caps },
  "exact + stack": { mode: "exact", ...caps, stackBytes: 512 * 1024 },
};
const FULL = MODES["exact + stack"] as MeterOptions;

/** The most that metered code may take, of what plain code takes, on Node, Deno and Bun. */
const MOST: Readonly<Record<string, readonly [node: number, deno: number, bun: number]>> = {
  deadline: [1.12, 1.12, 1.12],
  exact: [1.17, 1.15, 1.11],
  "exact + stack": [1.2, 1.2, 1.2],
  "sql.js": [1.16, 1.43, 1.32],
  quickjs: [1.38, 1.27, 1.79],
};
const runtime = platform().name;
const runtimeAt = ["node", "deno", "bun"].indexOf(runtime);
const most = (what: string): Claim => {
  const target = MOST[what]?.[runtimeAt];
  if (target === undefined) throw new RangeError(`no target for ${what} on ${runtime}`);
  return { against: [PLAIN], kind: "at most", target };
};

/**
 * What metering costs: the time the thread ran in metered code beside the same code as it was, for seven kernels and two real programs;
 * what the code grows by; and how long rewriting takes.
 */
export async function benchMetering(rounds: number): Promise<readonly Task[]> {
  return [
    ...(await kernelTasks(Math.ceil(rounds / 2))),
    await programTask("sql.js", sqlite, rounds),
    await programTask("quickjs", quickjs, rounds),
    ...(await rewritingTasks(rounds)),
  ];
}

/** Who does the whole work in one turn, timed by what the thread ran. */
function turn(name: string, run: Run): Contender {
  return byThread({ name, run });
}

// Kernels.

async function kernelTasks(rounds: number): Promise<readonly Task[]> {
  const tasks: Task[] = [];
  for (const { name, size, text } of kernels) {
    const bytes = wat(text);
    const plain = runKernel(new WebAssembly.Module(bytes));
    // Plain has the first turn of each round.
    let expected: unknown;
    const contenders = [turn(PLAIN, () => void (expected = plain(size)))];
    for (const [mode, options] of Object.entries(MODES)) {
      const metered = meteredKernel(bytes, options);
      contenders.push(
        turn(mode, () => {
          if (metered(size) !== expected) throw new Error(`${name} is wrong, metered`);
        }),
      );
    }
    tasks.push(await alternate(name, contenders, { rounds, times: 1 }));
  }
  return Object.keys(MODES).flatMap((mode) => {
    const pairs = tasks.map(({ task, timings }) => beside(`${task}, ${mode}`, timings, mode));
    return [...pairs, mean(pairs, mode)];
  });
}

type Kernel = (size: number) => unknown;

function runKernel(module: WebAssembly.Module): Kernel {
  return new WebAssembly.Instance(module).exports["run"] as unknown as Kernel;
}

function meteredKernel(bytes: Uint8Array, options: MeterOptions): Kernel {
  const { bytes: rewritten, meta } = meter(bytes, options);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(rewritten));
  attach(instance, meta, new FuelHost(1e15, 100_000).refill).depth = meta.stackBytes;
  return instance.exports["run"] as unknown as Kernel;
}

/** A row of its own for one of the ways in which a task was done, beside plain. */
function beside(task: string, timings: readonly Timing[], way: string): Task {
  const find = (name: string): Timing => timings.find((timing) => timing.name === name) as Timing;
  return { task, timings: [{ ...find(way), name: OURS }, find(PLAIN)], claims: [] };
}

function mean(tasks: readonly Task[], mode: string): Task {
  const of = (name: string): Timing => {
    const timings = tasks.map((task) => task.timings.find((timing) => timing.name === name) as Timing);
    return { name, median: geometric(timings, "median"), least: geometric(timings, "least") };
  };
  return {
    task: `geometric mean of ${tasks.length} kernels, ${mode}`,
    timings: [of(OURS), of(PLAIN)],
    claims: [most(mode)],
  };
}

function geometric(timings: readonly Timing[], figure: "median" | "least"): number {
  return Math.exp(timings.reduce((sum, timing) => sum + Math.log(timing[figure]), 0) / timings.length);
}

// Real programs, with the glue they were published with.

/**
 * Instances of a program that take turns. V8 decides while code runs what it inlines, and not always the same: one
 * instance may take a tenth more than the next for as long as it lives.
 */
const INSTANCES = 5;

type Load = (compile: Compile) => Promise<Run>;

async function programTask(name: string, load: Load, rounds: number): Promise<Task> {
  const plain: Run[] = [];
  const metered: Run[] = [];
  for (let number = 0; number < INSTANCES; number++) {
    plain.push(await load(async (bytes) => [await WebAssembly.compile(numbered(bytes, number)), () => {}]));
    metered.push(await meteredProgram(load, number));
  }
  const contenders = [turn(PLAIN, byTurns(plain)), turn(OURS, byTurns(metered))];
  const turns = { rounds, times: 1, warm: 3 * INSTANCES };
  const task = await alternate(`${name}, exact + stack`, contenders, turns);
  return { ...task, claims: [most(name)] };
}

function meteredProgram(load: Load, number: number): Promise<Run> {
  return load(async (bytes) => {
    const { bytes: rewritten, meta } = meter(bytes, FULL);
    const host = new FuelHost(1e15, 100_000);
    return [
      await WebAssembly.compile(numbered(rewritten, number)),
      (instance) => {
        attach(instance, meta, host.refill).depth = meta.stackBytes;
      },
    ];
  });
}

/** The module with its number in a custom section: engines may share what they compiled between modules of equal bytes. */
function numbered(bytes: Uint8Array, number: number): Uint8Array<ArrayBuffer> {
  const custom = [0, 3, 1, "n".charCodeAt(0), number];
  const copy = new Uint8Array(bytes.length + custom.length);
  copy.set(bytes);
  copy.set(custom, bytes.length);
  return copy;
}

/** Each time the next one does the work. */
function byTurns(runs: readonly Run[]): Run {
  let next = 0;
  return () => runs[next++ % runs.length]?.();
}

// Rewriting.

const LEAST_MB_S = 60;
/** V8 compiles the rewriter's largest loops until about then. */
const WARM_REWRITINGS = 20;
const require = createRequire(import.meta.url);

async function rewritingTasks(rounds: number): Promise<readonly Task[]> {
  const files = {
    "sql.js": require.resolve("sql.js/dist/sql-wasm.wasm"),
    quickjs: createRequire(require.resolve("quickjs-emscripten")).resolve(
      "@jitl/quickjs-wasmfile-debug-sync/wasm",
    ),
    esbuild: require.resolve("esbuild-wasm/esbuild.wasm"),
  };
  const speed: Task[] = [];
  const growth: Task[] = [];
  for (const [name, file] of Object.entries(files)) {
    const bytes = new Uint8Array(readFileSync(file));
    const mb = bytes.length / 1e6;
    const text = `${name} (${mb.toFixed(1)} MB)`;
    const contenders = [
      { name: OURS, run: () => void meter(bytes, FULL) },
      { name: "WebAssembly.validate alone", run: () => void WebAssembly.validate(bytes) },
    ];
    const turns = { rounds, times: 1, warm: WARM_REWRITINGS };
    const task = await alternate(`rewriting a MB of ${text}`, contenders, turns);
    const timings = task.timings.map(({ name: who, median, least }) => ({
      name: who,
      median: median / mb,
      least: least / mb,
    }));
    const pace = 1e9 / LEAST_MB_S;
    timings.push({ name: `${LEAST_MB_S} MB/s`, median: pace, least: pace });
    const claim: Claim = { against: [`${LEAST_MB_S} MB/s`], kind: "at least", target: 1 };
    speed.push({ ...task, timings, claims: runtime === "node" && mb > 1 ? [claim] : [] });
    const size = (who: string, count: number): Timing => ({ name: who, median: count, least: count });
    const { report } = meter(bytes, FULL);
    growth.push({
      task: `size of ${name}`,
      unit: "bytes",
      timings: [size(OURS, report.meteredBytes), size(PLAIN, report.originalBytes)],
      claims: [],
    });
  }
  return [...speed, ...growth];
}
