import { setImmediate } from "node:timers";
import process from "node:process";
import { expect, onTestFinished, test } from "vitest";
import { isKeelsonError, type Kernel, nativeModule, processModule } from "@keelson/core";
import { createSeededRandom } from "@keelson/core/testing";
import { wasmModule } from "@keelson/wasm";
import { wat } from "../../../wasm/test/support/wat.ts";
import { createKernel, eventually, holdings, program, settledHoldings } from "./host.ts";

const ROUNDS = Number(process.env["KEELSON_CHAOS_ROUNDS"] ?? 200);
const SEED = Number(process.env["KEELSON_CHAOS_SEED"] ?? 20_261_121);
const CHILDREN = ["one", "two", "three"];
/** What a child is told to do; those in the first row come more often. */
const DEEDS = [
  ...["echo", "echo", "later", "later", "garbage", "broken", "flood", "forge"],
  ...["huge", "hang", "kill", "exit", "cut", "stop"],
];

const guest = wat(`(module (memory 1)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "trap") unreachable)
  (func (export "grow") (result i32) (memory.grow (i32.const 100000))))`);

async function host(): Promise<Kernel> {
  const kernel = await createKernel();
  const [command = "", ...args] = program("echo.mjs");
  for (const id of CHILDREN) {
    await kernel.register(
      processModule({
        id,
        command,
        args,
        graceMs: 50,
        health: true,
        restart: {
          policy: "always",
          intensity: { max: 1e6, withinMs: 1000 },
          backoff: { initialMs: 1, maxMs: 10 },
          health: { everyMs: 200, timeoutMs: 1000, failures: 1 },
        },
      }),
    );
  }
  await kernel.register(wasmModule({ id: "guest", source: guest, pool: { max: 2 } }));
  await kernel.register(
    nativeModule({
      id: "native",
      methods: {
        add: ({ payload }) => (payload as number) + 1,
        // Through a child, with all that may happen to it.
        through: (call) => call.invoke("one", "echo", call.payload),
      },
    }),
  );
  await kernel.start();
  return kernel;
}

/** The sum of all series of a name. */
function metric(kernel: Kernel, name: string): number {
  const lines = kernel.metrics
    .text()
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

async function chaos(kernel: Kernel, rounds: number, seed: number): Promise<string[]> {
  const random = createSeededRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.number() * list.length)] as T;
  const faults: string[] = [];
  const call = async (
    what: string,
    id: string,
    method: string,
    payload: unknown,
    wanted: (value: unknown) => boolean,
  ): Promise<void> => {
    const abort = random.number() < 0.1 ? new AbortController() : undefined;
    const options = {
      timeoutMs: 50 + Math.floor(random.number() * 500),
      ...(abort === undefined ? {} : { signal: abort.signal }),
    };
    const answer = kernel.invoke(id, method, payload as never, options);
    if (abort !== undefined) setImmediate(() => abort.abort());
    try {
      const value: unknown = await answer;
      if (!wanted(value)) faults.push(`${what}: ${id}.${method} answered ${String(value)}`);
    } catch (error) {
      if (!isKeelsonError(error) || error.code === "INTERNAL")
        faults.push(`${what}: ${id}.${method} threw ${String(error)}`);
    }
  };
  for (let round = 0; round < rounds; round++) {
    const what = `round ${round}`;
    const id = pick(CHILDREN);
    const deed = pick(DEEDS);
    const payload =
      deed === "later" ? Math.floor(random.number() * 30) : deed === "exit" ? pick([0, 3]) : round;
    const ends = deed === "echo" || deed === "later" ? payload : deed;
    const calls = [
      call(what, id, deed, payload, (value) => value === ends),
      call(what, "native", "through", round, (value) => value === round),
      call(
        what,
        pick(CHILDREN),
        "echo",
        "x".repeat(Math.floor(random.number() * 100_000)),
        (value) => typeof value === "string",
      ),
    ];
    if (random.number() < 0.2)
      calls.push(call(what, "guest", pick(["trap", "grow"]), undefined, (value) => value === -1));
    if (random.number() < 0.05) calls.push(kernel.reload(id).then(undefined, () => {}));
    if (random.number() < 0.05)
      calls.push(
        kernel
          .stop(id)
          .then(() => kernel.start(id))
          .catch(() => {}),
      );
    // Whatever happens to others, these two answer.
    if ((await kernel.invoke("guest", "add", [round, 1])) !== round + 1)
      faults.push(`${what}: the guest cannot add`);
    if ((await kernel.invoke("native", "add", round)) !== round + 1)
      faults.push(`${what}: the native module cannot add`);
    await Promise.all(calls);
  }
  return faults;
}

test(
  `${ROUNDS} rounds of chaos: kills, hangs, floods, huge lines, broken UTF-8, forged replies, traps, reloads; nobody else suffers and nothing is left`,
  async () => {
    // What the runtime opens at first use is opened first.
    const warm = await host();
    await chaos(warm, 20, 1);
    await warm.shutdown();
    const before = holdings();

    const kernel = await host();
    onTestFinished(async () => void (await kernel.shutdown()));
    const faults = await chaos(kernel, ROUNDS, SEED);
    expect(faults).toEqual([]);
    // Each child comes back, for good.
    for (const id of CHILDREN) {
      await eventually(
        () =>
          kernel.state(id) === "running" &&
          kernel.list().find(({ metadata }) => metadata.id === id)?.inFlight === 0,
        `${id} is ${kernel.state(id)}`,
      );
      let answer: unknown;
      for (let tries = 0; tries < 200 && answer !== "back"; tries++) {
        answer = await kernel
          .invoke(id, "echo", "back", { timeoutMs: 500 })
          .catch((error: { code: string }) => error.code);
        if (answer !== "back")
          await new Promise((resolve) => kernel.platform.clock.after(20, () => resolve(undefined)));
      }
      expect(answer).toBe("back");
    }
    // A health check may be under way at any one moment.
    await eventually(
      () => kernel.list().every(({ inFlight }) => inFlight === 0),
      "calls are in flight for ever",
    );
    expect(metric(kernel, "keelson_restarts_total")).toBeGreaterThan(0);
    expect(metric(kernel, "keelson_pool_in_use")).toBe(0);
    expect(metric(kernel, "keelson_pool_waiting")).toBe(0);
    const report = await kernel.shutdown();
    expect(report.orphans).toEqual([]);
    expect([...report.terminated].sort()).toEqual([...CHILDREN, "guest", "native"].sort());
    const after = await settledHoldings(before);
    expect(after.children).toEqual(before.children);
    expect(after.threads).toBeLessThanOrEqual(before.threads);
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 2);
  },
  120_000 + ROUNDS * 500,
);
