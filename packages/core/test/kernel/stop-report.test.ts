import { expect, test } from "vitest";
import type { Call } from "../../src/contract/call.ts";
import { KeelsonError } from "../../src/contract/errors.ts";
import type { Kernel } from "../../src/contract/kernel.ts";
import { nativeModule } from "../../src/kernel/index.ts";
import { rejection } from "../support/errors.ts";
import { testKernel } from "./harness.ts";

const usage = { fuel: 7, cpuMs: 50, memoryPeakBytes: 0 };

/** A module whose one call in progress is answered by the test, up to 20 ms after its deadline. */
async function open(stops = 1_000): Promise<{
  readonly kernel: Kernel;
  readonly answer: PromiseWithResolvers<number>;
  readonly advance: (ms: number) => Promise<void>;
  /** The call, and whether its signal has fired. */
  readonly seen: { call?: Call };
}> {
  const { kernel, platform } = testKernel();
  const answer = Promise.withResolvers<number>();
  const seen: { call?: Call } = {};
  await kernel.register({
    metadata: { id: "a", name: "a", version: "1.0.0", kind: "late" },
    quarantine: { stops },
    create: () => ({
      stopReportMs: 20,
      call(call) {
        void call.signal;
        seen.call = call;
        return answer.promise;
      },
    }),
  });
  await kernel.start("a");
  return { kernel, answer, advance: (ms) => platform.clock.advance(ms), seen };
}

test("a guest's account of its stop that comes after the deadline is what the caller gets", async () => {
  const { kernel, answer, advance, seen } = await open(1);
  const failed = rejection(kernel.invoke("a", "spin", undefined, { timeoutMs: 50 }));
  await advance(50);
  expect(seen.call?.signal.reason).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  await advance(19);
  expect(kernel.list()[0]?.inFlight).toBe(1);
  const details = { module: "a", limit: "deadline", usage };
  answer.reject(new KeelsonError("DEADLINE_EXCEEDED", "stopped", { details }));
  expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED", details });
  expect(kernel.list()[0]?.quarantine).toMatchObject({ onTrial: false });
});

test("one that does not come counts as a stop without it, once", async () => {
  const { kernel, answer, advance } = await open(2);
  const failed = rejection(kernel.invoke("a", "spin", undefined, { timeoutMs: 50 }));
  await advance(70);
  const { code, details } = await failed;
  expect([code, details]).toEqual([
    "DEADLINE_EXCEEDED",
    { id: "a", method: "spin", timeoutMs: 50, module: "a", limit: "deadline" },
  ]);
  answer.reject(
    new KeelsonError("DEADLINE_EXCEEDED", "at last", { details: { module: "a", limit: "deadline", usage } }),
  );
  await advance(1);
  expect(kernel.metrics.text()).toContain('keelson_guest_stops_total{module="a",reason="deadline"} 1');
  expect(kernel.list()[0]?.quarantine).toBeUndefined();
});

test.each([
  ["an answer", (answer: PromiseWithResolvers<number>) => answer.resolve(42)],
  [
    "any other failure",
    (answer: PromiseWithResolvers<number>) =>
      answer.reject(new KeelsonError("CHECKOUT_TIMEOUT", "none free")),
  ],
])("%s after the deadline is DEADLINE_EXCEEDED, and no stop", async (_, end) => {
  const { kernel, answer, advance } = await open(1);
  const failed = rejection(kernel.invoke("a", "spin", undefined, { timeoutMs: 50 }));
  await advance(50);
  end(answer);
  const { code, details } = await failed;
  expect([code, details]).toEqual(["DEADLINE_EXCEEDED", { id: "a", method: "spin", timeoutMs: 50 }]);
  expect(kernel.list()[0]?.quarantine).toBeUndefined();
});

test("a native module made by create() has that time too, whatever its class", async () => {
  class Late {
    readonly stopReportMs = 20;
    readonly #answer: Promise<number>;
    constructor(answer: Promise<number>) {
      this.#answer = answer;
    }
    call(): Promise<number> {
      return this.#answer;
    }
  }
  const { kernel, platform } = testKernel();
  const answer = Promise.withResolvers<number>();
  await kernel.register(nativeModule({ id: "a", create: () => new Late(answer.promise) }));
  await kernel.start("a");
  const failed = rejection(kernel.invoke("a", "spin", undefined, { timeoutMs: 50 }));
  await platform.clock.advance(69);
  const details = { module: "a", limit: "deadline", usage };
  answer.reject(new KeelsonError("DEADLINE_EXCEEDED", "stopped", { details }));
  expect(await failed).toMatchObject({ details });
});
