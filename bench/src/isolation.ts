import { createKernel, type Kernel, wasmModule } from "keelson";
import { ECHO } from "./guests.ts";
import { alternate, type Contender, OURS, type Task } from "./measure.ts";

const LEVELS = ["inline", "worker", "process"] as const;
type Level = (typeof LEVELS)[number];

/** The same guest, metered alike, at each level of isolation: a call with next to nothing, one with 64 KiB, and its start. */
export async function benchIsolation(rounds: number): Promise<readonly Task[]> {
  const large = Uint8Array.from({ length: 65_536 }, (_, at) => at);
  await using kernel = await createKernel();
  for (const level of LEVELS) await kernel.register(guest(level));
  await kernel.start();
  const calls = (bytes: Uint8Array): Contender[] =>
    LEVELS.map((level) => ({
      name: nameOf(level),
      async run(times) {
        for (let n = 0; n < times; n++) await call(kernel, level, bytes);
      },
    }));
  return [
    await alternate("a call with a byte, there and back", calls(new Uint8Array(1)), { rounds, times: 500 }),
    await alternate("a call with 64 KiB, there and back", calls(large), { rounds, times: 50 }),
    await starts(Math.ceil(rounds / 2)),
  ];
}

const nameOf = (level: Level): string => (level === "inline" ? OURS : `the same, isolation: "${level}"`);

function guest(level: Level): ReturnType<typeof wasmModule> {
  const limits = { fuel: 1_000_000, cpuMs: 50 };
  return wasmModule({ id: level, source: ECHO, isolation: level, limits, pool: { min: 1, max: 1 } });
}

async function call(kernel: Kernel, level: Level, bytes: Uint8Array): Promise<void> {
  const answer = (await kernel.invoke(level, "echo", bytes)) as Uint8Array;
  if (answer.length !== bytes.length) throw new Error(`${answer.length} bytes instead of ${bytes.length}`);
}

/** From starting a registered module until it has answered one call; what it is compiled to is known by then. */
async function starts(rounds: number): Promise<Task> {
  await using kernel = await createKernel();
  for (const level of LEVELS) await kernel.register(guest(level));
  const start = (level: Level): Contender => ({
    name: nameOf(level),
    async run() {
      const begin = performance.now();
      await kernel.start(level);
      await call(kernel, level, new Uint8Array(1));
      const ms = performance.now() - begin;
      await kernel.stop(level);
      return ms;
    },
  });
  return await alternate("start and first call", LEVELS.map(start), { rounds, times: 1 });
}
