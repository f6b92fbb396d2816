import fc from "fast-check";
import { expect, test } from "vitest";
import type { Module, ModuleState } from "../../src/contract/module.ts";
import { transitions } from "../../src/lifecycle/states.ts";
import { createHarness } from "./harness.ts";

const behaviour = fc.record({
  delay: fc.constantFrom(0, 0, 1, 5, 20, Infinity),
  fails: fc.boolean(),
  sync: fc.boolean(),
});
type Behaviour = typeof behaviour extends fc.Arbitrary<infer T> ? T : never;

const operation = fc.oneof(
  fc.constantFrom("init", "start", "stop", "crash", "end").map((kind) => ({ kind, ms: 0 }) as const),
  fc.record({ kind: fc.constant("wait"), ms: fc.constantFrom(1, 3, 10, 50, 200) }),
);

/** What an observer asks for in the event of a state, once. */
const meddling = fc.record({
  at: fc.constantFrom(...(Object.keys(transitions) as ModuleState[])),
  kind: fc.constantFrom("init", "start", "stop"),
});

/** All steps that the table allows, whatever leads to them. */
const legal = new Set<string>();
for (const [from, reactions] of Object.entries(transitions)) {
  for (const reaction of Object.values(reactions))
    if (reaction.do === "enter") legal.add(`${from}→${reaction.to}`);
}

test("whatever is asked for and however slow or broken the module is, every step is in the table and nothing is left", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(behaviour, { minLength: 12, maxLength: 12 }),
      fc.array(operation, { maxLength: 25 }),
      fc.array(meddling, { maxLength: 4 }),
      async (behaviours, operations, meddlings) => {
        let used = 0;
        let open = 0;
        const step = (h: () => ReturnType<typeof createHarness>): void | Promise<void> => {
          const { delay, fails, sync } = behaviours[used++ % behaviours.length] as Behaviour;
          const end = (): void => {
            if (fails) throw new Error("on purpose");
          };
          if (sync) return end();
          if (delay === Infinity) return new Promise(() => {});
          return new Promise<void>((resolve) => h().clock.after(delay, resolve)).then(end);
        };
        const module: Module = {
          init(context) {
            open++;
            context.scope.defer(() => void open--);
            return step(() => h);
          },
          start: () => step(() => h),
          stop: () => step(() => h),
        };
        const h = createHarness(module, { deadlines: { initMs: 100, startMs: 100, stopMs: 30 } });
        const pending: Promise<unknown>[] = [];
        let meddlers = [...meddlings];
        const ask = (kind: "init" | "start" | "stop"): void =>
          void pending.push(h.lifecycle[kind]().catch((error: { code: string }) => error.code));
        let state: ModuleState = "loaded";
        let generation = 0;
        h.onTransition = (to) => {
          const [from, , number] = h.transitions.at(-1) as (typeof h.transitions)[number];
          expect(from).toBe(state);
          expect(legal).toContain(`${from}→${to}`);
          expect(h.lifecycle.state).toBe(to);
          if (to === "initializing") expect(number).toBe(++generation);
          else expect(number).toBe(generation);
          if (to === "running") expect(h.contexts.at(-1)?.active).toBe(true);
          expect(h.lifecycle.live !== undefined).toBe(to === "running");
          // At most one generation has its resources while another begins its own.
          if (to === "initialized") expect(open).toBeLessThanOrEqual(1);
          state = to;
          const meddler = meddlers.findIndex(({ at }) => at === to);
          if (meddler >= 0) for (const { kind } of meddlers.splice(meddler, 1)) ask(kind);
        };
        for (const { kind, ms } of operations) {
          if (kind === "wait") await h.clock.advance(ms);
          else if (kind === "crash" || kind === "end") {
            h.contexts.at(-1)?.exited({ reason: kind === "crash" ? "crash" : "normal" });
          } else ask(kind);
        }
        // Every request settles in bounded time, hung functions or not.
        let settledAll = false;
        void Promise.all(pending).then(() => (settledAll = true));
        await h.clock.advance(2_000);
        expect(settledAll).toBe(true);
        meddlers = [];
        void h.lifecycle.stop().catch(() => {});
        await h.clock.advance(2_000);
        expect(["loaded", "stopped", "failed"]).toContain(h.lifecycle.state);
        expect(open).toBe(0);
        expect(h.deadlines.size).toBe(0);
        for (const context of h.contexts) {
          expect(context.signal.aborted).toBe(true);
          expect(context.closed).toBe(true);
        }
      },
    ),
    { numRuns: 400 },
  );
});
