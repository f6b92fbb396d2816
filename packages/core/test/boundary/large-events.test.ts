import { expect, test } from "vitest";
import { processModule } from "../../src/boundary/index.ts";
import { createKernel } from "../../src/kernel/index.ts";
import { createFakeProcesses, createTestPlatform } from "../../src/testing/index.ts";
import { ready } from "./harness.ts";

/** Almost as long as a line may be. */
const LARGE = "x".repeat(2 ** 20 - 500);
/** So many of them fit into the log. */
const FIT = 16;

test("of a child that prints large events and fails calls with large messages, the kernel's log keeps 16 Mi characters", async () => {
  const processes = createFakeProcesses((child) => {
    child.say(ready);
    child.onLine = (line) => {
      const { request_id, method } = JSON.parse(line) as Record<string, unknown>;
      if (request_id === undefined) return;
      if (method === "tell") child.say({ ...ready, event_type: "large", payload: LARGE });
      child.say(
        method === "tell"
          ? { reply_id: request_id, result: null }
          : { reply_id: request_id, error: { code: "CALL_FAILED", message: LARGE } },
      );
    };
  });
  const platform = createTestPlatform({ processes });
  await using kernel = createKernel({ platform });
  await kernel.register(processModule({ id: "child", command: "child" }));
  await kernel.start("child");
  let heard = 0;
  kernel.bus.on("boundary.child.large", () => void heard++);
  for (let count = 0; count < 20; count++) await call("tell");
  expect(heard).toBe(20);
  expect(topics()).toEqual({ "boundary.child.large": FIT });

  for (let count = 0; count < 20; count++)
    await expect(call("fail")).rejects.toMatchObject({ code: "CALL_FAILED" });
  expect(topics()).toEqual({ "module.call_failed": FIT });

  /** A host that reads so much gives timers their turn in between: here they run when the clock is moved. */
  async function call(method: string): Promise<void> {
    let over = false;
    const done = kernel.invoke("child", method).finally(() => (over = true));
    done.catch(() => {});
    while (!over) await platform.clock.advance(1);
    await done;
  }

  function topics(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { topic } of kernel.events()) counts[topic] = (counts[topic] ?? 0) + 1;
    return counts;
  }
});
