import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RestartPolicy, SupervisorState } from "../../src/contract/supervised.ts";
import { scene } from "./child.ts";

type Step =
  | { readonly do: "start" | "stop" | "crash" | "end" | "break" | "mend" }
  | { readonly do: "wait"; readonly ms: number };

/** What a supervisor is to do, as plainly as it can be said: time is a number, nothing is asynchronous. */
class Model {
  now = 0;
  state: SupervisorState = "stopped";
  attempt = 0;
  restarts = 0;
  gaveUp = false;
  broken = false;
  #dueAt: number | undefined;
  #taken: number[] = [];
  #streak = 0;
  #since: number | undefined;
  readonly policy: RestartPolicy;
  readonly max: number;
  readonly withinMs: number;

  constructor(policy: RestartPolicy, max: number, withinMs: number) {
    this.policy = policy;
    this.max = max;
    this.withinMs = withinMs;
  }

  #forget(): void {
    this.#dueAt = undefined;
    this.attempt = 0;
    this.#streak = 0;
    this.#taken = [];
    this.gaveUp = false;
  }

  #begin(): void {
    if (this.broken) this.#down(true);
    else {
      this.state = "healthy";
      this.#since = this.now;
    }
  }

  #down(crash: boolean): void {
    if (this.policy === "never" || (this.policy === "on-failure" && !crash)) {
      this.state = "stopped";
      return;
    }
    if (this.#since !== undefined && this.now - this.#since >= this.withinMs) this.#streak = 0;
    this.#since = undefined;
    this.#taken = this.#taken.filter((time) => this.now - time < this.withinMs);
    if (this.#taken.length >= this.max) {
      this.gaveUp = true;
      this.state = "stopped";
      return;
    }
    this.#taken.push(this.now);
    this.attempt++;
    this.#streak++;
    this.#dueAt = this.now + Math.min(100 * 2 ** (this.#streak - 1), 1000);
    this.state = "restarting";
  }

  run(step: Step): void {
    if (step.do === "start" && this.state !== "healthy") {
      this.#forget();
      this.#begin();
    } else if (step.do === "stop") {
      this.#forget();
      this.state = "stopped";
    } else if ((step.do === "crash" || step.do === "end") && this.state === "healthy") {
      this.#down(step.do === "crash");
    } else if (step.do === "break" || step.do === "mend") this.broken = step.do === "break";
    else if (step.do === "wait") {
      const until = this.now + step.ms;
      while (this.#dueAt !== undefined && this.#dueAt <= until) {
        this.now = this.#dueAt;
        this.#dueAt = undefined;
        this.restarts++;
        this.#begin();
      }
      this.now = until;
    }
  }
}

describe("supervisor against its model", () => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom<Step>({ do: "crash" }, { do: "start" }) },
    {
      weight: 2,
      arbitrary: fc.constantFrom<Step>({ do: "end" }, { do: "stop" }, { do: "break" }, { do: "mend" }),
    },
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 1500 }).map((ms): Step => ({ do: "wait", ms })) },
  );

  test("random starts, stops, exits and waits give the model's state, attempt and restarts, and never two starts at once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<RestartPolicy>("never", "on-failure", "always"),
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 0, max: 3000 }),
        fc.array(step, { maxLength: 40 }),
        async (policy, max, withinMs, steps) => {
          const { clock, child, supervisor, handle } = scene({
            policy,
            intensity: { max, withinMs },
            backoff: { initialMs: 100, maxMs: 1000, jitter: 0 },
          });
          const model = new Model(policy, max, withinMs);
          const start = child.start.bind(child);
          child.start = () => {
            expect(child.alive).toBe(false);
            return start();
          };
          for (const next of steps) {
            model.run(next);
            if (next.do === "start" && !child.alive) await child.start().catch(() => {});
            else if (next.do === "stop") await child.stop();
            else if (next.do === "crash" && child.alive) child.exit("crash");
            else if (next.do === "end" && child.alive) child.exit("normal");
            else if (next.do === "break" || next.do === "mend") child.startFails = next.do === "break";
            else if (next.do === "wait") await clock.advance(next.ms);
            const { state, attempt, restarts, gaveUp } = model;
            expect(supervisor.view("child")).toEqual({ state, attempt, restarts, gaveUp });
            expect(clock.pending).toBe(state === "restarting" ? 1 : 0);
          }
          handle[Symbol.dispose]();
          expect(clock.pending).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });
});
