import process from "node:process";
import { describe, expect, test } from "vitest";
import type { Kernel } from "../../src/contract/kernel.ts";
import type { ModuleContext, ModuleDefinition } from "../../src/contract/module.ts";
import { createKernel, nativeModule } from "../../src/kernel/index.ts";
import { createSeededRandom, createTestPlatform, settle } from "../../src/testing/index.ts";

const RUNS = Number(process.env["KEELSON_STORM_RUNS"] ?? 150);
const STEPS = 40;
const IDS = ["overlapping", "alone", "above"] as const;

/** What lives, by the modules' own word: each start is written down, and struck off when its scope is undone. */
class Book {
  readonly alive = new Map<string, ModuleContext>();
  readonly faults: string[] = [];
  readonly #random: { number(): number };
  #count = 0;

  constructor(random: { number(): number }) {
    this.#random = random;
  }

  definition(id: (typeof IDS)[number], version: number): ModuleDefinition {
    const later = (): Promise<void> | undefined => this.#later();
    const fails = (share: number): boolean => this.#random.number() < share;
    const sick = fails(0.15);
    return nativeModule({
      id,
      version: `1.0.${version}`,
      overlap: id !== "alone",
      ...(id === "above" ? { depends: { alone: "*" } } : {}),
      restart: {
        policy: "always",
        intensity: { max: 3, withinMs: 1000 },
        backoff: { initialMs: 5, jitter: 0 },
        health: { everyMs: 20, timeoutMs: 10, failures: 1 },
      },
      deadlines: { initMs: 30, startMs: 30, stopMs: 30 },
      init: async () => {
        await later();
        if (fails(0.05)) throw undefined;
      },
      start: async (context) => {
        const key = `${id} ${version} ${++this.#count}`;
        this.alive.set(key, context);
        context.scope.defer(() => void this.alive.delete(key));
        this.#look(id);
        if (fails(0.02)) await new Promise(() => {});
        await later();
        if (fails(0.1)) throw new Error("no");
      },
      stop: async () => {
        await later();
        if (fails(0.05)) throw undefined;
      },
      health: async () => {
        await later();
        return { healthy: !sick && !fails(0.1) };
      },
      methods: {
        go: async () => {
          await later();
          if (fails(0.1)) throw undefined;
          return version;
        },
      },
    });
  }

  /** Lets one of those that live end by itself. */
  end(): void {
    const contexts = [...this.alive.values()];
    const one = contexts[Math.floor(this.#random.number() * contexts.length)];
    one?.exited({ reason: this.#random.number() < 0.5 ? "normal" : "crash" });
  }

  #look(id: string): void {
    const living = [...this.alive.keys()].filter((key) => key.startsWith(`${id} `));
    if (id === "alone" && living.length > 1) this.faults.push(`two live: ${living.join(", ")}`);
  }

  #later(): Promise<void> | undefined {
    const chance = this.#random.number();
    if (chance < 0.5) return undefined;
    if (chance < 0.8) return Promise.resolve();
    return this.wait(Math.floor(this.#random.number() * 25));
  }

  wait: (ms: number) => Promise<void> = () => Promise.resolve();
}

async function storm(
  seed: number,
): Promise<{ faults: readonly string[]; alive: readonly string[]; timers: number; unsettled: number }> {
  const random = createSeededRandom(seed);
  const platform = createTestPlatform();
  const { clock } = platform;
  const kernel: Kernel = createKernel({ platform, drainMs: 40 });
  const book = new Book(random);
  let waits = 0;
  book.wait = (ms) =>
    new Promise((resolve) => {
      waits++;
      clock.after(ms, () => (waits--, resolve()), true);
    });
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.number() * list.length)] as T;
  let version = 0;
  let unsettled = 0;
  for (const id of IDS) await kernel.register(book.definition(id, 0));
  const watch = (work: Promise<unknown>): void => {
    unsettled++;
    void work.then(
      () => unsettled--,
      (error: unknown) => {
        unsettled--;
        if (
          (error as { code?: string }).code === undefined ||
          (error as { code?: string }).code === "INTERNAL"
        )
          book.faults.push(String(error));
      },
    );
  };
  for (let step = 0; step < STEPS; step++) {
    const id = pick(IDS);
    const chance = random.number();
    if (chance < 0.2) watch(kernel.start(id));
    else if (chance < 0.3) watch(kernel.stop(id));
    else if (chance < 0.5) watch(kernel.reload(id, book.definition(id, ++version)));
    else if (chance < 0.55)
      watch(kernel.unload(id).then(() => kernel.register(book.definition(id, ++version))));
    else if (chance < 0.65) book.end();
    else if (chance < 0.7) watch(kernel.init(id));
    else if (chance < 0.72)
      watch(kernel.reconcile([...IDS.filter((other) => kernel.state(other) !== undefined)]));
    else if (chance < 0.85) watch(kernel.invoke(id, "go", null, { timeoutMs: 20 }));
    else await clock.advance(Math.floor(random.number() * 20));
    if (random.number() < 0.3) await settle();
  }
  let report: unknown;
  void kernel.shutdown({ timeoutMs: 5000 }).then((value) => (report = value));
  for (let turn = 0; turn < 400 && (report === undefined || unsettled > 0); turn++) {
    await clock.advance(25);
    await settle();
  }
  if (report === undefined) book.faults.push("the shutdown does not end");
  return { faults: book.faults, alive: [...book.alive.keys()], timers: clock.pending - waits, unsettled };
}

describe("whatever is asked of a kernel at once, in any order, while its modules are slow, fail, end and fall ill", () => {
  const batch = 30;
  test.each(Array.from({ length: RUNS / batch }, (_, index) => index * batch))(
    "never do two versions live that may not, each request settles with a value or a code, and nothing lives on after the shutdown (runs from %i)",
    async (from) => {
      for (let seed = from + 1; seed <= from + batch; seed++) {
        expect({ seed, ...(await storm(seed)) }).toEqual({
          seed,
          faults: [],
          alive: [],
          timers: 0,
          unsettled: 0,
        });
      }
    },
    60_000,
  );
});
