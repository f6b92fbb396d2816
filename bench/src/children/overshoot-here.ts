/**
 * Stops guests that never return, and writes of each how late that was:
 *
 *     overshoot-here.js <shapes> <found> <rounds> <cpuMs>
 *
 * It runs as one file of JavaScript, so that its process has the heap of a small host: what strips types, the sources with their types and
 * the assemblers take 14 MB more.
 */
import { Buffer } from "node:buffer";
import { readFileSync, writeFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { createKernel, isKeelsonError, platform, wasmModule } from "keelson";
import { Governor } from "../../../packages/wasm/src/governor/index.ts";
import { meter, type MeterOptions } from "../../../packages/wasm/src/meter/index.ts";
import { Collections } from "../collections.ts";
import { progress } from "../measure.ts";
import { ranMs, waitedMs } from "../thread-time.ts";
import type { AssembledShape } from "./assemble-shapes.ts";

const [shapesFile = "", foundFile = "", givenRounds, givenMs] = process.argv.slice(2);
const rounds = Number(givenRounds);
const CPU_MS = Number(givenMs);
const OPTIONS: MeterOptions = {
  mode: "exact",
  stackBytes: 512 * 1024,
  memoryBytes: 64 * 2 ** 20,
  tableElements: 100_000,
};

/** What was found, as it is written. */
export interface Overshoot {
  readonly shapes: number;
  /** Each shape stopped by a governor of its own, so many times, in a new instance whose first call it is. */
  readonly stopped: readonly Stopped[];
  /** Some of them called by `kernel.invoke`, in instances that stand ready. */
  readonly invoked: readonly Stopped[];
  readonly invokedShapes: number;
  /** A loop that did nothing but look at the clock: how long it ran, and how far its looks were apart at most, ms. */
  readonly bare: { readonly ms: number; readonly worst: number };
}

/** One guest that was stopped: ms beyond its time. */
export interface Stopped extends Spent {
  /** From the governor's entry to its last look at the clock, after which the guest executed nothing. */
  readonly guest: number;
  /** From before the entry until the caller had the error. */
  readonly caller: number;
  /** How long the engine collected garbage; absent where it does not tell. */
  readonly collected?: number;
}

/** What became of the time of a run, ms. */
interface Spent {
  /** How long the thread waited for a core. */
  readonly waited: number;
  /** How long it did not run: it waited for a core, or slept. */
  readonly away: number;
}

/** A stop whose collections are not told yet. */
interface Stop extends Omit<Stopped, "collected"> {
  /** When it began and ended, by `performance.now`. */
  readonly begin: number;
  readonly end: number;
}

async function stopOften(shape: AssembledShape, rounds: number): Promise<readonly Stop[]> {
  const { bytes, meta } = meter(binary(shape), OPTIONS);
  const module = new WebAssembly.Module(bytes);
  const all: Stop[] = [];
  for (let round = 0; round < rounds; round++) {
    progress(`overshoot, ${shape.name}: round ${round + 1} of ${rounds}`);
    all.push(stopOnce(module, meta));
    // The memories of stopped guests are let go between turns of the event loop.
    await new Promise((done) => setTimeout(done));
  }
  return all;
}

function binary({ base64 }: AssembledShape): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(base64, "base64"));
}

/** What is called by a kernel as well: one of each kind, none of which imports anything. */
const INVOKED: ReadonlySet<string> = new Set([
  "an empty loop",
  "recursion that returns, without end",
  "catch_all around a trap-free throw",
  "memory.fill",
  "table.copy",
  "typed references calling each other",
]);

/**
 * The same by `kernel.invoke`, with the limits that a plugin has by default: what lies between is all that a caller waits for. How long its instance takes
 * to be made is told elsewhere.
 */
async function invokeOften(shape: AssembledShape, rounds: number): Promise<readonly Stop[]> {
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
  const all: Stop[] = [];
  for (let round = 0; round < rounds; round++) {
    progress(`overshoot by the kernel, ${shape.name}: round ${round + 1} of ${rounds}`);
    const spent = watch();
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
function watch(): (begin: number, end: number) => Omit<Stop, "guest" | "caller"> {
  const waited = waitedMs();
  const ran = ranMs();
  return (begin, end) => ({
    away: Math.max(0, end - begin - (ranMs() - ran)),
    waited: waitedMs() - waited,
    begin,
    end,
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

function stopOnce(module: WebAssembly.Module, meta: ReturnType<typeof meter>["meta"]): Stop {
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
  const spent = watch();
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

/** How far apart two looks at the clock may be when there is nothing else to do. */
function lookOnly(ms: number): number {
  const end = performance.now() + ms;
  let worst = 0;
  looks[LAST] = performance.now();
  while (looks[LAST]! < end) {
    looks[BEFORE] = looks[LAST]!;
    looks[LAST] = performance.now();
    worst = Math.max(worst, looks[LAST]! - looks[BEFORE]!);
  }
  return worst;
}

const shapes = JSON.parse(readFileSync(shapesFile, "utf8")) as readonly AssembledShape[];
using collections = new Collections();
const stopped: Stop[] = [];
for (const shape of shapes) stopped.push(...(await stopOften(shape, rounds)));
const invoked: Stop[] = [];
for (const shape of shapes) if (INVOKED.has(shape.name)) invoked.push(...(await invokeOften(shape, rounds)));
const bareMs = rounds * 200;
const bare = { ms: bareMs, worst: lookOnly(bareMs) };
// The engine tells of its collections some turns later.
await new Promise((done) => setTimeout(done, 100));
const told = ({ begin, end, ...stop }: Stop): Stopped => {
  const collected = collections.between(begin, end);
  return { ...stop, ...(collected !== undefined && { collected }) };
};
const found: Overshoot = {
  shapes: shapes.length,
  stopped: stopped.map(told),
  invoked: invoked.map(told),
  invokedShapes: INVOKED.size,
  bare,
};
writeFileSync(foundFile, JSON.stringify(found));
