import type { Clock, Platform } from "@keelson/core";

/** Guest time in one turn of the event loop, ms: what everybody else on the thread waits for at most, once a turn. */
const TURN_MS = 1;

/** A guest that waits for its next slice. */
export interface Waiting {
  /** Lets it go on; it runs as soon as whoever calls this has returned. */
  readonly resume: () => void;
}

/**
 * Shares one thread between guests, a slice each in turn, and between the guests and everything else: after {@link TURN_MS} of them the event
 * loop turns once. One guest alone goes on without waiting while its turn lasts.
 */
export class Turns {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();
  /** A turn is under way: it ends with the event loop's. */
  #open = false;
  #end = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether a guest may run on at `now` without waiting. */
  mayRun(now: number): boolean {
    if (!this.#open) this.#begin(now);
    return this.#waiting.size === 0 && now < this.#end;
  }

  /** Puts a guest behind those that wait. While the turn lasts, the first of them is resumed. */
  wait(waiting: Waiting, now: number): void {
    this.#waiting.add(waiting);
    if (now < this.#end) this.#resumeFirst();
  }

  /** Takes a guest out that waits no longer. */
  leave(waiting: Waiting): void {
    this.#waiting.delete(waiting);
  }

  #begin(now: number): void {
    this.#open = true;
    this.#end = now + TURN_MS;
    const next = (): void => {
      this.#open = false;
      if (this.#waiting.size === 0) return;
      this.#begin(this.#clock.now());
      this.#resumeFirst();
    };
    if (this.#clock.turn === undefined) this.#clock.after(0, next);
    else this.#clock.turn(next);
  }

  #resumeFirst(): void {
    for (const first of this.#waiting) {
      this.#waiting.delete(first);
      first.resume();
      return;
    }
  }
}

// A platform stands for one thread. The keys are weak: one that is gone takes its turns with it.
const byPlatform = new WeakMap<Platform, Turns>();

/** The turns of the thread on which `platform` runs. */
export function turnsOf(platform: Platform): Turns {
  let turns = byPlatform.get(platform);
  if (turns === undefined) {
    turns = new Turns(platform.clock);
    byPlatform.set(platform, turns);
  }
  return turns;
}
