import {
  KeelsonError,
  nativeModule,
  type Exit,
  type Health,
  type ModuleContext,
  type RestartOptions,
  type RestartPolicy,
  type Supervised,
  type SupervisedEvent,
  type Supervisor,
} from "@keelson/core";
import { createFakeClock, createSeededRandom, type FakeClock } from "@keelson/core/testing";
import { ensure, ensureEqual, type Check, type CheckContext } from "../check.ts";
import type { Subject } from "../subject.ts";
import { openKernel } from "./kernel-setup.ts";

/** A child that ends when it is told to. */
class Child implements Supervised {
  readonly id = "child";
  starts = 0;
  stops = 0;
  healthy = true;
  /** Whether starts fail. */
  fails = false;
  readonly #listeners = new Set<(event: SupervisedEvent) => void>();

  onEvent(run: (event: SupervisedEvent) => void): Disposable {
    this.#listeners.add(run);
    return { [Symbol.dispose]: () => void this.#listeners.delete(run) };
  }

  async start(): Promise<void> {
    this.starts++;
    this.#tell({ type: "starting" });
    if (this.fails) throw this.exit("crash");
    this.#tell({ type: "started" });
  }

  async stop(): Promise<void> {
    this.stops++;
    this.#tell({ type: "stopped" });
  }

  exit(reason: Exit["reason"]): KeelsonError {
    const error = new KeelsonError("MODULE_FAILED", "ended on purpose");
    this.#tell({ type: "exited", exit: reason === "crash" ? { reason, error } : { reason } });
    return error;
  }

  async health(): Promise<Health> {
    return { healthy: this.healthy };
  }

  #tell(event: SupervisedEvent): void {
    for (const run of [...this.#listeners]) run(event);
  }
}

interface Scene {
  readonly clock: FakeClock;
  readonly child: Child;
  readonly supervisor: Supervisor;
  readonly handle: Disposable;
  /** "state attempt" of each transition. */
  path(): readonly string[];
}

/** A supervisor with one child, on a clock that the check moves: no check waits for a backoff. */
function supervise(subject: Subject, context: CheckContext, options: RestartOptions): Scene {
  const clock = createFakeClock();
  const child = new Child();
  const supervisor = subject.createSupervisor({ clock, random: createSeededRandom(), log: { write() {} } });
  context.defer(() => supervisor[Symbol.dispose]());
  const handle = supervisor.adopt(child, { backoff: { jitter: 0 }, ...options });
  const path = (): readonly string[] => supervisor.transitions().map(({ to, attempt }) => `${to} ${attempt}`);
  return { clock, child, supervisor, handle, path };
}

/** Checks of restarts and health checks. */
export const supervisorChecks: readonly Check[] = [
  {
    id: "supervisor.policy",
    title: "never, on-failure and always decide at every exit, and each step is recorded with its attempt",
    async run(subject, context) {
      const ends: readonly (readonly [RestartPolicy, Exit["reason"], readonly string[]])[] = [
        ["never", "crash", ["failed 0", "stopped 0"]],
        ["never", "normal", ["stopped 0"]],
        ["on-failure", "crash", ["failed 0", "restarting 1", "starting 1", "healthy 1"]],
        ["on-failure", "normal", ["stopped 0"]],
        ["always", "crash", ["failed 0", "restarting 1", "starting 1", "healthy 1"]],
        ["always", "normal", ["restarting 1", "starting 1", "healthy 1"]],
      ];
      for (const [policy, reason, steps] of ends) {
        const { clock, child, supervisor, path } = supervise(subject, context, { policy });
        await child.start();
        child.exit(reason);
        await clock.advance(1000);
        ensureEqual(path(), ["starting 0", "healthy 0", ...steps], `${policy} after a ${reason} exit`);
        const linked = supervisor.transitions().every(({ from }, index, all) => from === all[index - 1]?.to);
        ensure(linked, "a transition does not begin where the one before it ended");
      }
    },
  },
  {
    id: "supervisor.failed-start",
    title: "a start that fails is an exit like another, and is tried again",
    async run(subject, context) {
      const { clock, child, supervisor } = supervise(subject, context, { policy: "on-failure" });
      child.fails = true;
      await child.start().catch(() => {});
      await clock.advance(100);
      ensureEqual(child.starts, 2, "starts after the first wait");
      child.fails = false;
      await clock.advance(1000);
      ensureEqual(supervisor.view("child")?.state, "healthy", "state");
    },
  },
  {
    id: "supervisor.backoff",
    title: "waits grow from restart to restart up to their limit, and jitter spreads them",
    async run(subject, context) {
      const waits = async (options: RestartOptions): Promise<readonly number[]> => {
        const { clock, child } = supervise(subject, context, { policy: "always", ...options });
        await child.start();
        const found: number[] = [];
        for (let n = 1; n <= 5; n++) {
          const from = clock.now();
          child.exit("crash");
          while (child.starts === n) ensure(await clock.next(), "no restart is waiting to come");
          found.push(clock.now() - from);
        }
        return found;
      };
      ensureEqual(
        await waits({ backoff: { initialMs: 50, factor: 3, maxMs: 1000, jitter: 0 } }),
        [50, 150, 450, 1000, 1000],
        "waits, ms",
      );
      const spread = await waits({ backoff: { initialMs: 100, factor: 1, jitter: 0.5 } });
      ensure(
        spread.every((wait) => wait >= 50 && wait <= 150),
        `waits outside of their jitter: ${spread.join(", ")}`,
      );
      ensure(new Set(spread).size > 1, "jitter spreads nothing");
    },
  },
  {
    id: "supervisor.intensity",
    title:
      "one restart more than its window allows and it gives up with RESTART_LIMIT; restarts far apart never add up",
    async run(subject, context) {
      const intensity = { max: 3, withinMs: 10_000 };
      const { clock, child, supervisor } = supervise(subject, context, { policy: "always", intensity });
      await child.start();
      for (let n = 0; n < 6; n++) {
        child.exit("crash");
        await clock.advance(1000);
      }
      ensureEqual(child.starts, 4, "starts");
      ensure(supervisor.view("child")?.gaveUp === true, "it did not give up");
      ensureEqual(
        supervisor.transitions().at(-1)?.error?.code,
        "RESTART_LIMIT",
        "the last transition's error",
      );
      const patient = supervise(subject, context, { policy: "always", intensity });
      await patient.child.start();
      for (let n = 0; n < 10; n++) {
        patient.child.exit("crash");
        await patient.clock.advance(11_000);
      }
      ensureEqual(patient.child.starts, 11, "starts of one that ends every eleven seconds");
    },
  },
  {
    id: "supervisor.stop-cancels",
    title: "a stop by hand, and the end of the supervision, cancel a pending restart",
    async run(subject, context) {
      const byHand = supervise(subject, context, { policy: "always" });
      await byHand.child.start();
      byHand.child.exit("crash");
      await byHand.child.stop();
      await byHand.clock.advance(60_000);
      ensureEqual(byHand.child.starts, 1, "starts after a stop by hand");
      ensureEqual(byHand.supervisor.view("child")?.state, "stopped", "state");
      for (const end of ["handle", "supervisor"] as const) {
        const scene = supervise(subject, context, { policy: "always" });
        await scene.child.start();
        scene.child.exit("crash");
        scene[end][Symbol.dispose]();
        await scene.clock.advance(60_000);
        ensureEqual(
          [scene.child.starts, scene.clock.pending],
          [1, 0],
          `starts and timers after the end of the ${end}`,
        );
      }
    },
  },
  {
    id: "supervisor.health",
    title:
      "so many unhealthy answers in a row are a crash: the child is stopped, then restarted; a good answer between them resets",
    async run(subject, context) {
      const health = { everyMs: 100, timeoutMs: 50, failures: 3 };
      const { clock, child, supervisor } = supervise(subject, context, { policy: "on-failure", health });
      await child.start();
      await clock.advance(1000);
      for (const healthy of [false, false, true, false, false, true]) {
        child.healthy = healthy;
        await clock.advance(100);
      }
      ensureEqual([child.starts, child.stops], [1, 0], "starts and stops while no three failed in a row");
      child.healthy = false;
      await clock.advance(300);
      child.healthy = true;
      await clock.advance(1000);
      ensureEqual([child.starts, child.stops], [2, 1], "starts and stops after three failures");
      ensure(
        supervisor.transitions().some(({ error }) => error?.code === "UNHEALTHY"),
        "no transition says UNHEALTHY",
      );
      ensureEqual(supervisor.view("child")?.state, "healthy", "state");
    },
  },
  {
    id: "supervisor.restarts-modules",
    title:
      "a module that ends by itself comes back as a new generation, on the real clock, and answers again",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      const given: ModuleContext[] = [];
      await kernel.register(
        nativeModule({
          id: "m",
          restart: { policy: "on-failure", backoff: { initialMs: 1 } },
          start: (module) => void given.push(module),
          methods: { generation: () => given.at(-1)?.generation },
        }),
      );
      await kernel.start("m");
      const again = new Promise<void>((resolve) => void kernel.bus.on("module.started", () => resolve()));
      given[0]?.exited({ reason: "crash" });
      await again;
      ensureEqual(await kernel.invoke("m", "generation"), 2, "the generation that answers");
      ensure(given[0]?.signal.aborted === true, "the first generation's signal did not fire");
      ensureEqual(kernel.list()[0]?.supervisor?.restarts, 1, "restarts");
      ensureEqual(
        kernel.transitions().map(({ to }) => to),
        ["starting", "healthy", "failed", "restarting", "starting", "healthy"],
        "transitions",
      );
    },
  },
];
