import { nativeModule, transitions, type ModuleContext, type ModuleState } from "@keelson/core";
import { ensure, ensureCode, ensureEqual, type Check } from "../check.ts";
import { never, openKernel, topicsOf, versioned } from "./kernel-setup.ts";

/** Where an operation leads by the table, once all that was asked for before has settled. */
function reached(from: ModuleState, operation: "init" | "start" | "stop"): ModuleState {
  if (operation === "start") return "running";
  if (operation === "stop") return from === "loaded" ? "loaded" : "stopped";
  if (from === "starting" || from === "running") return "running";
  return from === "stopping" ? "stopped" : "initialized";
}

/** Checks of the states of one module, and of what is undone at the end of each generation. */
export const lifecycleChecks: readonly Check[] = [
  {
    id: "lifecycle.order",
    title:
      "init comes before start, start before stop, each once in a generation, and events follow the states in order",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      const calls: string[] = [];
      await kernel.register(
        nativeModule({
          id: "m",
          init: () => void calls.push("init"),
          start: async () => void calls.push("start"),
          stop: () => void calls.push("stop"),
        }),
      );
      ensureEqual(kernel.state("m"), "loaded", "state after register");
      await Promise.all([kernel.start("m"), kernel.start("m")]);
      ensureEqual(kernel.state("m"), "running", "state after start");
      await Promise.all([kernel.stop("m"), kernel.stop("m")]);
      ensureEqual(calls, ["init", "start", "stop"], "calls of the module's functions");
      ensureEqual(
        topicsOf(kernel, "m"),
        [
          "module.loaded",
          "module.initializing",
          "module.initialized",
          "module.starting",
          "module.started",
          "module.stopping",
          "module.stopped",
        ],
        "events",
      );
    },
  },
  {
    id: "lifecycle.idempotent",
    title: "start on a running module and stop on a stopped one do nothing",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      let starts = 0;
      let stops = 0;
      await kernel.register(nativeModule({ id: "m", start: () => void starts++, stop: () => void stops++ }));
      await kernel.stop("m");
      await kernel.start("m");
      await kernel.start("m");
      ensureEqual(starts, 1, "calls of start");
      await kernel.stop("m");
      await kernel.stop("m");
      ensureEqual(stops, 1, "calls of stop");
    },
  },
  {
    id: "lifecycle.illegal-transition",
    title: "a request the table refuses is ILLEGAL_TRANSITION, names the state, and changes nothing",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      await kernel.register(nativeModule({ id: "m" }));
      await kernel.start("m");
      const error = await ensureCode(kernel.init("m"), "ILLEGAL_TRANSITION", "init on a running module");
      ensure(error.message.includes("running"), "the message does not name the state");
      ensureEqual(kernel.state("m"), "running", "state afterwards");
    },
  },
  {
    id: "lifecycle.replay",
    title: "every operation asked for in every state settles, and leads where the table says",
    async run(subject, context) {
      const states = Object.keys(transitions) as readonly ModuleState[];
      for (const state of states) {
        for (const operation of ["init", "start", "stop"] as const) {
          const kernel = await openKernel(subject, context);
          const gate = Promise.withResolvers<void>();
          const slow = (at: ModuleState) => () => (state === at ? gate.promise : undefined);
          await kernel.register(
            nativeModule({
              id: "m",
              init: slow("initializing"),
              start: slow("starting"),
              stop: slow("stopping"),
              create: () =>
                state === "failed" && kernel.list()[0]?.generation === 1
                  ? Promise.reject(new Error("on purpose"))
                  : {},
            }),
          );
          const before: Promise<unknown>[] = [];
          const ask = (work: Promise<void>): void => void before.push(work.catch(() => {}));
          if (state === "initializing" || state === "initialized") ask(kernel.init("m"));
          if (state === "initialized") await before[0];
          if (state !== "loaded" && state !== "initializing" && state !== "initialized")
            ask(kernel.start("m"));
          if (state === "running" || state === "stopping" || state === "stopped" || state === "failed")
            await before[0];
          if (state === "stopping" || state === "stopped") ask(kernel.stop("m"));
          if (state === "stopped") await before[1];
          for (let turn = 0; turn < 100 && kernel.state("m") !== state; turn++) await Promise.resolve();
          ensureEqual(kernel.state("m"), state, "the state that was to be reached");
          const result = kernel[operation]("m").then(
            () => "done",
            (error: { code?: string }) => error.code,
          );
          gate.resolve();
          const outcome = await result;
          const refused = operation === "init" && ["starting", "running", "stopping"].includes(state);
          if (refused) ensureEqual(outcome, "ILLEGAL_TRANSITION", `${operation} in ${state}`);
          else ensureEqual(outcome, "done", `${operation} in ${state}`);
          await Promise.all(before);
          ensureEqual(
            kernel.state("m"),
            reached(state, operation),
            `the state after ${operation} in ${state}`,
          );
          await kernel.shutdown();
        }
      }
    },
  },
  {
    id: "lifecycle.stop-aborts-hung-start",
    title: "a stop never waits behind a hung init or start: it aborts it, and the module's signal fires",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      for (const step of ["init", "start"] as const) {
        let given: ModuleContext | undefined;
        await kernel.register(
          nativeModule({ id: step, [step]: (module: ModuleContext) => ((given = module), never()) }),
        );
        const started = ensureCode(kernel.start(step), "ABORTED", `the start that hung in ${step}`);
        while (given === undefined) await Promise.resolve();
        await kernel.stop(step);
        await started;
        ensureEqual(kernel.state(step), "stopped", "state");
        ensure(given.signal.aborted, "the generation's signal did not fire");
      }
    },
  },
  {
    id: "lifecycle.deadlines",
    title: "an init, start or stop that never settles is ended at its deadline with a code that says which",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      const deadlines = { initMs: 20, startMs: 20, stopMs: 20 };
      await kernel.register(nativeModule({ id: "init", deadlines, init: never }));
      await kernel.register(nativeModule({ id: "start", deadlines, start: never }));
      await kernel.register(nativeModule({ id: "stop", deadlines, stop: never }));
      await ensureCode(kernel.start("init"), "INIT_TIMEOUT", "a hung init");
      await ensureCode(kernel.start("start"), "START_TIMEOUT", "a hung start");
      await kernel.start("stop");
      await ensureCode(kernel.stop("stop"), "STOP_TIMEOUT", "a hung stop");
      ensureEqual(kernel.state("stop"), "failed", "state after a hung stop");
      await ensureCode(
        kernel.start("stop"),
        "STOP_TIMEOUT",
        "a start while the last generation may be alive",
      );
    },
  },
  {
    id: "lifecycle.failed-load-is-undone",
    title: "what a failing start has acquired is released, last first, before the failure is told",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      const undone: string[] = [];
      await kernel.register(
        nativeModule({
          id: "m",
          init: ({ scope }) => scope.defer(() => void undone.push("init's")),
          async start({ scope }) {
            scope.defer(async () => void undone.push("start's"));
            throw undefined;
          },
        }),
      );
      await ensureCode(kernel.start("m"), "MODULE_FAILED", "a start that throws undefined");
      ensureEqual(undone, ["start's", "init's"], "what was released");
      ensureEqual(kernel.state("m"), "failed", "state");
    },
  },
  {
    id: "lifecycle.generations",
    title:
      "each life is a new create() with a number of its own, and late answers of an older one are ignored",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      const gate = Promise.withResolvers<void>();
      let made = 0;
      await kernel.register(
        nativeModule({
          id: "m",
          create: () => ({ start: made++ === 0 ? () => gate.promise : () => never() }),
        }),
      );
      const first = ensureCode(kernel.start("m"), "ABORTED", "the first start");
      while (kernel.state("m") !== "starting") await Promise.resolve();
      await kernel.stop("m");
      await first;
      const second = kernel.start("m").catch(() => {});
      gate.resolve();
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      ensureEqual(kernel.state("m"), "starting", "state after the first generation's late answer");
      ensureEqual(kernel.list()[0]?.generation, 2, "generation");
      ensureEqual(made, 2, "calls of create()");
      await kernel.stop("m");
      await second;
    },
  },
  {
    id: "lifecycle.door-closes",
    title: "a stopped module hears nothing more, and its door to the bus answers DOOR_CLOSED",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      let given: ModuleContext | undefined;
      let heard = 0;
      await kernel.register(
        nativeModule({
          id: "m",
          start(module) {
            given = module;
            module.bus.on("news", () => void heard++);
          },
        }),
      );
      await kernel.start("m");
      kernel.bus.publish("news", 1);
      ensureEqual(heard, 1, "envelopes heard while running");
      await kernel.stop("m");
      kernel.bus.publish("news", 2);
      ensureEqual(heard, 1, "envelopes heard after the stop");
      await ensureCode(
        () => given?.bus.publish("other", 1),
        "DOOR_CLOSED",
        "a publish through a closed door",
      );
    },
  },
  {
    id: "lifecycle.one-blocks-no-other",
    title: "operations are serialised per module only: a hung start holds up no other module",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      await kernel.register(nativeModule({ id: "hung", start: never }));
      await kernel.register(versioned("quick", "1.0.0"));
      const hung = kernel.start("hung").catch(() => {});
      await kernel.start("quick");
      ensureEqual(await kernel.invoke("quick", "version"), "1.0.0", "a call of the other module");
      ensureEqual(kernel.state("hung"), "starting", "state of the hung one");
      await kernel.stop("hung");
      await hung;
    },
  },
  {
    id: "lifecycle.dependencies",
    title: "what a module depends on starts before it and stops after it; a circle is refused and named",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      const order: string[] = [];
      const noted = (id: string, depends: Record<string, string>) =>
        nativeModule({
          id,
          version: "1.0.0",
          depends,
          start: async () => void order.push(`+${id}`),
          stop: () => void order.push(`-${id}`),
        });
      await kernel.register(noted("top", { middle: "^1.0.0" }));
      await kernel.register(noted("middle", { base: "*" }));
      await kernel.register(noted("base", {}));
      await kernel.start("top");
      await kernel.stop();
      ensureEqual(order, ["+base", "+middle", "+top", "-top", "-middle", "-base"], "order");
      await kernel.register(noted("a", { b: "*" }));
      await kernel.register(noted("b", { a: "*" }));
      const error = await ensureCode(kernel.start("a"), "DEPENDENCY_CYCLE", "a circle");
      ensure(error.message.includes("a → b → a"), "the circle is not named");
      await kernel.register(noted("picky", { base: "^2.0.0" }));
      await ensureCode(kernel.start("picky"), "DEPENDENCY_MISSING", "a version that does not fit");
    },
  },
];
