import { describe, expect, test } from "vitest";

import { createKernel, type Kernel, processModule } from "../../src/index.ts";
import {
  createFakeProcesses,
  createSeededRandom,
  createTestPlatform,
  type FakeProcess,
  type FakeProcesses,
  settle,
  type TestPlatform,
} from "../../src/testing/index.ts";
import { ready } from "./harness.ts";

type Pick = (count: number) => number;
const IDS = ["child", "other"] as const;

/** A child that comes up or does not, and answers or dies, as chance has it. */
function behave(child: FakeProcess, pick: Pick): void {
  const start = pick(8);
  if (start === 0) throw new Error("it cannot be started");
  else if (start === 1) child.exit({ code: 3 });
  else if (start === 2) child.exit({ signal: "SIGTERM" });
  else if (start === 3) child.say("garbage\n");
  else if (start > 4) child.say(ready);
  child.onLine = (line) => {
    const { request_id, method } = JSON.parse(line) as Record<string, unknown>;
    if (request_id === undefined) return;
    const answer = pick(8);
    if (answer === 1) child.exit({ signal: "SIGTERM" });
    else if (answer === 2) child.say("rubbish\n");
    else if (answer === 3) child.stdout.end();
    else if (answer === 4) child.say({ request_id: `${pick(5)}`, module: IDS[pick(2)], method: "m" });
    else if (answer > 4) child.say({ reply_id: request_id, result: method });
  };
}

/** Something happens to a child from without. */
function meddle({ spawned }: FakeProcesses, pick: Pick): void {
  const child = spawned[pick(spawned.length)];
  const what = pick(6);
  if (what === 0) child?.exit({ signal: "SIGTERM" });
  else if (what === 1) child?.breakStdin();
  else if (what === 2) child?.stdout.end();
  else if (what === 3) child?.stdout.fail(new Error("the pipe broke"));
  else if (what === 4) child?.holdStdin();
  else child?.exit({ code: 0 }, pick(2) === 0);
}

/** One operation on the kernel, not waited for; undefined when it was something else. */
function operate(kernel: Kernel, pick: Pick): Promise<unknown> {
  const id = IDS[pick(2)] as string;
  const controller = new AbortController();
  switch (pick(9)) {
    case 0:
    case 1:
      return kernel.start(id);
    case 2:
      return kernel.stop(id);
    case 3:
      return kernel.reload(id);
    case 4:
      return kernel.invoke(id, "m", 1, { timeoutMs: 1 + pick(30) });
    case 5:
      void settle(pick(6)).then(() => controller.abort());
      return kernel.invoke(id, "m", 1, { signal: controller.signal });
    case 6:
      return kernel.health(id);
    case 7:
      return Promise.try(() => kernel.invokeSync(id, "m", 1));
    default:
      return kernel.measure(id, "m", 1);
  }
}

/** A kernel with two process modules that have the shortest of tempers. */
async function open(platform: TestPlatform, pick: Pick): Promise<Kernel> {
  const kernel = createKernel({ platform });
  for (const id of IDS) {
    const definition = processModule({
      id,
      command: "c",
      handshakeMs: 50,
      graceMs: 5,
      health: pick(2) === 0,
      overlap: pick(2) === 0,
      restart: {
        policy: (["never", "on-failure", "always"] as const)[pick(3)] ?? "never",
        backoff: { initialMs: 1 + pick(30) },
        health: { everyMs: 20, timeoutMs: 10, failures: 1 },
      },
    });
    await kernel.register(definition);
  }
  return kernel;
}

describe("children that die, babble and fall silent at any moment", () => {
  // An unhandled rejection fails the run by itself.
  test("leave no promise without an end, no rejection that nobody hears, and no timer", async () => {
    const outcomes = new Set<unknown>();
    for (let seed = 1; seed <= 60; seed++) {
      const random = createSeededRandom(seed);
      const pick: Pick = (count) => Math.floor(random.number() * count);
      const processes = createFakeProcesses((child) => behave(child, pick));
      const platform = createTestPlatform({ processes });
      const kernel = await open(platform, pick);
      const pending: Promise<unknown>[] = [];
      for (let step = 0; step < 40; step++) {
        const kind = pick(12);
        if (kind === 0) meddle(processes, pick);
        else if (kind === 1) await platform.clock.advance(pick(60));
        else if (kind === 2) await settle(pick(20));
        else {
          const told = operate(kernel, pick).then(
            () => outcomes.add("answered"),
            (error: { code?: string }) => outcomes.add(error.code ?? String(error)),
          );
          pending.push(told);
        }
      }
      pending.push(kernel.shutdown());
      await platform.clock.advance(60_000);
      await Promise.all(pending);
      expect(platform.clock.pending).toBe(0);
    }
    expect([...outcomes]).toEqual(
      expect.arrayContaining(["ABORTED", "PROCESS_EXITED", "RELOAD_FAILED", "WOULD_BLOCK", "answered"]),
    );
  });
});
