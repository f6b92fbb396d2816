import { describe, expect, test } from "vitest";
import type { ModuleState } from "../../src/contract/module.ts";
import { Deferred } from "../../src/primitives/deferred.ts";
import { settle } from "../../src/testing/index.ts";
import { rejectionCode } from "../support/errors.ts";
import { createHarness, type Harness } from "./harness.ts";

function path(h: Harness): ModuleState[] {
  return h.transitions.map(([, to]) => to);
}

describe("an observer that acts in the event of initialized", () => {
  test("by stop(): who waits for the start hears ABORTED, and nothing is started", async () => {
    const h = createHarness({ start: () => expect.unreachable() });
    h.onTransition = (to) => {
      if (to === "initialized") void h.lifecycle.stop();
    };
    expect(await rejectionCode(h.lifecycle.start())).toBe("ABORTED");
    expect(path(h)).toEqual(["initializing", "initialized", "stopping", "stopped"]);
  });

  test("by start(): one start serves both who asked for it", async () => {
    let starts = 0;
    const h = createHarness({ start: () => void starts++ });
    let second: Promise<void> | undefined;
    h.onTransition = (to) => {
      if (to === "initialized") second = h.lifecycle.start();
    };
    await h.lifecycle.start();
    await second;
    expect(starts).toBe(1);
    expect(path(h)).toEqual(["initializing", "initialized", "starting", "running"]);
  });
});

test("a stop in the event of starting comes before any pre-start hook", async () => {
  const phases: string[] = [];
  const h = createHarness({});
  h.phase = (phase) => void phases.push(phase);
  h.onTransition = (to) => {
    if (to === "starting") void h.lifecycle.stop();
  };
  expect(await rejectionCode(h.lifecycle.start())).toBe("ABORTED");
  await settle();
  expect(phases).toEqual(["pre-stop", "post-stop"]);
});

describe("a module that ends in the midst of its own init", () => {
  test.each<[string, () => void]>([
    ["and returns", () => {}],
    [
      "and throws",
      () => {
        throw new Error("too late to matter");
      },
    ],
  ])("by stop() %s: it is stopped, and the start is ABORTED", async (_, then) => {
    const h: Harness = createHarness({
      init() {
        void h.lifecycle.stop();
        then();
      },
    });
    expect(await rejectionCode(h.lifecycle.start())).toBe("ABORTED");
    await settle();
    expect(path(h)).toEqual(["initializing", "stopping", "stopped"]);
    expect(h.exits).toEqual([]);
  });

  test("by its exit: it has failed, once", async () => {
    const h = createHarness({ init: (context) => context.exited({ reason: "crash" }) });
    expect(await rejectionCode(h.lifecycle.start())).toBe("MODULE_FAILED");
    expect(path(h)).toEqual(["initializing", "failed"]);
    expect(h.exits).toHaveLength(1);
  });
});

describe("a start that waits until the generation before it is undone", () => {
  /** A module that crashed, whose undoing lasts until told, and the code that its next start ends with. */
  async function crashedWhileUndone() {
    const undo = new Deferred();
    let made = 0;
    const h = createHarness(() => {
      made++;
      return { init: (context) => context.scope.defer(() => undo.promise) };
    });
    await h.lifecycle.start();
    h.contexts[0]?.exited({ reason: "crash" });
    return { h, undo, made: () => made, again: rejectionCode(h.lifecycle.start()) };
  }

  test("and is given up meanwhile makes no module", async () => {
    const { h, undo, made, again } = await crashedWhileUndone();
    await h.lifecycle.stop();
    undo.resolve();
    expect(await again).toBe("ABORTED");
    await settle();
    expect(made()).toBe(1);
    expect(h.lifecycle.state).toBe("stopped");
  });

  test("fails with STOP_TIMEOUT when that takes too long, and makes no module beside what may be alive", async () => {
    const { h, undo, made, again } = await crashedWhileUndone();
    await h.clock.advance(10_000);
    expect(await again).toBe("STOP_TIMEOUT");
    expect(made()).toBe(1);
    expect(h.lifecycle.state).toBe("failed");
    undo.resolve();
    await settle();
    await h.lifecycle.start();
    expect(made()).toBe(2);
  });
});

test("init() that joins a later start waits for that generation's own initialising", async () => {
  const gates = [Promise.resolve(), new Promise<void>(() => {})];
  const h = createHarness(() => ({ init: () => gates.shift() }));
  await h.lifecycle.init();
  await h.lifecycle.stop();
  const started = rejectionCode(h.lifecycle.start());
  const joined = rejectionCode(h.lifecycle.init());
  await settle();
  await h.lifecycle.stop();
  expect(await joined).toBe("ABORTED");
  expect(await started).toBe("ABORTED");
});
