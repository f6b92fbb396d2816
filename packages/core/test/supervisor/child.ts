import { KeelsonError } from "../../src/contract/errors.ts";
import type { Exit, Health } from "../../src/contract/module.ts";
import type {
  RestartOptions,
  Supervised,
  SupervisedEvent,
  Supervisor,
  SupervisorTransition,
} from "../../src/contract/supervised.ts";
import { createSupervisor } from "../../src/supervisor/index.ts";
import {
  createFakeClock,
  createMemoryLog,
  createSeededRandom,
  type FakeClock,
  type MemoryLog,
} from "../../src/testing/index.ts";

/** A child that does what the test says. */
export class ScriptedChild implements Supervised {
  readonly id: string;
  starts = 0;
  stops = 0;
  alive = false;
  /** Whether the next starts fail. */
  startFails = false;
  /** When set, starts wait for it. */
  startGate: Promise<void> | undefined;
  /** When set, stops wait for it. */
  stopGate: Promise<void> | undefined;
  /** Whether the event of a stop says whose it was. */
  tellsBy = false;
  answers: (signal: AbortSignal) => Promise<Health> = async () => ({ healthy: true });
  readonly #listeners = new Set<(event: SupervisedEvent) => void>();

  constructor(id = "child") {
    this.id = id;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  onEvent(run: (event: SupervisedEvent) => void): Disposable {
    this.#listeners.add(run);
    return { [Symbol.dispose]: () => void this.#listeners.delete(run) };
  }

  tell(event: SupervisedEvent): void {
    for (const run of [...this.#listeners]) run(event);
  }

  async start(): Promise<void> {
    this.starts++;
    this.tell({ type: "starting" });
    if (this.startGate !== undefined) await this.startGate;
    if (this.startFails) {
      const error = new KeelsonError("MODULE_FAILED", "start failed");
      this.tell({ type: "exited", exit: { reason: "crash", error } });
      throw error;
    }
    this.alive = true;
    this.tell({ type: "started" });
  }

  async stop(by: "supervisor" | "other" = "supervisor"): Promise<void> {
    this.stops++;
    if (this.stopGate !== undefined) await this.stopGate;
    this.alive = false;
    this.tell(this.tellsBy ? { type: "stopped", by } : { type: "stopped" });
  }

  exit(reason: Exit["reason"]): void {
    this.alive = false;
    this.tell({
      type: "exited",
      exit: reason === "crash" ? { reason, error: new KeelsonError("CALL_FAILED", "boom") } : { reason },
    });
  }

  health(signal: AbortSignal): Promise<Health> {
    return this.answers(signal);
  }
}

/** A supervisor on a fake clock with one child. */
export interface Scene {
  readonly clock: FakeClock;
  readonly log: MemoryLog;
  readonly child: ScriptedChild;
  readonly supervisor: Supervisor;
  readonly handle: Disposable;
  /** "state attempt" of each transition. */
  readonly path: () => string[];
  readonly seen: SupervisorTransition[];
}

/** A {@link Scene}; backoff without jitter unless told otherwise. @param onTransition told of each, after it is kept */
export function scene(
  options: RestartOptions = {},
  onTransition: (transition: SupervisorTransition, child: ScriptedChild) => void = () => {},
): Scene {
  const clock = createFakeClock();
  const log = createMemoryLog();
  const child = new ScriptedChild();
  const seen: SupervisorTransition[] = [];
  const supervisor = createSupervisor({
    clock,
    log,
    random: createSeededRandom(),
    onTransition: (transition) => {
      seen.push(transition);
      onTransition(transition, child);
    },
  });
  const handle = supervisor.adopt(child, { backoff: { jitter: 0 }, ...options });
  const path = (): string[] => supervisor.transitions().map(({ to, attempt }) => `${to} ${attempt}`);
  return { clock, log, child, supervisor, handle, path, seen };
}
