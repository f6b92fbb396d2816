import type { Exit, Health, ModuleState } from "../contract/module.ts";
import type { Supervised, SupervisedEvent, Supervisor, SupervisorView } from "../contract/supervised.ts";
import type { Entry } from "./entry.ts";

/** An entry as its supervisor sees it: one child, whatever version of the module serves. While a reload goes on it is told nothing. */
export class SupervisedEntry implements Supervised {
  readonly #entry: Entry;
  #supervisor: Supervisor | undefined;
  #supervision: Disposable | undefined;
  #listener: ((event: SupervisedEvent) => void) | undefined;
  /** What happened to the active version while a reload was under way. */
  #heldExit: Exit | undefined;
  /** Who asked for the last stop. */
  #stopper: "supervisor" | "other" = "other";

  constructor(entry: Entry) {
    this.#entry = entry;
  }

  get id(): string {
    return this.#entry.id;
  }

  /** Where it stands with its supervisor; undefined for a module that has none. */
  get view(): SupervisorView | undefined {
    return this.#supervisor?.view(this.id);
  }

  /** Puts it under the supervisor, as the definition that serves now wants it: from the beginning, or not at all. */
  putUnder(supervisor: Supervisor): void {
    this.release();
    this.#supervisor = undefined;
    const { restart } = this.#entry.definition;
    if (restart === undefined) return;
    this.#supervision = supervisor.adopt(this, restart);
    this.#supervisor = supervisor;
  }

  /** Takes it from its supervisor. */
  release(): void {
    this.#supervision?.[Symbol.dispose]();
    this.#supervision = undefined;
  }

  start(): Promise<void> {
    return this.#entry.start();
  }

  stop(): Promise<void> {
    if (this.#entry.state !== "stopping") this.#stopper = "supervisor";
    return this.#entry.active.stop();
  }

  onEvent(run: (event: SupervisedEvent) => void): Disposable {
    this.#listener = run;
    return { [Symbol.dispose]: () => void (this.#listener = undefined) };
  }

  /** While calls park nobody serves, and that is not the module's fault. */
  health(signal: AbortSignal): Promise<Health> {
    const entry = this.#entry;
    return entry.parked === undefined ? entry.health(signal) : Promise.resolve({ healthy: true });
  }

  /** Somebody else asks for a stop. Told at once, also where there is nothing to stop: a pending restart ends. */
  stopAsked(): void {
    this.#stopper = "other";
    this.#tell({ type: "stopped", by: "other" });
  }

  /** The active version entered a state. */
  entered(from: ModuleState, to: ModuleState): void {
    if (this.#entry.reloading !== undefined) return;
    // A stop that failed was a stop all the same: nobody should start the module again for it.
    if (from === "stopping" || (to === "stopped" && from === "failed"))
      this.#tell({ type: "stopped", by: this.#stopper });
    else if (to === "initializing" || (to === "starting" && from === "initialized"))
      this.#tell({ type: "starting" });
    else if (to === "running") this.#tell({ type: "started" });
  }

  /** A start of the active version failed, or it ended by itself. */
  exited(exit: Exit): void {
    if (this.#entry.reloading === undefined) this.#tell({ type: "exited", exit });
    else this.#heldExit = exit;
  }

  /** A reload is over. */
  reloaded(): void {
    const exit = this.#heldExit;
    this.#heldExit = undefined;
    if (this.#entry.state === "running") this.#tell({ type: "started" });
    else if (exit !== undefined) this.#tell({ type: "exited", exit });
  }

  #tell(event: SupervisedEvent): void {
    this.#listener?.(event);
  }
}
