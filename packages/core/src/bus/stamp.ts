import type { Clock } from "../contract/platform.ts";

/** Publishes of one turn that may share a reading of the clock. */
const SHARED = 256;
/** Readings for which sharing is not tried again after a turn in which nothing was shared. */
const PAUSE = 16;

/**
 * The time stamps of a bus: never smaller than the one before, so that the order of timestamps is the order of sequence numbers even
 * when the wall clock is set back.
 *
 * Reading a clock costs more than all the rest of a publish, so {@link Stamp.near} shares a reading: once two readings fell into one
 * millisecond, up to 256 more publishes of the same turn get it too. The end of the turn, told by a microtask, ends the sharing.
 */
export class Stamp {
  readonly #clock: Clock;
  #last = -Infinity;
  #shared = 0;
  #pause = 0;
  #waiting = false;
  readonly #endTurn = (): void => {
    if (this.#shared === SHARED) this.#pause = PAUSE;
    this.#shared = 0;
    this.#waiting = false;
  };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The time now. */
  exact(): number {
    const now = this.#clock.wall();
    if (now > this.#last) this.#last = now;
    return this.#last;
  }

  /** The time now, or in a burst of publishes of one turn that of a publish a moment ago. */
  near(): number {
    if (this.#shared > 0) {
      this.#shared--;
      return this.#last;
    }
    const before = this.#last;
    const now = this.exact();
    if (now - before >= 1) return now;
    if (this.#waiting) {
      this.#shared = SHARED;
    } else if (this.#pause > 0) {
      this.#pause--;
    } else {
      this.#shared = SHARED;
      this.#waiting = true;
      queueMicrotask(this.#endTurn);
    }
    return now;
  }
}
