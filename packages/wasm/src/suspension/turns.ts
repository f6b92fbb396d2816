import type { Clock, Platform } from "@keelson/core";
import { WaitingLine, type Waiting } from "./waiting-line.ts";

/** Guest time in one turn of the event loop, ms: what everybody else on the thread waits for at most, once a turn. */
const MOST_MS = 1;
/** While others have something to do they are let in this often, ms of guest time. */
const LEAST_MS = 0.25;
/** Others that had something to do may only wait for another thread or process: until they had nothing for so long, ms, guests take little. */
const QUIET_MS = 5;
/** What guests have at least of the time that others took in the turn before, within {@link MOST_MS}. */
const SHARE = 1 / 4;
/** Who leaves the thread to others and has it back sooner than this, ms, was alone. */
const ALONE_MS = 0.1;

/**
 * Shares one thread between guests, a slice each in turn, and between the guests and everything else: after some time of them the event
 * loop turns once. What others have to do mostly takes several turns, so guests take little of each while there is anything, and more
 * when nobody else wants the thread. One guest alone goes on without waiting while its turn lasts.
 */
export class Turns {
  readonly #clock: Clock;
  readonly #line = new WaitingLine();
  /** A turn is under way: it ends with the event loop's. */
  #open = false;
  #end = 0;
  /** Guest time of the turn, ms. */
  #lastsMs = MOST_MS;
  /** When the guests left the thread to others; undefined while their time lasts. */
  #left: number | undefined;
  /** When others last had something to do. */
  #busyAt = Number.NEGATIVE_INFINITY;
  readonly #next = (): void => this.#turned();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether a guest may run on at `now` without waiting. */
  mayRun(now: number): boolean {
    if (!this.#open) this.#begin(now);
    return this.#line.first === undefined && now < this.#end;
  }

  /** Puts a guest behind those that wait. While the turn lasts, the first of them is resumed. */
  wait(waiting: Waiting, now: number): void {
    this.#line.add(waiting);
    this.#goOn(now);
  }

  /** Does something short in the guests' time: at once while that lasts, else when it has its turn. */
  run<T>(work: () => T): T | Promise<T> {
    const now = this.#clock.now();
    if (this.mayRun(now)) return work();
    return new Promise<void>((resume) =>
      this.wait({ resume, before: undefined, behind: undefined }, now),
    ).then(() => {
      try {
        return work();
      } finally {
        this.#goOn(this.#clock.now());
      }
    });
  }

  /** Takes a guest out that waits no longer. */
  leave(waiting: Waiting): void {
    this.#line.remove(waiting);
  }

  /** While the turn lasts, the next one goes on. */
  #goOn(now: number): void {
    if (now < this.#end) this.#line.take()?.resume();
    else this.#left ??= now;
  }

  #begin(now: number): void {
    this.#open = true;
    this.#end = now + this.#lastsMs;
    this.#left = undefined;
    if (this.#clock.turn === undefined) this.#clock.after(0, this.#next);
    else this.#clock.turn(this.#next);
  }

  #turned(): void {
    this.#open = false;
    if (this.#line.first === undefined) return;
    const now = this.#clock.now();
    // Turns that are made by timers come late whether others have anything to do or not: less of each would only cost the guests.
    if (this.#clock.turn !== undefined) this.#lastsMs = this.#suited(now);
    this.#begin(now);
    this.#line.take()?.resume();
  }

  /** How long guests may have the thread in a turn that begins at `now`. */
  #suited(now: number): number {
    const others = now - (this.#left ?? now);
    let wish = others * SHARE;
    if (others >= ALONE_MS) this.#busyAt = now;
    else wish = now - this.#busyAt < QUIET_MS ? LEAST_MS : this.#lastsMs * 2;
    return Math.max(LEAST_MS, Math.min(wish, MOST_MS));
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
