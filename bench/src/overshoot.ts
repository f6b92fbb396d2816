import { Buffer } from "node:buffer";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { createKernel, isKeelsonError, platform, wasmModule } from "keelson";
import { Governor } from "../../packages/wasm/src/governor/index.ts";
import { meter, type MeterOptions } from "../../packages/wasm/src/meter/index.ts";
import { runOrThrow } from "../../tools/command.ts";
import { scriptArguments } from "../../tools/runtimes.ts";
import { Collections } from "./collections.ts";
import type { AssembledShape } from "./children/assemble-shapes.ts";
import { OURS, progress, type Task, type Timing } from "./measure.ts";
import { ranMs, waitedMs } from "./thread-time.ts";

const CPU_MS = 50;
const LIMIT = `cpuMs ${CPU_MS}`;
const OPTIONS: MeterOptions = {
  mode: "exact",
  stackBytes: 512 * 1024,
  memoryBytes: 64 * 2 ** 20,
  tableElements: 100_000,
};

/** One guest that was stopped: ms beyond its time. */
interface Stopped extends Spent {
  /** From the governor's entry to its last look at the clock, after which the guest executed nothing. */
  readonly guest: number;
  /** From before the entry until the caller had the error. */
  readonly caller: number;
}

/** What became of the time of a run, ms. */
interface Spent {
  /** How long the thread waited for a core. */
  readonly waited: number;
  /** How long it did not run: it waited for a core, or slept. */
  readonly away: number;
  /** How long the engine collected garbage; undefined where it does not tell. */
  readonly collected: () => number | undefined;
}

/** A run in which the thread waited longer than this for a core tells of the machine. */
const UNDISTURBED_MS = 0.05;

/**
 * How far guests that never return pass a `cpuMs` of 50: each shape that ends by time, `rounds` times, in a new instance whose first
 * call it is.
 */
export async function benchOvershoot(rounds: number): Promise<readonly Task[]> {
  using collections = new Collections();
  const endless = await assembled();
  const all: Stopped[] = [];
  for (const shape of endless) all.push(...(await stopOften(shape, rounds, collections)));
  const invoked: Stopped[] = [];
  for (const name of INVOKED) invoked.push(...(await invokeOften(named(endless, name), rounds, collections)));
  const quiet = all.filter(({ waited }) => waited <= UNDISTURBED_MS);
  const share = `${quiet.length} of ${all.length} runs`;
  return [
    ...rows(`${endless.length} shapes × ${rounds}, the guest's last instruction`, all, "guest", [0.1, 1, 5]),
    ...rows("the same, until the caller has the error", all, "caller", [0.1]),
    ...rows(
      `by the kernel, in instances that stand ready: ${INVOKED.length} shapes × ${rounds}, until the caller has the error`,
      invoked,
      "caller",
      [],
    ),
    ...rows(
      `the guest's last instruction, where no other program had the core (${share})`,
      quiet,
      "guest",
      [],
    ),
  ];
}

/** The shapes, from a process of their own: this one has on its heap what a small host has. */
async function assembled(): Promise<readonly AssembledShape[]> {
  const script = join(import.meta.dirname, "children/assemble-shapes.ts");
  return JSON.parse(
    await runOrThrow(process.execPath, [...scriptArguments(platform().name), script]),
  ) as AssembledShape[];
}

function named(all: readonly AssembledShape[], name: string): AssembledShape {
  const shape = all.find((one) => one.name === name);
  if (shape === undefined) throw new RangeError(`no shape "${name}"`);
  return shape;
}

async function stopOften(
  shape: AssembledShape,
  rounds: number,
  collections: Collections,
): Promise<readonly Stopped[]> {
  const { bytes, meta } = meter(binary(shape), OPTIONS);
  const module = new WebAssembly.Module(bytes);
  const all: Stopped[] = [];
  for (let round = 0; round < rounds; round++) {
    progress(`overshoot, ${shape.name}: round ${round + 1} of ${rounds}`);
    all.push(stopOnce(module, meta, collections));
    // The memories of stopped guests are let go between turns of the event loop.
    await new Promise((done) => setTimeout(done));
  }
  return all;
}

function binary({ base64 }: AssembledShape): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(base64, "base64"));
}

/** What is called by a kernel as well: one of each kind, none of which imports anything. */
const INVOKED = [
  "an empty loop",
  "recursion that returns, without end",
  "catch_all around a trap-free throw",
  "memory.fill",
  "table.copy",
  "typed references calling each other",
] as const;

/**
 * The same by `kernel.invoke`, with the limits that a plugin has by default: what lies between is all that a caller waits for. How long its instance takes
 * to be made is told elsewhere.
 */
async function invokeOften(
  shape: AssembledShape,
  rounds: number,
  collections: Collections,
): Promise<readonly Stopped[]> {
  await using kernel = await createKernel();
  await kernel.register(
    wasmModule({
      id: "guest",
      source: binary(shape),
      abi: "raw",
      limits: { cpuMs: CPU_MS },
      pool: { min: 1 },
      quarantine: false,
    }),
  );
  await kernel.start();
  const all: Stopped[] = [];
  for (let round = 0; round < rounds; round++) {
    progress(`overshoot by the kernel, ${shape.name}: round ${round + 1} of ${rounds}`);
    const spent = watch(collections);
    const begin = performance.now();
    const error = await kernel.invoke("guest", "f").catch((thrown: unknown) => thrown);
    const end = performance.now();
    const caller = end - begin - CPU_MS;
    if (!isKeelsonError(error, "DEADLINE_EXCEEDED")) throw error;
    const cpuMs = (error.details as { usage: { cpuMs: number } }).usage.cpuMs;
    all.push({ guest: cpuMs - CPU_MS, caller, ...spent(begin, end) });
    await new Promise((done) => setTimeout(done));
  }
  return all;
}

/** Begins to watch the thread; what is answered tells how it spent the time from `begin` to `end`. */
function watch(collections: Collections): (begin: number, end: number) => Spent {
  const waited = waitedMs();
  const ran = ranMs();
  return (begin, end) => ({
    away: Math.max(0, end - begin - (ranMs() - ran)),
    waited: waitedMs() - waited,
    collected: () => collections.between(begin, end),
  });
}

const { ran } = platform().clock;
/** Where the looks at the clock are kept. As numbers in an object each would be garbage, and the engine's collections a part of what is measured. */
const looks = new Float64Array(5);
const [FIRST, LAST, BEFORE, REHEARSED, NEXT] = [0, 1, 2, 3, 4];

function look(): number {
  const now = performance.now();
  looks[BEFORE] = looks[LAST]!;
  looks[LAST] = now;
  if (looks[FIRST] === 0) looks[FIRST] = now;
  if (looks[NEXT] === 0) looks[NEXT] = now;
  return now;
}

function stopOnce(
  module: WebAssembly.Module,
  meta: ReturnType<typeof meter>["meta"],
  collections: Collections,
): Stopped {
  looks.fill(0);
  looks[NEXT] = -1;
  const governor = new Governor({ clock: { now: look, ...(ran && { ran }) } });
  const imports = {
    h: {
      nothing: () => {},
      fail: () => {
        throw new Error("no");
      },
    },
  } as unknown as WebAssembly.Imports;
  const instance = new WebAssembly.Instance(module, imports);
  governor.adopt(instance, meta);
  governor.rehearsal = (stop, thrown) => {
    looks[REHEARSED] = looks[LAST]!;
    governor.stopError(stop, thrown);
    // the look that follows is kept
    looks[NEXT] = 0;
  };
  const body = instance.exports["f"] as unknown as (() => void) | undefined;
  const spent = watch(collections);
  const begin = performance.now();
  try {
    if (body === undefined) governor.start({ cpuMs: CPU_MS });
    else governor.run({ cpuMs: CPU_MS }, body);
  } catch {
    const end = performance.now();
    if (governor.stopped?.limit !== "cpuMs") throw new Error(`stopped for ${governor.stopped?.limit}`);
    // The governor's last look is after the guest was left; and if its time was over after a rehearsal, it executed nothing since that began.
    const last = looks[BEFORE] === looks[NEXT] ? looks[REHEARSED]! : looks[BEFORE]!;
    return { guest: last - looks[FIRST]! - CPU_MS, caller: end - begin - CPU_MS, ...spent(begin, end) };
  }
  throw new Error("the guest returned");
}

function rows(
  what: string,
  runs: readonly Stopped[],
  figure: "guest" | "caller",
  most: readonly number[],
): readonly Task[] {
  const sorted = runs.toSorted((one, other) => one[figure] - other[figure]);
  const [least] = sorted;
  if (least === undefined) return [];
  const at = (share: number): Stopped =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as Stopped;
  const quantiles = { median: at(0.5), "99th percentile": at(0.99), worst: at(1) };
  return Object.entries(quantiles).map(([quantile, run], index): Task => {
    const target = most[index];
    const time = { median: (CPU_MS + run[figure]) * 1e6, least: (CPU_MS + least[figure]) * 1e6 };
    return {
      task: `${what}: ${quantile}`,
      timings: [
        { name: OURS, ...time },
        { name: LIMIT, median: CPU_MS * 1e6, least: CPU_MS * 1e6 },
        ...(quantile === "worst" ? partsOf(run) : []),
      ],
      claims: [{ against: [LIMIT], kind: "adds at most", ...(target && { target: target * 1e6 }) }],
    };
  });
}

/** What the time of a run went to that was not the guest's, nor ours. */
function partsOf({ away, collected }: Stopped): readonly Timing[] {
  const part = (name: string, ms: number | undefined): Timing[] =>
    ms === undefined ? [] : [{ name, median: ms * 1e6, least: ms * 1e6, note: `${ms.toFixed(2)} ms` }];
  return [
    ...part("of it, the thread did not run", away),
    ...part("of it, garbage was collected", collected()),
  ];
}
