import { describe, expect, test } from "vitest";
import { isKeelsonError, KeelsonError } from "../../src/contract/errors.ts";
import type { RestartPolicy } from "../../src/contract/supervised.ts";
import { createSupervisor } from "../../src/supervisor/index.ts";
import { createFakeClock, createMemoryLog, createSeededRandom, settle } from "../../src/testing/index.ts";
import { scene, ScriptedChild } from "./child.ts";

describe("restart policy", () => {
  test.each<[RestartPolicy, "crash" | "normal", string[]]>([
    ["never", "crash", ["failed 0", "stopped 0"]],
    ["never", "normal", ["stopped 0"]],
    ["on-failure", "crash", ["failed 0", "restarting 1", "starting 1", "healthy 1"]],
    ["on-failure", "normal", ["stopped 0"]],
    ["always", "crash", ["failed 0", "restarting 1", "starting 1", "healthy 1"]],
    ["always", "normal", ["restarting 1", "starting 1", "healthy 1"]],
  ])("%s after a %s exit", async (policy, reason, expected) => {
    const { clock, child, path } = scene({ policy });
    await child.start();
    child.exit(reason);
    await clock.advance(1000);
    expect(path()).toEqual(["starting 0", "healthy 0", ...expected]);
  });

  test("a failed start is an exit too, and its rejection is nobody's unhandled one", async () => {
    const { clock, child, path } = scene({ policy: "on-failure" });
    child.startFails = true;
    await expect(child.start()).rejects.toThrow("start failed");
    await clock.advance(100);
    expect(child.starts).toBe(2);
    child.startFails = false;
    await clock.advance(200);
    expect(path()).toEqual([
      ...["starting 0", "failed 0", "restarting 1", "starting 1", "failed 1"],
      ...["restarting 2", "starting 2", "healthy 2"],
    ]);
  });

  test("a start that is refused without an event counts as a crash", async () => {
    const { clock, child, supervisor } = scene({
      policy: "on-failure",
      intensity: { max: 2, withinMs: 60_000 },
    });
    await child.start();
    child.start = () => {
      child.starts++;
      throw new KeelsonError("DEPENDENCY_FAILED", "no database");
    };
    child.exit("crash");
    await clock.advance(10_000);
    expect(child.starts).toBe(3);
    expect(supervisor.view("child")).toEqual({ state: "stopped", attempt: 2, restarts: 2, gaveUp: true });
  });

  test("a restart that fails with an error of no code is told as MODULE_FAILED", async () => {
    const { clock, child, seen } = scene({ policy: "on-failure", intensity: { max: 1, withinMs: 60_000 } });
    await child.start();
    child.start = () => Promise.reject(new Error("no room"));
    child.exit("crash");
    await clock.advance(10_000);
    const failed = seen.filter(({ to }) => to === "failed");
    expect(failed.map(({ error }) => isKeelsonError(error) && error.code)).toEqual([
      "CALL_FAILED",
      "MODULE_FAILED",
    ]);
  });

  test("a restart that tells of its success alone is the supervisor's all the same", async () => {
    const { clock, child, supervisor } = scene({ policy: "on-failure" });
    await child.start();
    child.start = async () => child.tell({ type: "started" });
    child.exit("crash");
    await clock.advance(100);
    expect(supervisor.view("child")).toMatchObject({ state: "healthy", attempt: 1, restarts: 1 });
  });

  test("a start that is told twice counts once: its health check comes when it would have", async () => {
    const { clock, child, path } = scene({ policy: "never", health: { everyMs: 1000 } });
    let asked = 0;
    child.answers = async () => ({ healthy: ++asked > 0 });
    await child.start();
    await clock.advance(600);
    child.tell({ type: "started" });
    await clock.advance(400);
    expect(asked).toBe(1);
    expect(path()).toEqual(["starting 0", "healthy 0"]);
  });

  test("a start that finds the child running counts as started", async () => {
    const { clock, child, supervisor } = scene({ policy: "on-failure" });
    await child.start();
    child.start = async () => {};
    child.exit("crash");
    await clock.advance(100);
    expect(supervisor.view("child")?.state).toBe("healthy");
  });

  test("an end that is told twice counts once, also after a stop and during the supervisor's own", async () => {
    const { clock, child, supervisor, path } = scene({
      policy: "always",
      health: { everyMs: 1000, failures: 1 },
    });
    await child.start();
    child.exit("crash");
    child.exit("normal");
    await clock.advance(100);
    expect(path()).toEqual([
      "starting 0",
      "healthy 0",
      "failed 0",
      "restarting 1",
      "starting 1",
      "healthy 1",
    ]);
    const gate = Promise.withResolvers<void>();
    child.stopGate = gate.promise;
    child.answers = async () => ({ healthy: false });
    await clock.advance(1000);
    child.exit("crash");
    expect(supervisor.view("child")).toMatchObject({ state: "failed", attempt: 1 });
    expect(clock.pending).toBe(0);
    gate.resolve();
    await settle();
    expect(supervisor.view("child")).toMatchObject({ state: "restarting", attempt: 2 });
    await child.stop("other");
    child.exit("crash");
    await clock.advance(60_000);
    expect(supervisor.view("child")).toMatchObject({ state: "stopped", attempt: 0 });
    expect(child.starts).toBe(2);
  });

  test("the transition to failed carries the exit's error, each transition the wall time", async () => {
    const { child, seen, clock } = scene({ policy: "never" });
    await child.start();
    await clock.advance(5);
    child.exit("crash");
    const failed = seen.find(({ to }) => to === "failed");
    expect(failed).toMatchObject({ id: "child", from: "healthy", at: clock.wall() });
    expect(isKeelsonError(failed?.error, "CALL_FAILED")).toBe(true);
    expect(seen[0]).toMatchObject({ from: undefined, to: "starting" });
    expect(seen[0]).not.toHaveProperty("error");
    child.tell({ type: "starting" });
    child.tell({ type: "exited", exit: { reason: "crash" } });
    expect(isKeelsonError(seen.at(-2)?.error, "MODULE_FAILED")).toBe(true);
  });
});

describe("backoff and intensity", () => {
  test("waits double from restart to restart", async () => {
    const { clock, child } = scene({ policy: "always" });
    await clock.advance(1e6);
    await child.start();
    const starts: number[] = [];
    for (let round = 0; round < 4; round++) {
      const from = clock.now();
      child.exit("crash");
      while (!child.alive && (await clock.next()));
      starts.push(clock.now() - from);
    }
    expect(starts).toEqual([100, 200, 400, 800]);
  });

  test("waits are spread by the jitter", async () => {
    const { clock, child } = scene({ policy: "always", backoff: { initialMs: 100, jitter: 0.5 } });
    await child.start();
    child.exit("crash");
    await clock.next();
    expect(clock.now()).toBeGreaterThanOrEqual(50);
    expect(clock.now()).toBeLessThanOrEqual(150);
    expect(clock.now()).not.toBe(100);
  });

  test("one restart more than the intensity allows and it gives up with RESTART_LIMIT", async () => {
    const { clock, child, supervisor, seen } = scene({
      policy: "always",
      intensity: { max: 3, withinMs: 60_000 },
    });
    await child.start();
    for (let round = 0; round < 4; round++) {
      child.exit("crash");
      await clock.advance(1000);
    }
    expect(child.starts).toBe(4);
    expect(supervisor.view("child")).toEqual({ state: "stopped", attempt: 3, restarts: 3, gaveUp: true });
    const last = seen.at(-1);
    expect(last?.to).toBe("stopped");
    expect(isKeelsonError(last?.error, "RESTART_LIMIT")).toBe(true);
    expect(isKeelsonError(last?.error?.cause, "CALL_FAILED")).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test("the window slides: restarts far apart never add up", async () => {
    const { clock, child, supervisor } = scene({
      policy: "always",
      intensity: { max: 2, withinMs: 1000 },
      backoff: { factor: 1, jitter: 0 },
    });
    await child.start();
    for (let round = 0; round < 20; round++) {
      await clock.advance(600);
      child.exit("crash");
      await clock.advance(100);
      expect(child.alive).toBe(true);
    }
    expect(supervisor.view("child")).toMatchObject({ state: "healthy", restarts: 20, gaveUp: false });
  });

  test("a restart as old as the window does not count any more, one a moment younger does", async () => {
    for (const [age, gaveUp] of [
      [1000, false],
      [999, true],
    ] as const) {
      const { clock, child, supervisor } = scene({
        policy: "always",
        intensity: { max: 1, withinMs: 1000 },
      });
      await child.start();
      child.exit("crash");
      await clock.advance(age);
      child.exit("crash");
      expect(supervisor.view("child")).toMatchObject({ gaveUp });
    }
  });

  test("a child that was healthy for a whole window begins its backoff anew", async () => {
    const { clock, child } = scene({ policy: "always", intensity: { max: 5, withinMs: 1000 } });
    await child.start();
    child.exit("crash");
    await clock.advance(100);
    child.exit("crash");
    await clock.advance(199);
    expect(child.alive).toBe(false);
    await clock.advance(1001);
    child.exit("crash");
    await clock.advance(100);
    expect(child.alive).toBe(true);
  });

  test("a child that has not been healthy since its last restart does not", async () => {
    const { clock, child } = scene({ policy: "always", intensity: { max: 20, withinMs: 1000 } });
    await child.start();
    child.startFails = true;
    child.exit("crash");
    // 100, 200, 400 and 800 ms: longer ago than the window by now.
    await clock.advance(1500);
    expect(child.starts).toBe(5);
    await clock.advance(1599);
    expect(child.starts).toBe(5);
    await clock.advance(1);
    expect(child.starts).toBe(6);
  });

  test("with an intensity of none the first exit is given up on", async () => {
    const { child, supervisor } = scene({ policy: "always", intensity: { max: 0, withinMs: 1000 } });
    await child.start();
    child.exit("normal");
    expect(supervisor.view("child")).toMatchObject({ state: "stopped", gaveUp: true });
  });
});

describe("the hand from outside", () => {
  test("a deliberate stop cancels a pending restart", async () => {
    const { clock, child, supervisor } = scene({ policy: "always" });
    await child.start();
    child.exit("crash");
    child.tell({ type: "stopped" });
    expect(clock.pending).toBe(0);
    await clock.advance(60_000);
    expect(child.starts).toBe(1);
    expect(supervisor.view("child")).toEqual({ state: "stopped", attempt: 0, restarts: 0, gaveUp: false });
  });

  test("a stop that a listener puts an end to with the supervision is not heard any more", async () => {
    const clock = createFakeClock();
    const child = new ScriptedChild();
    const supervisor = createSupervisor({ clock, log: createMemoryLog(), random: createSeededRandom() });
    child.onEvent(({ type }) => void (type === "exited" && supervisor[Symbol.dispose]()));
    supervisor.adopt(child, { policy: "always" });
    await child.start();
    child.exit("crash");
    expect(clock.pending).toBe(0);
    expect(supervisor.transitions().map(({ to }) => to)).toEqual(["starting", "healthy"]);
  });

  test("a start by hand that tells of its success alone begins all counts anew", async () => {
    const { child, supervisor } = scene({ policy: "always", intensity: { max: 0, withinMs: 60_000 } });
    await child.start();
    child.exit("crash");
    expect(supervisor.view("child")).toMatchObject({ state: "stopped", gaveUp: true });
    child.tell({ type: "started" });
    expect(supervisor.view("child")).toMatchObject({ state: "healthy", attempt: 0, gaveUp: false });
  });

  test.each(["resolves", "rejects"])(
    "a restart that %s after the child was stopped by hand changes nothing",
    async (how) => {
      const { clock, child, supervisor, path } = scene({ policy: "always" });
      await child.start();
      const gate = Promise.withResolvers<void>();
      child.start = () => gate.promise;
      child.exit("crash");
      await clock.advance(100);
      child.tell({ type: "stopped" });
      child.tell({ type: "starting" });
      if (how === "resolves") gate.resolve();
      else gate.reject(new KeelsonError("ABORTED", "stopped"));
      await settle();
      expect(supervisor.view("child")?.state).toBe("starting");
      expect(path().slice(-3)).toEqual(["restarting 1", "stopped 0", "starting 0"]);
      expect(clock.pending).toBe(0);
    },
  );

  test("a deliberate stop is no exit, whatever the policy", async () => {
    const { clock, child, path } = scene({ policy: "always" });
    await child.start();
    await child.stop();
    await clock.advance(60_000);
    expect(path()).toEqual(["starting 0", "healthy 0", "stopped 0"]);
  });

  test("a start by hand goes on after it gave up, with a new attempt and a new window", async () => {
    const { clock, child, supervisor } = scene({ policy: "always", intensity: { max: 1, withinMs: 60_000 } });
    await child.start();
    child.exit("crash");
    await clock.advance(100);
    child.exit("crash");
    expect(supervisor.view("child")).toMatchObject({ gaveUp: true, attempt: 1 });
    await child.start();
    expect(supervisor.view("child")).toEqual({ state: "healthy", attempt: 0, restarts: 1, gaveUp: false });
    child.exit("crash");
    await clock.advance(100);
    expect(supervisor.view("child")).toMatchObject({ state: "healthy", attempt: 1, restarts: 2 });
  });

  test("a start by hand takes the place of a pending restart", async () => {
    const { clock, child, supervisor } = scene({ policy: "always" });
    await child.start();
    child.exit("crash");
    await child.start();
    await clock.advance(60_000);
    expect(child.starts).toBe(2);
    expect(supervisor.view("child")).toMatchObject({ state: "healthy", attempt: 0, restarts: 0 });
  });

  test("a stop in the midst of a restart ends it", async () => {
    const { clock, child, supervisor } = scene({ policy: "always" });
    await child.start();
    const gate = Promise.withResolvers<void>();
    child.startGate = gate.promise;
    child.exit("crash");
    await clock.advance(100);
    expect(supervisor.view("child")?.state).toBe("starting");
    child.tell({ type: "stopped" });
    gate.reject(new KeelsonError("ABORTED", "stopped"));
    await clock.advance(60_000);
    expect(child.starts).toBe(2);
    expect(supervisor.view("child")?.state).toBe("stopped");
  });

  test("a child that a listener stops when its health has failed is not stopped once more", async () => {
    const options = { policy: "always", health: { everyMs: 10, failures: 1 } } as const;
    const { clock, child, supervisor } = scene(options, ({ to }, own) => {
      if (to === "failed") own.tell({ type: "stopped", by: "other" });
    });
    child.answers = async () => ({ healthy: false });
    await child.start();
    await clock.advance(60_000);
    expect(child.stops).toBe(0);
    expect(supervisor.view("child")?.state).toBe("stopped");
  });

  test("a listener that stops the child at its failure is not overruled", async () => {
    const { clock, child, supervisor } = scene({ policy: "always" }, ({ to }, own) => {
      if (to === "failed") own.tell({ type: "stopped" });
    });
    await child.start();
    child.exit("crash");
    await clock.advance(60_000);
    expect(child.starts).toBe(1);
    expect(supervisor.view("child")?.state).toBe("stopped");
  });
});

describe("health checks", () => {
  const health = { everyMs: 1000, timeoutMs: 100, failures: 3 };

  test("so many failures in a row are a crash: the child is stopped, then restarted", async () => {
    const { clock, child, path, seen, log } = scene({ policy: "on-failure", health });
    child.answers = async () => ({ healthy: false, message: "full" });
    await child.start();
    await clock.advance(2999);
    expect(child.stops).toBe(0);
    await clock.advance(1);
    expect(child.stops).toBe(1);
    expect(path()).toEqual(["starting 0", "healthy 0", "failed 0", "restarting 1"]);
    expect(isKeelsonError(seen.at(-2)?.error, "UNHEALTHY")).toBe(true);
    const warnings = log.records.filter(({ fields }) => fields?.["failures"] !== undefined);
    expect(warnings.map(({ fields }) => fields?.["code"])).toEqual(["UNHEALTHY", "UNHEALTHY", "UNHEALTHY"]);
    child.answers = async () => ({ healthy: true });
    await clock.advance(10_000);
    expect(path().slice(4)).toEqual(["starting 1", "healthy 1"]);
  });

  test("a healthy answer in between starts the count anew", async () => {
    const { clock, child } = scene({ policy: "on-failure", health });
    let asked = 0;
    child.answers = async () => ({ healthy: ++asked % 3 === 0 });
    await child.start();
    await clock.advance(30_000);
    expect(asked).toBe(30);
    expect(child.stops).toBe(0);
  });

  test.each<[string, () => Promise<never>]>([
    ["rejects", () => Promise.reject(new Error("no"))],
    [
      "throws undefined",
      () => {
        throw undefined;
      },
    ],
    ["answers garbage", async () => undefined as never],
  ])("a check that %s is a failure", async (_, answers) => {
    const { clock, child } = scene({ policy: "on-failure", health });
    child.answers = answers;
    await child.start();
    await clock.advance(3000);
    expect(child.stops).toBe(1);
  });

  test("a check that never answers times out, its signal fires, and the late answer counts for nothing", async () => {
    const { clock, child, log } = scene({ policy: "on-failure", health });
    const signals: AbortSignal[] = [];
    const late: ((health: { healthy: boolean }) => void)[] = [];
    child.answers = (signal) => {
      signals.push(signal);
      return new Promise((resolve) => late.push(resolve));
    };
    await child.start();
    await clock.advance(1100);
    expect(signals[0]?.aborted).toBe(true);
    late[0]?.({ healthy: true });
    await clock.advance(2200);
    expect(child.stops).toBe(1);
    const warnings = log.records.filter(({ level }) => level === "warn");
    expect(warnings.map(({ fields }) => fields?.["code"])).toEqual(["UNHEALTHY", "UNHEALTHY", "UNHEALTHY"]);
  });

  test("an unhealthy child that may not restart is stopped all the same", async () => {
    const { clock, child, path } = scene({ policy: "never", health: { ...health, failures: 1 } });
    child.answers = async () => ({ healthy: false });
    await child.start();
    await clock.advance(1000);
    expect(child.stops).toBe(1);
    expect(path().slice(2)).toEqual(["failed 0", "stopped 0"]);
    expect(clock.pending).toBe(0);
  });

  test("no restart before the stop has settled, and a failing stop is logged, not fatal", async () => {
    const { clock, child, log } = scene({ policy: "on-failure", health: { ...health, failures: 1 } });
    const gate = Promise.withResolvers<void>();
    child.stopGate = gate.promise;
    child.answers = async () => ({ healthy: false });
    await child.start();
    await clock.advance(60_000);
    expect(child.starts).toBe(1);
    gate.reject(new Error("stuck"));
    child.answers = async () => ({ healthy: true });
    await clock.advance(100);
    expect(child.starts).toBe(2);
    expect(log.records.some(({ message }) => message.includes("could not be stopped"))).toBe(true);
  });

  test.each([true, false])(
    "a stop by hand during the supervisor's own is deliberate (told by whom: %s)",
    async (tells) => {
      const { clock, child, supervisor } = scene({ policy: "always", health: { ...health, failures: 1 } });
      const gate = Promise.withResolvers<void>();
      child.stopGate = gate.promise;
      child.tellsBy = tells;
      child.answers = async () => ({ healthy: false });
      await child.start();
      await clock.advance(1000);
      const byHand = child.stop("other");
      gate.resolve();
      await byHand;
      await clock.advance(60_000);
      expect(child.starts).toBe(1);
      expect(supervisor.view("child")?.state).toBe("stopped");
    },
  );

  test("a question under way when the child goes down is given up with ABORTED", async () => {
    const { clock, child } = scene({ policy: "never", health });
    const signals: AbortSignal[] = [];
    const answer = Promise.withResolvers<{ healthy: boolean }>();
    child.answers = (signal) => {
      signals.push(signal);
      return answer.promise;
    };
    await child.start();
    await clock.advance(1000);
    child.exit("crash");
    expect(signals[0]?.reason).toMatchObject({ code: "ABORTED" });
    answer.resolve({ healthy: true });
    await settle();
    expect(clock.pending).toBe(0);
  });

  test("a stop by hand that is told before the supervisor's own is done is deliberate", async () => {
    const { clock, child, supervisor } = scene({ policy: "always", health: { ...health, failures: 1 } });
    const gate = Promise.withResolvers<void>();
    child.stop = () => gate.promise;
    child.answers = async () => ({ healthy: false });
    await child.start();
    await clock.advance(1000);
    child.tell({ type: "stopped", by: "other" });
    gate.resolve();
    await clock.advance(60_000);
    expect(child.starts).toBe(1);
    expect(supervisor.view("child")?.state).toBe("stopped");
  });

  test("its own stop, told only when it has settled, does not call the restart off", async () => {
    const { clock, child } = scene({ policy: "always", health: { ...health, failures: 1 } });
    child.stop = async () => {};
    child.answers = async () => ({ healthy: child.starts > 1 });
    await child.start();
    await clock.advance(1000);
    child.tell({ type: "stopped", by: "supervisor" });
    await clock.advance(100);
    expect(child.starts).toBe(2);
  });

  test("failures of the life before do not count", async () => {
    const { clock, child } = scene({ policy: "always", health, backoff: { initialMs: 1, jitter: 0 } });
    child.answers = async () => ({ healthy: false });
    await child.start();
    await clock.advance(2000);
    child.exit("crash");
    await clock.advance(2001);
    expect(child.stops).toBe(0);
    await clock.advance(1000);
    expect(child.stops).toBe(1);
  });

  test("a child that cannot tell its health is not asked", async () => {
    const clock = createFakeClock();
    const supervisor = createSupervisor({ clock, log: createMemoryLog(), random: createSeededRandom() });
    const child = new ScriptedChild();
    supervisor.adopt(
      {
        id: "mute",
        start: () => child.start(),
        stop: () => child.stop(),
        onEvent: (run) => child.onEvent(run),
      },
      { policy: "always", health },
    );
    await child.start();
    expect(supervisor.view("mute")?.state).toBe("healthy");
    expect(clock.pending).toBe(0);
  });

  test("no check runs while the child is down", async () => {
    const { clock, child } = scene({ policy: "never", health });
    let asked = 0;
    child.answers = async () => ({ healthy: ++asked > 0 });
    await child.start();
    child.exit("crash");
    expect(clock.pending).toBe(0);
    await clock.advance(10_000);
    expect(asked).toBe(0);
  });
});

describe("bookkeeping", () => {
  test("disposing the handle cancels the restart, the health loop and the subscription", async () => {
    for (const down of [true, false]) {
      const { clock, child, handle, supervisor } = scene({ policy: "always", health: { everyMs: 10 } });
      await child.start();
      if (down) child.exit("crash");
      handle[Symbol.dispose]();
      handle[Symbol.dispose]();
      expect(clock.pending).toBe(0);
      expect(child.listeners).toBe(0);
      expect(supervisor.view("child")).toBeUndefined();
      await clock.advance(60_000);
      expect(child.starts).toBe(1);
      expect(child.stops).toBe(0);
    }
  });

  test("disposing the supervisor lets go of all children", async () => {
    const { clock, child, supervisor } = scene({ policy: "always" });
    await child.start();
    child.exit("crash");
    supervisor[Symbol.dispose]();
    expect(clock.pending).toBe(0);
    expect(child.listeners).toBe(0);
    expect(supervisor.view("child")).toBeUndefined();
  });

  test("disposing the handle in the midst of a restart leaves nothing behind when the start is done", async () => {
    const { clock, child, handle } = scene({ policy: "always", health: { everyMs: 10 } });
    await child.start();
    const gate = Promise.withResolvers<void>();
    child.startGate = gate.promise;
    child.exit("crash");
    await clock.advance(100);
    handle[Symbol.dispose]();
    gate.resolve();
    await settle();
    expect(child.alive).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test("disposing the supervisor in the event of a failure ends it there", async () => {
    const clock = createFakeClock();
    const child = new ScriptedChild();
    const supervisor = createSupervisor({
      clock,
      log: createMemoryLog(),
      random: createSeededRandom(),
      onTransition: ({ to }) => to === "failed" && supervisor[Symbol.dispose](),
    });
    supervisor.adopt(child, { policy: "always" });
    await child.start();
    child.exit("crash");
    expect(clock.pending).toBe(0);
  });

  test("none of its timers keeps a program alive", async () => {
    const clock = createFakeClock();
    const background: (boolean | undefined)[] = [];
    const supervisor = createSupervisor({
      clock: {
        ...clock,
        after(ms, run, isBackground) {
          background.push(isBackground);
          return clock.after(ms, run);
        },
      },
      log: createMemoryLog(),
      random: createSeededRandom(),
    });
    const child = new ScriptedChild();
    child.answers = () => new Promise(() => {});
    supervisor.adopt(child, { policy: "always", health: { everyMs: 10 } });
    await child.start();
    await clock.advance(10);
    child.exit("crash");
    // Until the question, until its answer, until the restart.
    expect(background).toEqual([true, true, true]);
    supervisor[Symbol.dispose]();
  });

  test("an id can be adopted once at a time", () => {
    const { supervisor, handle } = scene();
    expect(() => supervisor.adopt(new ScriptedChild())).toThrow(
      expect.objectContaining({ code: "DUPLICATE_MODULE" }),
    );
    handle[Symbol.dispose]();
    const second = supervisor.adopt(new ScriptedChild());
    handle[Symbol.dispose]();
    expect(supervisor.view("child")).toBeDefined();
    second[Symbol.dispose]();
  });

  test("of ten thousand transitions the last thousand are kept", async () => {
    const { child, supervisor } = scene();
    for (let round = 0; round < 2500; round++) {
      await child.start();
      child.exit("crash");
    }
    const kept = supervisor.transitions();
    expect(kept).toHaveLength(1000);
    expect(kept.at(-1)?.to).toBe("stopped");
    expect(kept[0]?.to).toBe("starting");
  });

  test("a listener that throws harms nothing", async () => {
    const clock = createFakeClock();
    const log = createMemoryLog();
    const child = new ScriptedChild();
    const onTransition = (): never => {
      throw undefined;
    };
    const supervisor = createSupervisor({ clock, log, random: createSeededRandom(), onTransition });
    supervisor.adopt(child);
    await child.start();
    expect(supervisor.view("child")?.state).toBe("healthy");
    expect(log.records).toHaveLength(2);
  });

  test.each([
    { policy: "sometimes" as never },
    { intensity: { max: -1, withinMs: 1 } },
    { intensity: { max: 1, withinMs: Number.NaN } },
    { backoff: { jitter: 2 } },
    { intensity: { max: 1, withinMs: -1 } },
    { health: { failures: 0 } },
    { health: { everyMs: 0 } },
    { health: { timeoutMs: 0 } },
  ])("options %j are refused and leave nothing behind", (options) => {
    const { supervisor } = scene();
    const child = new ScriptedChild("other");
    expect(() => supervisor.adopt(child, options)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS" }),
    );
    expect(child.listeners).toBe(0);
    expect(supervisor.view("other")).toBeUndefined();
  });

  test.each([undefined, null, "child", {}, { id: "a" }])("%j is no child to adopt", (child) => {
    const { supervisor } = scene();
    expect(() => supervisor.adopt(child as never)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS" }),
    );
  });

  test("events of a child that never started by hand before still count", async () => {
    const { child, path, clock } = scene({ policy: "on-failure" });
    child.exit("crash");
    await settle();
    expect(path()).toEqual(["failed 0", "restarting 1"]);
    await clock.advance(100);
    expect(child.starts).toBe(1);
  });
});
