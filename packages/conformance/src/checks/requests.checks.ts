import { nativeModule, type Kernel, type ModuleDefinition } from "@keelson/core";
import { ensure, ensureCode, ensureEqual, handled, type Check } from "../check.ts";
import { openKernel } from "./kernel-setup.ts";

/** Starts and stops asked for one after the other, none waited for: every order of up to four. */
const orders: readonly (readonly ("start" | "stop")[])[] = [2, 3, 4].flatMap((length) =>
  Array.from({ length: 2 ** length }, (_, bits) =>
    Array.from({ length }, (_unused, n) => ((bits >> n) & 1 ? ("start" as const) : ("stop" as const))),
  ),
);

/** A module whose start and stop take some turns, and that tells when each begins and ends. */
function slow(id: string, seen: string[], depends: Record<string, string> = {}): ModuleDefinition {
  const step = (doing: string, done: string) => async (): Promise<void> => {
    seen.push(`${id} ${doing}`);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    seen.push(`${id} ${done}`);
  };
  return nativeModule({ id, depends, start: step("starts", "started"), stop: step("stops", "stopped") });
}

const settled = (work: Promise<void>): Promise<unknown> =>
  work.then(
    () => "done",
    (error: { code?: string }) => error.code,
  );

/** Requests that meet: what was asked for last is what comes about. */
export const requestsChecks: readonly Check[] = [
  {
    id: "lifecycle.queued-start",
    title: "a start that is asked for during a stop begins once it is done, as a new generation",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      const seen: string[] = [];
      await kernel.register(slow("m", seen));
      await kernel.start("m");
      seen.length = 0;
      const stop = kernel.stop("m");
      await kernel.start("m");
      ensureEqual(kernel.state("m"), "running", "state after the queued start");
      await stop;
      ensureEqual(seen, ["m stops", "m stopped", "m starts", "m started"], "what happened");
      ensureEqual(kernel.list()[0]?.generation, 2, "generation");
    },
  },
  {
    id: "lifecycle.last-request",
    title:
      "however starts and stops meet, all settle and the last one says how it ends; a start that was taken back is ABORTED",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      let alive = 0;
      let most = 0;
      for (const [n, order] of orders.entries()) {
        const id = `m${n}`;
        await kernel.register(
          nativeModule({
            id,
            async start() {
              most = Math.max(most, ++alive);
              for (let turn = 0; turn < 5; turn++) await Promise.resolve();
            },
            async stop() {
              for (let turn = 0; turn < 5; turn++) await Promise.resolve();
              alive--;
            },
          }),
        );
        if (n % 2 === 0) await kernel.start(id);
        const what = `after ${n % 2 === 0 ? "running" : "loaded"}, ${order.join(", ")}`;
        const outcomes = await Promise.all(order.map((operation) => settled(kernel[operation](id))));
        const last = order.at(-1);
        ensureEqual(outcomes.at(-1), "done", `the last request ${what}`);
        for (const [at, outcome] of outcomes.entries()) {
          const takenBack = order[at] === "start" && outcome === "ABORTED";
          ensure(outcome === "done" || takenBack, `request ${at + 1} ${what} ended with ${String(outcome)}`);
        }
        const up = kernel.state(id) === "running";
        ensureEqual(up, last === "start", `whether it runs ${what}`);
        ensureEqual(alive, up ? 1 : 0, `generations alive ${what}`);
        await kernel.stop(id);
      }
      ensureEqual(most, 1, "generations of one module alive at the same time");
    },
  },
  {
    id: "lifecycle.start-during-chain-stop",
    title:
      "a start during a stop that waits for dependents begins after it: no dependent runs without what it depends on; a further stop takes it back",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      const seen: string[] = [];
      await kernel.register(slow("base", seen));
      await kernel.register(slow("app", seen, { base: "*" }));
      await kernel.start();
      seen.length = 0;
      await Promise.all([kernel.stop("base"), kernel.start("app")]);
      const down = ["app stops", "app stopped", "base stops", "base stopped"];
      const up = ["base starts", "base started", "app starts", "app started"];
      ensureEqual(seen, [...down, ...up], "what happened");
      ensureEqual(states(kernel), ["running", "running"], "states");
      const first = handled(kernel.stop("base"));
      const start = ensureCode(kernel.start("app", "base"), "ABORTED", "the start that was taken back");
      await Promise.all([first, kernel.stop("base")]);
      await start;
      ensureEqual(states(kernel), ["stopped", "stopped"], "states after the further stop");
    },
  },
];

const states = (kernel: Kernel): readonly string[] => kernel.list().map(({ state }) => state);
