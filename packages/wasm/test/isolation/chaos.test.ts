import fc from "fast-check";
import process from "node:process";
import { expect, test } from "vitest";
import { liveInstances } from "../../src/instance/live-instances.ts";
import { GUEST } from "./guests.ts";
import { children, codeOf, expectHoldings, expectIdle, holdings, openKernel, startEach } from "./harness.ts";

/** What may become of a call in the storm; anything else is a fault. */
const EXPECTED = new Set([
  "answered 42",
  "WASM_TRAP",
  "ABORTED",
  "DEADLINE_EXCEEDED",
  "PROCESS_EXITED",
  "STACK_EXHAUSTED",
  "answered undefined",
]);

const ROUNDS = 150;

test("guests at all levels in one storm of traps, aborts, time-outs and kills: every call ends as it may, and the counts go back to zero", async () => {
  const before = holdings();
  const { kernel } = await openKernel();
  const ids = ["inline", "worker", "process"] as const;
  await startEach(kernel, ids, (isolation) => ({
    source: GUEST,
    pool: { min: 1, max: isolation === "inline" ? 4 : 2 },
  }));
  const seen = new Map<string, number>();
  const actions = fc.sample(
    fc.record({
      id: fc.constantFrom(...ids),
      what: fc.constantFrom("add", "add", "add", "boom", "spin", "abort", "recurse", "kill"),
      ms: fc.integer({ min: 1, max: 15 }),
    }),
    { numRuns: ROUNDS * 3, seed: 20_261_128 },
  );
  const run = async ({ id, what, ms }: (typeof actions)[number]): Promise<void> => {
    if (what === "kill") {
      const pids = children();
      const pid = pids[ms % Math.max(1, pids.length)];
      if (pid !== undefined) process.kill(pid, "SIGKILL");
      return;
    }
    const abort = what === "abort" && id !== "inline" ? new AbortController() : undefined;
    const call =
      what === "add"
        ? kernel.invoke(id, "add", [2, 40])
        : what === "boom" || what === "recurse"
          ? kernel.invoke(id, what)
          : kernel.invoke(id, "spin", undefined, {
              timeoutMs: abort === undefined ? ms : 10_000,
              ...(abort === undefined ? {} : { signal: abort.signal }),
            });
    const code = codeOf(call);
    if (abort !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, ms));
      abort.abort();
    }
    const came = await code;
    seen.set(came, (seen.get(came) ?? 0) + 1);
  };
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(actions.slice(round * 3, round * 3 + 3).map(run));
  }
  expect([...seen.keys()].filter((one) => !EXPECTED.has(one))).toEqual([]);
  for (const one of ["answered 42", "WASM_TRAP", "ABORTED", "DEADLINE_EXCEEDED"])
    expect(seen.get(one) ?? 0).toBeGreaterThan(5);
  for (const id of ids) expect(await kernel.invoke(id, "add", [2, 40])).toBe(42);

  expect(await kernel.shutdown()).toMatchObject({ orphans: [], errors: [] });
  expect(liveInstances(kernel.platform).count).toBe(0);
  await expectHoldings(before);
  await expectIdle();
}, 60_000);
