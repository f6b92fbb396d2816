import type { KeelsonError } from "../contract/errors.ts";
import type { Lifecycle } from "../lifecycle/lifecycle.ts";
import type { EntryHost } from "./entry.ts";

/** The versions of one module that are being replaced, and those that were: each may answer its calls before it stops. */
export class Drains {
  readonly #id: string;
  readonly #host: EntryHost;
  /** End the waits for calls. */
  #ends: Set<() => void> | undefined;
  #retiring: Set<Promise<void>> | undefined;

  constructor(id: string, host: EntryHost) {
    this.#id = id;
    this.#host = host;
  }

  /** Lets the calls of a replaced version end, for at most `drainMs`, then stops it. */
  retire(old: Lifecycle, drainMs: number): void {
    const retired = this.drain(old, drainMs)
      .then(() => old.stop())
      .catch((error: unknown) => this.#host.onFailure(this.#id, error as KeelsonError))
      .finally(() => this.#retiring?.delete(retired));
    (this.#retiring ??= new Set()).add(retired);
  }

  /** The replaced versions that still drain or stop; undefined where there are none. */
  get retiring(): ReadonlySet<Promise<void>> | undefined {
    return this.#retiring?.size === 0 ? undefined : this.#retiring;
  }

  /**
   * Resolves when no call is in flight and what others had asked of it by bus or hook is answered, after `drainMs`, or by {@link end}.
   *
   * @param onShut for a version whose doors are open still, to shut them: called before each, unless the time is over first
   */
  drain(lifecycle: Lifecycle, drainMs: number, onShut?: (door: "bus" | "hooks") => void): Promise<void> {
    const life = lifecycle.live;
    if (life === undefined) return Promise.resolve();
    const { context } = life;
    const answered = (then: () => void): void =>
      void Promise.allSettled(context.unanswered()).then(() => life.whenIdle(then));
    return new Promise((resolve) => {
      const end = (): void => {
        this.#host.deadlines.cancel(timer);
        this.#ends?.delete(end);
        resolve();
      };
      const timer = this.#host.deadlines.add(this.#host.clock.now() + drainMs, end);
      (this.#ends ??= new Set()).add(end);
      if (onShut === undefined) return answered(end);
      const shut = (door: "bus" | "hooks"): void => {
        if (this.#ends?.has(end) !== true) return;
        onShut(door);
        context.deactivate(door);
      };
      // It was asked more meanwhile, and what it answers to that may wait for its own hooks.
      answered(() => {
        shut("bus");
        answered(() => {
          shut("hooks");
          answered(end);
        });
      });
    });
  }

  /** The module is to stop: no version of it waits for its calls any more. */
  end(): void {
    for (const end of this.#ends ?? []) end();
  }
}
