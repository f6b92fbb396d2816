import type { KeelsonError } from "../../src/contract/errors.ts";
import type { Exit, Module, ModuleDefinition, ModuleState } from "../../src/contract/module.ts";
import type { Phase } from "../../src/contract/kernel.ts";
import type { MaybePromise } from "../../src/contract/value.ts";
import type { LifeContext } from "../../src/lifecycle/life.ts";
import { Lifecycle, type LifecycleHost } from "../../src/lifecycle/lifecycle.ts";
import { DeadlineQueue } from "../../src/primitives/deadline.ts";
import { UndoScope } from "../../src/primitives/scope.ts";
import { createFakeClock, type FakeClock } from "../../src/testing/index.ts";

/** A lifecycle on a fake clock, with all that it told its host. */
export interface Harness {
  readonly clock: FakeClock;
  readonly lifecycle: Lifecycle;
  readonly transitions: (readonly [ModuleState, ModuleState, number])[];
  readonly exits: Exit[];
  readonly failures: KeelsonError[];
  readonly contexts: TestContext[];
  readonly deadlines: DeadlineQueue;
  /** Run at each transition, after it was noted. */
  onTransition: (to: ModuleState) => void;
  phase: (phase: Phase) => MaybePromise<void>;
}

export interface TestContext extends LifeContext {
  readonly generation: number;
  active: boolean;
  closed: boolean;
}

export function createHarness(
  module: Module | (() => MaybePromise<Module>),
  options: Partial<ModuleDefinition> = {},
): Harness {
  const clock = createFakeClock();
  const deadlines = new DeadlineQueue(clock);
  let generation = 0;
  const definition: ModuleDefinition = {
    metadata: { id: "m", name: "m", version: "1.0.0", kind: "native" },
    create: typeof module === "function" ? module : () => module,
    ...options,
  };
  const host: LifecycleHost = {
    clock,
    deadlines,
    nextGeneration: () => ++generation,
    openContext(number, exited) {
      const controller = new AbortController();
      const context = {
        id: "m",
        generation: number,
        signal: controller.signal,
        scope: new UndoScope((error) => harness.failures.push(error)),
        exited,
        active: false,
        closed: false,
        activate: () => void (context.active = true),
        abort: () => controller.abort(),
        close: () => {
          context.active = false;
          context.closed = true;
        },
      } as unknown as TestContext;
      harness.contexts.push(context);
      return context;
    },
    phase: (phase) => harness.phase(phase),
    onTransition(from, to, number) {
      harness.transitions.push([from, to, number]);
      harness.onTransition(to);
    },
    onExit: (exit) => void harness.exits.push(exit),
    onFailure: (error) => void harness.failures.push(error),
  };
  const harness: Harness = {
    clock,
    deadlines,
    lifecycle: new Lifecycle(definition, host),
    transitions: [],
    exits: [],
    failures: [],
    contexts: [],
    onTransition: () => {},
    phase: () => undefined,
  };
  return harness;
}
