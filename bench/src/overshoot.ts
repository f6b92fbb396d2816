import { performance } from "node:perf_hooks";
import { createKernel, isKeelsonError, platform, wasmModule } from "keelson";
import { Governor } from "../../packages/wasm/src/governor/index.ts";
import { meter, type MeterOptions } from "../../packages/wasm/src/meter/index.ts";
import { assembleShape, shapes } from "../../packages/wasm/test/meter/shapes.ts";
import { OURS, progress, type Task } from "./measure.ts";
import { waitedMs } from "./thread-time.ts";

const CPU_MS = 50;
const LIMIT = `cpuMs ${CPU_MS}`;
const OPTIONS: MeterOptions = {
  mode: "exact",
  stackBytes: 512 * 1024,
  memoryBytes: 64 * 2 ** 20,
  tableElements: 100_000,
};

/** One guest that was stopped: ms beyond its time. */
interface Stopped {
  /** From the governor's entry to its last look at the clock, after which the guest executed nothing. */
  readonly guest: number;
  /** From before the entry until the caller had the error. */
  readonly caller: number;
  /** How long the thread waited for a core meanwhile. */
  readonly waited: number;
}

/** A run in which the thread waited longer than this for a core tells of the machine. */
const UNDISTURBED_MS = 0.05;

/**
 * How far guests that never return pass a `cpuMs` of 50: each shape that ends by time, `rounds` times, in a new instance whose first
 * call it is.
 */
export async function benchOvershoot(rounds: number): Promise<readonly Task[]> {
  const endless = shapes.filter(({ stack, memory }) => !stack && !memory);
  const all: Stopped[] = [];
  for (const shape of endless) {
    const { bytes, meta } = meter(await assembleShape(shape), OPTIONS);
    const module = new WebAssembly.Module(bytes);
    for (let round = 0; round < rounds; round++) {
      progress(`overshoot, ${shape.name}: round ${round + 1} of ${rounds}`);
      all.push(stopOnce(module, meta));
      // The memories of stopped guests are let go between turns of the event loop.
      await new Promise((done) => setTimeout(done));
    }
  }
  const invoked: Stopped[] = [];
  for (const name of INVOKED) invoked.push(...(await invokeOften(name, rounds)));
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
async function invokeOften(name: string, rounds: number): Promise<readonly Stopped[]> {
  const shape = shapes.find((one) => one.name === name);
  if (shape === undefined) throw new RangeError(`no shape "${name}"`);
  await using kernel = await createKernel();
  const source = await assembleShape(shape);
  await kernel.register(
    wasmModule({
      id: "guest",
      source,
      abi: "raw",
      limits: { cpuMs: CPU_MS },
      pool: { min: 1 },
      quarantine: false,
    }),
  );
  await kernel.start();
  const all: Stopped[] = [];
  for (let round = 0; round < rounds; round++) {
    progress(`overshoot by the kernel, ${name}: round ${round + 1} of ${rounds}`);
    const waited = waitedMs();
    const begin = performance.now();
    const error = await kernel.invoke("guest", "f").catch((thrown: unknown) => thrown);
    const caller = performance.now() - begin - CPU_MS;
    if (!isKeelsonError(error, "DEADLINE_EXCEEDED")) throw error;
    const cpuMs = (error.details as { usage: { cpuMs: number } }).usage.cpuMs;
    all.push({ guest: cpuMs - CPU_MS, caller, waited: waitedMs() - waited });
    await new Promise((done) => setTimeout(done));
  }
  return all;
}

const { ran } = platform().clock;

function stopOnce(module: WebAssembly.Module, meta: ReturnType<typeof meter>["meta"]): Stopped {
  const looks = { first: 0, last: 0, before: 0 };
  /** When the stop was rehearsed, and the look that follows. */
  const rehearsal = { begun: 0, over: false, next: 0 };
  const clock = {
    now() {
      looks.before = looks.last;
      looks.last = performance.now();
      looks.first ||= looks.last;
      if (rehearsal.over && rehearsal.next === 0) rehearsal.next = looks.last;
      return looks.last;
    },
  };
  const governor = new Governor({ clock: { ...clock, ...(ran && { ran }) } });
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
    rehearsal.begun = looks.last;
    governor.stopError(stop, thrown);
    rehearsal.over = true;
  };
  const body = instance.exports["f"] as unknown as (() => void) | undefined;
  const waited = waitedMs();
  const begin = performance.now();
  try {
    if (body === undefined) governor.start({ cpuMs: CPU_MS });
    else governor.run({ cpuMs: CPU_MS }, body);
  } catch {
    const end = performance.now();
    if (governor.stopped?.limit !== "cpuMs") throw new Error(`stopped for ${governor.stopped?.limit}`);
    // The governor's last look is after the guest was left; and if its time was over after the rehearsal, it executed nothing since that began.
    const last = looks.before === rehearsal.next ? rehearsal.begun : looks.before;
    const guest = last - looks.first - CPU_MS;
    return { guest, caller: end - begin - CPU_MS, waited: waitedMs() - waited };
  }
  throw new Error("the guest returned");
}

function rows(
  what: string,
  runs: readonly Stopped[],
  figure: "guest" | "caller",
  most: readonly number[],
): readonly Task[] {
  const sorted = runs.map((run) => run[figure]).sort((one, other) => one - other);
  if (sorted.length === 0) return [];
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
  const quantiles = { median: at(0.5), "99th percentile": at(0.99), worst: at(1) };
  return Object.entries(quantiles).map(([quantile, over], index): Task => {
    const target = most[index];
    const time = { median: (CPU_MS + over) * 1e6, least: (CPU_MS + at(0)) * 1e6 };
    return {
      task: `${what}: ${quantile}`,
      timings: [
        { name: OURS, ...time },
        { name: LIMIT, median: CPU_MS * 1e6, least: CPU_MS * 1e6 },
      ],
      claims: [{ against: [LIMIT], kind: "adds at most", ...(target && { target: target * 1e6 }) }],
    };
  });
}
