import type { Clock } from "../contract/platform.ts";

/** Ticks while there is something to reap; its tick count is the time that releases are stamped with. */
export class Reaper implements Disposable {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #reap: (staleBefore: number) => boolean;
  readonly #staleTicks: number;
  #timer: Disposable | undefined;
  #ended = false;
  /** Ticks so far. */
  now = 0;

  /**
   * @param maxIdleMs `Infinity`: it never ticks
   * @param reap ends what became idle before tick `staleBefore`; answers whether there may be more another time
   */
  constructor(clock: Clock, maxIdleMs: number, reap: (staleBefore: number) => boolean) {
    this.#clock = clock;
    // A quarter of the idle time: what is idle too long ends after 1 to 1.25 times of it.
    this.#tickMs = Math.min(Math.max(maxIdleMs / 4, 10), 15_000);
    this.#staleTicks = Math.ceil(maxIdleMs / this.#tickMs);
    this.#reap = reap;
  }

  /** Begins to tick, if it does not. A waiting tick lets the program end. */
  wake(): void {
    if (this.#timer !== undefined || this.#ended || this.#staleTicks === Infinity) return;
    this.#timer = this.#clock.after(this.#tickMs, () => this.#tick(), true);
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #tick(): void {
    this.#timer = undefined;
    this.now++;
    // A stamp of tick n says: some time between ticks n and n + 1; so one more than the idle time must have passed.
    if (this.#reap(this.now - this.#staleTicks)) this.wake();
  }
}
