import { readdirSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import type { WorkerThread } from "@keelson/core";
import { adapter, eventually, runtime } from "../adapter.ts";

const program = new URL("../programs/thread.ts", import.meta.url);
const threads: WorkerThread[] = [];

afterEach(async () => {
  await Promise.all(threads.splice(0).map((thread) => thread.terminate()));
});

/** A thread, and a function that sends it a message and gives its answer. */
async function start(
  from: URL = program,
): Promise<{ thread: WorkerThread; ask(message: unknown, transfer?: ArrayBuffer[]): Promise<unknown> }> {
  const { workers } = await adapter();
  if (workers === undefined) throw new Error("no workers");
  const waiting: ((message: unknown) => void)[] = [];
  const thread = workers.start(from, (message) => waiting.shift()?.(message));
  threads.push(thread);
  const ask = (message: unknown, transfer?: ArrayBuffer[]): Promise<unknown> =>
    new Promise((resolve) => {
      waiting.push(resolve);
      thread.post(message, transfer);
    });
  return { thread, ask };
}

describe("a thread", () => {
  test("gets what was posted before it listened, in order, and answers", async () => {
    const { ask } = await start();
    expect(await Promise.all([1, "two", { three: [3n, Number.NaN] }].map((message) => ask(message)))).toEqual(
      [1, "two", { three: [3n, Number.NaN] }],
    );
  });

  test("is given bytes, which may move, shared memory and compiled modules", async () => {
    const { ask } = await start();
    const bytes = Uint8Array.of(1, 2, 3);
    expect(await ask(bytes, [bytes.buffer])).toEqual(Uint8Array.of(1, 2, 3));
    expect(bytes.length).toBe(0);
    const shared = new Int32Array(new SharedArrayBuffer(4));
    expect(await ask(shared)).toBe("stored");
    expect(shared[0]).toBe(7);
    expect(await ask(await WebAssembly.compile(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)))).toBe(0);
  });

  test("tells how long it ran by itself, where threads are counted finely", async (context) => {
    const { ask } = await start();
    const done = new Int32Array(new SharedArrayBuffer(4));
    const told = ask("ran");
    // What the host does meanwhile is no time of the thread's.
    const until = performance.now() + 30;
    while (performance.now() < until) done[0]!++;
    const ran = await told;
    if (runtime === "deno") {
      expect(ran).toBe("untold");
      context.skip("Deno counts the time of a thread in hundredths of a second");
    }
    const { asleep, busy } = ran as { readonly asleep: number; readonly busy: number };
    expect(asleep).toBeLessThan(20);
    expect(busy).toBeGreaterThanOrEqual(10);
  });

  test("that throws, or cannot be loaded, ends with the reason, and the host lives", async () => {
    const { thread } = await start();
    thread.post("throw");
    expect(String((await thread.exited).error)).toContain("nobody catches this");
    thread.post("to nobody");
    const missing = await start(new URL("../programs/nothing.ts", import.meta.url));
    expect(String((await missing.thread.exited).error)).toMatch(/nothing/);
  });

  test("is gone after terminate() while it is idle, which may be called twice", async () => {
    const count = (): number => readdirSync("/proc/self/task").length;
    const first = await start();
    await first.ask(1);
    await first.thread.terminate();
    const before = count();
    for (let round = 0; round < 5; round++) {
      const { thread, ask } = await start();
      await ask(1);
      await Promise.all([thread.terminate(), thread.terminate()]);
      expect((await thread.exited).error).toBeUndefined();
    }
    await eventually(() => count() <= before + 1);
  });

  test("what cannot be cloned is refused where it is posted", async () => {
    const { thread } = await start();
    expect(() => thread.post(() => 1)).toThrow();
  });
});
