import { describe, expect, test } from "vitest";
import { KeelsonError } from "../../src/contract/errors.ts";
import type { Module } from "../../src/contract/module.ts";
import { Deferred } from "../../src/primitives/deferred.ts";
import { settle } from "../../src/testing/index.ts";
import { rejectionCode } from "../support/errors.ts";
import { createHarness } from "./harness.ts";

const never = (): Promise<void> => new Promise(() => {});

describe("the way up", () => {
  test("start() goes through initializing, initialized and starting, in order, in one generation", async () => {
    const calls: string[] = [];
    const h = createHarness({ init: () => void calls.push("init"), start: () => void calls.push("start") });
    await h.lifecycle.start();
    expect(calls).toEqual(["init", "start"]);
    expect(h.transitions).toEqual([
      ["loaded", "initializing", 1],
      ["initializing", "initialized", 1],
      ["initialized", "starting", 1],
      ["starting", "running", 1],
    ]);
    expect(h.lifecycle.live?.generation).toBe(1);
    expect(h.contexts[0]?.active).toBe(true);
  });

  test("init() twice joins, start() while initializing joins and goes on", async () => {
    const gate = new Deferred();
    let inits = 0;
    const h = createHarness({ init: () => (inits++, gate.promise) });
    const first = h.lifecycle.init();
    const second = h.lifecycle.init();
    const started = h.lifecycle.start();
    gate.resolve();
    await Promise.all([first, second, started]);
    expect(inits).toBe(1);
    expect(h.lifecycle.state).toBe("running");
  });

  test("start() on a running module and stop() on a stopped one do nothing", async () => {
    const h = createHarness({});
    await h.lifecycle.stop();
    await h.lifecycle.start();
    await h.lifecycle.start();
    expect(h.transitions).toHaveLength(4);
    await h.lifecycle.stop();
    await h.lifecycle.stop();
    expect(h.transitions).toHaveLength(6);
  });

  test("init() on a running module is ILLEGAL_TRANSITION and says what is allowed", async () => {
    const h = createHarness({});
    await h.lifecycle.start();
    const error = await h.lifecycle.init().catch((thrown: unknown) => thrown as KeelsonError);
    expect(error).toMatchObject({
      code: "ILLEGAL_TRANSITION",
      details: { state: "running", trigger: "init", allowed: ["start", "stop"] },
    });
  });

  test("create() is called once for each generation", async () => {
    let made = 0;
    const h = createHarness(() => (made++, {}));
    await h.lifecycle.start();
    await h.lifecycle.stop();
    await h.lifecycle.start();
    expect(made).toBe(2);
    expect(h.lifecycle.live?.generation).toBe(2);
  });
});

describe("a start that fails", () => {
  test.each(["init", "start"] as const)(
    "an error in %s leads to failed, and undoes what was added, last first, before start() rejects",
    async (step) => {
      const undone: number[] = [];
      const h = createHarness({
        [step]: (context: Parameters<NonNullable<Module["init"]>>[0]) => {
          context.scope.defer(() => void undone.push(1));
          context.scope.defer(async () => {
            await settle();
            undone.push(2);
          });
          throw undefined;
        },
      });
      expect(await rejectionCode(h.lifecycle.start())).toBe("MODULE_FAILED");
      expect(undone).toEqual([2, 1]);
      expect(h.lifecycle.state).toBe("failed");
      expect(h.exits).toMatchObject([{ reason: "crash", error: { code: "MODULE_FAILED" } }]);
    },
  );

  test.each([
    ["init", "INIT_TIMEOUT", 10_000],
    ["start", "START_TIMEOUT", 10_000],
  ] as const)("a %s that never settles is %s after its deadline", async (step, code, ms) => {
    const h = createHarness({ [step]: never });
    const started = rejectionCode(h.lifecycle.start());
    await h.clock.advance(ms - 1);
    expect(h.lifecycle.state).not.toBe("failed");
    await h.clock.advance(1);
    expect(await started).toBe(code);
    expect(h.lifecycle.state).toBe("failed");
    expect(h.contexts[0]?.signal.aborted).toBe(true);
    expect(h.deadlines.size).toBe(0);
  });

  test("a start after a failure waits until the last generation's scope is undone", async () => {
    const undo = new Deferred();
    let attempt = 0;
    const log: string[] = [];
    const h = createHarness({
      init(context) {
        log.push(`init ${++attempt}`);
        context.scope.defer(async () => {
          await undo.promise;
          log.push("undone");
        });
        if (attempt === 1) throw new Error("no");
      },
    });
    const first = rejectionCode(h.lifecycle.start());
    await settle();
    const second = h.lifecycle.start();
    await settle();
    expect(log).toEqual(["init 1"]);
    undo.resolve();
    expect(await first).toBe("MODULE_FAILED");
    await second;
    expect(log).toEqual(["init 1", "undone", "init 2"]);
  });

  test("the late result of an older generation is ignored", async () => {
    const gates = [new Deferred(), new Deferred()];
    let n = 0;
    const h = createHarness({ start: () => (gates[n++] as Deferred).promise });
    const first = rejectionCode(h.lifecycle.start());
    await settle();
    await h.lifecycle.stop();
    expect(await first).toBe("ABORTED");
    const second = h.lifecycle.start();
    await settle();
    gates[0]?.resolve();
    await settle();
    expect(h.lifecycle.state).toBe("starting");
    gates[1]?.resolve();
    await second;
    expect(h.lifecycle.live?.generation).toBe(2);
  });
});

describe("stop", () => {
  test.each(["init", "start"] as const)("never waits behind a hung %s: it aborts it", async (step) => {
    const h = createHarness({ [step]: never });
    const started = rejectionCode(h.lifecycle.start());
    await settle();
    await h.lifecycle.stop();
    expect(await started).toBe("ABORTED");
    expect(h.lifecycle.state).toBe("stopped");
    expect(h.contexts[0]?.signal.aborted).toBe(true);
    expect(h.deadlines.size).toBe(0);
  });

  test("calls the module's stop only if its start was called", async () => {
    let stops = 0;
    const h = createHarness({ stop: () => void stops++ });
    await h.lifecycle.init();
    await h.lifecycle.stop();
    expect(stops).toBe(0);
    await h.lifecycle.start();
    await h.lifecycle.stop();
    expect(stops).toBe(1);
  });

  test("a start asked for while stopping begins once the stop is done", async () => {
    const gate = new Deferred();
    const h = createHarness({ stop: () => gate.promise });
    await h.lifecycle.start();
    const stopped = h.lifecycle.stop();
    const started = h.lifecycle.start();
    await settle();
    expect(h.lifecycle.state).toBe("stopping");
    gate.resolve();
    await Promise.all([stopped, started]);
    expect(h.lifecycle.live?.generation).toBe(2);
  });

  test("a stop behind that start takes it back", async () => {
    const stopped = new Deferred();
    const h = createHarness({ stop: () => stopped.promise });
    await h.lifecycle.start();
    const stop = h.lifecycle.stop();
    const start = h.lifecycle.start().catch((error: KeelsonError) => error.code);
    const again = h.lifecycle.stop();
    stopped.resolve();
    expect(await start).toBe("ABORTED");
    await Promise.all([stop, again]);
    expect(h.lifecycle.state).toBe("stopped");
  });

  test("one that never settles is STOP_TIMEOUT, and nothing starts until it surely ended", async () => {
    const gate = new Deferred();
    const h = createHarness({ stop: () => gate.promise });
    await h.lifecycle.start();
    const stopped = rejectionCode(h.lifecycle.stop());
    await h.clock.advance(5_000);
    expect(await stopped).toBe("STOP_TIMEOUT");
    expect(h.lifecycle.state).toBe("failed");
    expect(await rejectionCode(h.lifecycle.start())).toBe("STOP_TIMEOUT");
    expect(h.exits).toHaveLength(1);
    expect(await rejectionCode(h.lifecycle.stop())).toBe("STOP_TIMEOUT");
    gate.resolve();
    await settle();
    await h.lifecycle.start();
    expect(h.lifecycle.state).toBe("running");
  });

  test("an undo that never settles is bounded as well, and keeps the module from starting", async () => {
    const gate = new Deferred();
    const h = createHarness({ start: (context) => context.scope.defer(() => gate.promise) });
    await h.lifecycle.start();
    const stopped = rejectionCode(h.lifecycle.stop());
    await h.clock.advance(10_000);
    expect(await stopped).toBe("STOP_TIMEOUT");
    expect(await rejectionCode(h.lifecycle.start())).toBe("STOP_TIMEOUT");
    gate.resolve();
    await settle();
    await h.lifecycle.start();
  });

  test("calls in flight fail with ABORTED once the module's stop has let them drain", async () => {
    const log: string[] = [];
    const h = createHarness({ stop: () => void log.push("stop") });
    await h.lifecycle.start();
    h.lifecycle.live?.began({ place: -1, fail: (error) => void log.push(error.code) });
    await h.lifecycle.stop();
    expect(log).toEqual(["stop", "ABORTED"]);
  });

  test("stop() on a failed module makes it stopped", async () => {
    const h = createHarness({
      start() {
        throw new Error("no");
      },
    });
    await rejectionCode(h.lifecycle.start());
    await h.lifecycle.stop();
    expect(h.lifecycle.state).toBe("stopped");
    expect(h.lifecycle.error).toBeUndefined();
  });
});

describe("an exit", () => {
  test("normal: stopped; crash: failed; only the first counts", async () => {
    for (const reason of ["normal", "crash"] as const) {
      const h = createHarness({});
      await h.lifecycle.start();
      h.contexts[0]?.exited({ reason });
      h.contexts[0]?.exited({ reason: "crash" });
      expect(h.lifecycle.state).toBe(reason === "normal" ? "stopped" : "failed");
      expect(h.exits).toMatchObject([{ reason }]);
      expect(h.lifecycle.live).toBeUndefined();
    }
  });

  test("while starting, the start fails with the exit's own error", async () => {
    const h = createHarness({ start: never });
    const started = rejectionCode(h.lifecycle.start());
    await settle();
    h.contexts[0]?.exited({ reason: "crash", error: new KeelsonError("PROCESS_EXITED", "gone") });
    expect(await started).toBe("PROCESS_EXITED");
  });

  test("while stopping, it is what the stop was for", async () => {
    const h = createHarness({ stop: never });
    await h.lifecycle.start();
    const stopped = h.lifecycle.stop();
    await settle();
    h.contexts[0]?.exited({ reason: "crash" });
    await stopped;
    expect(h.lifecycle.state).toBe("stopped");
    expect(h.exits).toEqual([]);
  });

  test("while a pre-stop hook works, or in the module's own stop, is what the stop was for as well", async () => {
    for (const early of [true, false]) {
      const h = createHarness({
        stop(context) {
          if (!early) context.exited({ reason: "crash" });
          return never();
        },
      });
      h.phase = (phase) => {
        if (phase !== "pre-stop") return undefined;
        return settle().then(() => void (early && h.contexts[0]?.exited({ reason: "crash" })));
      };
      await h.lifecycle.start();
      await h.lifecycle.stop();
      expect(h.lifecycle.state).toBe("stopped");
      expect(h.exits).toEqual([]);
      expect(h.deadlines.size).toBe(0);
    }
  });

  test("normal, with calls in flight: they hear its error, or that it ended by itself", async () => {
    for (const error of [new KeelsonError("PROCESS_EXITED", "gone"), undefined]) {
      const failures: KeelsonError[] = [];
      const h = createHarness({});
      await h.lifecycle.start();
      h.lifecycle.live?.began({ place: -1, fail: (failure) => void failures.push(failure) });
      h.contexts[0]?.exited(error === undefined ? { reason: "normal" } : { reason: "normal", error });
      expect(failures).toHaveLength(1);
      expect(failures[0]?.code).toBe(error === undefined ? "ABORTED" : "PROCESS_EXITED");
    }
  });

  test("without an error of its own fails a start with MODULE_FAILED, which says in which state", async () => {
    const h = createHarness({ start: never });
    const started = rejectionCode(h.lifecycle.start());
    await settle();
    h.contexts[0]?.exited({ reason: "normal" });
    expect(await started).toBe("MODULE_FAILED");
    expect(h.lifecycle.error?.message).toContain("starting");
  });

  test("of an ended generation it does nothing", async () => {
    const h = createHarness({});
    await h.lifecycle.start();
    await h.lifecycle.stop();
    await h.lifecycle.start();
    h.contexts[0]?.exited({ reason: "crash" });
    expect(h.lifecycle.state).toBe("running");
  });
});

describe("an observer that acts at once", () => {
  test("stop() in the event of starting", async () => {
    const h = createHarness({});
    h.onTransition = (to) => {
      if (to === "starting") void h.lifecycle.stop();
    };
    expect(await rejectionCode(h.lifecycle.start())).toBe("ABORTED");
    await settle();
    expect(h.lifecycle.state).toBe("stopped");
  });

  test("start() in the event of failing", async () => {
    let attempt = 0;
    const h = createHarness({
      start() {
        if (++attempt === 1) throw new Error("no");
      },
    });
    h.onTransition = (to) => {
      if (to === "failed") void h.lifecycle.start();
    };
    expect(await rejectionCode(h.lifecycle.start())).toBe("MODULE_FAILED");
    await settle();
    expect(h.lifecycle.state).toBe("running");
  });

  test("start() in the event of having stopped", async () => {
    const h = createHarness({});
    await h.lifecycle.start();
    let again: Promise<void> | undefined;
    h.onTransition = (to) => {
      if (to === "stopped") again = h.lifecycle.start();
    };
    await h.lifecycle.stop();
    await again;
    expect(h.lifecycle.live?.generation).toBe(2);
  });
});

describe("phases", () => {
  test("a failing pre-start ends the start before the module's own start", async () => {
    let started = false;
    const h = createHarness({ start: () => void (started = true) });
    h.phase = (phase) => {
      if (phase === "pre-start") throw new KeelsonError("PHASE_FAILED", "no");
    };
    expect(await rejectionCode(h.lifecycle.start())).toBe("PHASE_FAILED");
    expect(started).toBe(false);
  });

  test("a failing pre-stop does not keep the module from being stopped", async () => {
    let stopped = false;
    const h = createHarness({ stop: () => void (stopped = true) });
    h.phase = (phase) => {
      if (phase === "pre-stop") throw new KeelsonError("PHASE_FAILED", "no");
    };
    await h.lifecycle.start();
    expect(await rejectionCode(h.lifecycle.stop())).toBe("PHASE_FAILED");
    expect(stopped).toBe(true);
  });
});
