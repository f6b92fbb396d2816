import type { KeelsonError } from "../contract/errors.ts";
import type { ModuleDefinition } from "../contract/module.ts";
import { Deferred } from "../primitives/deferred.ts";
import { failedIn, notInTime } from "./failures.ts";
import type { Life } from "./life.ts";
import { within, type TimeLimitHost } from "./time-limit.ts";

const DEFAULT_STOP_MS = 5_000;

/** What {@link Remains} needs of its surroundings. */
export interface RemainsHost extends TimeLimitHost {
  /** A failure that no caller waits for. */
  onFailure(error: KeelsonError): void;
}

/**
 * What may be left of a module's last generation: the undoing of its scope that still goes on, and the doubt whether it has ended at all. No
 * generation begins before the first is done and the second is gone.
 */
export class Remains {
  /** The undoing of the last generation, while it goes on. */
  ending: Promise<void> | undefined;
  /** Why the last generation may still be alive. */
  undead: KeelsonError | undefined;
  readonly #definition: ModuleDefinition;
  readonly #host: RemainsHost;

  constructor(definition: ModuleDefinition, host: RemainsHost) {
    this.#definition = definition;
    this.#host = host;
  }

  /**
   * Undoes a generation: doors closed, calls failed, scope ended. Answers undefined when there was nothing to wait for, which keeps
   * the way of a module without resources free of promises.
   */
  end(life: Life, why: () => KeelsonError): Promise<void> | undefined {
    let ending: Promise<void> | undefined;
    // Also one that is empty: what a start given up half-way adds later is to be undone at once.
    const { empty } = life.context.scope;
    if (empty) void life.context.scope.end();
    if (!empty) {
      // Known as ending before the signal fires: a listener may ask for a start at once.
      ending = Promise.resolve().then(() => this.#undo(life));
      this.ending = ending;
      void ending.then(() => {
        if (this.ending === ending) this.ending = undefined;
      });
    }
    life.context.abort();
    if (life.inFlight > 0) life.failCalls(why());
    life.context.close();
    return ending;
  }

  /** The module's stop, its exit, or its deadline, whichever is first. A stop that settles late clears the doubt about its end. */
  async untilStopped(life: Life, stopped: PromiseLike<void>): Promise<void> {
    const exit = new Deferred();
    life.onExitWhileStopping = exit.resolve;
    // A pre-stop hook may have waited meanwhile.
    if (life.exitedLate) exit.resolve();
    const settled = Promise.resolve(stopped);
    try {
      await this.#within(Promise.race([settled, exit.promise]), 1, "stop");
    } catch (error) {
      const alive = (): void => {
        if (this.undead === error) this.undead = undefined;
      };
      settled.then(alive, alive);
      throw error;
    }
  }

  /** The stop failed: after some errors nobody knows whether what was to end has ended. */
  doubt(error: KeelsonError | undefined): void {
    if (error?.code === "STOP_TIMEOUT" || error?.code === "PROCESS_SURVIVED") this.undead ??= error;
  }

  async #undo(life: Life): Promise<void> {
    const undone = life.context.scope.end();
    try {
      // The undoing of a process may itself take its full grace and deadline.
      for (const error of await this.#within(undone, 2, "release of resources")) {
        if (error.code === "PROCESS_SURVIVED") this.undead = error;
        this.#host.onFailure(error);
      }
    } catch (error) {
      const late = failedIn("stop", this.#definition.metadata.id, error);
      this.undead = late;
      this.#host.onFailure(late);
      void undone.then((errors) => {
        if (this.undead === late && !errors.some(({ code }) => code === "PROCESS_SURVIVED"))
          this.undead = undefined;
      });
    }
  }

  /** As long as a stop may take, or a multiple of that. */
  #within<T>(promise: PromiseLike<T>, times: number, step: string): Promise<T> {
    const { deadlines, metadata } = this.#definition;
    const ms = times * (deadlines?.stopMs ?? DEFAULT_STOP_MS);
    return within(this.#host, promise, ms, () => notInTime(step, metadata.id, "STOP_TIMEOUT", ms));
  }
}
