import type { Clock } from "@keelson/core";

/** After how long the time of a run is compared with what its thread ran, ms: shorter ones do not pay for a reading. */
const WATCH_AFTER_MS = 1;
/**
 * How long before a run's end its stop is rehearsed, ms. Once early, so that garbage which waits to be collected, and takes some milliseconds, is gone by
 * the end; and once late, so that the processor's caches still hold what a stop needs.
 */
const EARLY_REHEARSAL_MS = 5;
const REHEARSAL_MS = 0.5;
/** After how long a run what a stop needs may have left these caches, ms. */
const COLD_AFTER_MS = 5;

interface OuterEnd {
  cpuEnd: number;
  readonly cpuMs: number;
  readonly deadline: number;
  readonly attendAt: number;
}

/**
 * The time of one run: when it ends, and how much of what went by was the guest's own. What the thread did not run, because the system gave the core to
 * another program, is not taken from `cpuMs`; wall time goes on. It is known where the clock tells what the thread ran.
 *
 * What is asked each time the guest asks to go on takes its time from {@link now}, not as an argument, and answers none: V8 makes an object of each number with a
 * fraction that one function hands to another, and garbage made inside a guest is what makes it collect all that is old there, just before the guest's end.
 */
export class RunTime {
  start = 0;
  /** What time it was when the guest last asked to go on, ms. */
  now = 0;
  /** When it ended, or when it began as long as that was not looked at. */
  end = 0;
  /** The limit that is named when it is over. */
  cpuMs: number = Number.POSITIVE_INFINITY;
  cpuEnd: number = Number.POSITIVE_INFINITY;
  deadline: number = Number.POSITIVE_INFINITY;
  /** What went by and was not the guest's own, ms. */
  stolen = 0;
  /** When the run is to be attended to next: see {@link attend}. */
  attendAt = 0;
  readonly #clock: Pick<Clock, "ran">;
  /** The ends of the runs around this one, innermost last. */
  readonly #outer: OuterEnd[] = [];
  /** The thread's own time is watched. */
  #watches = false;
  /** The thread's own time when it was first read, ms; undefined where it cannot be. */
  #ranBefore: number | undefined;
  /** When it was first read, moved on by what has been given back since. */
  #watchedFrom = 0;

  constructor(clock: Pick<Clock, "ran">) {
    this.#clock = clock;
  }

  /** Begins a run from outside. */
  begin(now: number, cpuMs: number | undefined, deadline: number | undefined): void {
    this.start = this.end = this.now = now;
    this.cpuMs = cpuMs ?? Number.POSITIVE_INFINITY;
    this.cpuEnd = now + this.cpuMs;
    this.deadline = deadline ?? Number.POSITIVE_INFINITY;
    this.stolen = 0;
    this.#watches = false;
    this.attendAt = now + WATCH_AFTER_MS;
  }

  /** Begins a run inside this one: it cannot last longer. */
  narrow(now: number, cpuMs: number | undefined, deadline: number | undefined): void {
    const left = this.left(now);
    const { cpuEnd, attendAt } = this;
    this.#outer.push({ cpuEnd, cpuMs: this.cpuMs, deadline: this.deadline, attendAt });
    if (cpuMs !== undefined && now + cpuMs < cpuEnd) {
      this.cpuEnd = now + cpuMs;
      this.cpuMs = cpuMs;
    }
    if (deadline !== undefined) this.deadline = Math.min(this.deadline, deadline);
    // a thread that is not watched yet is looked at no later
    if (this.left(now) < left) this.attendAt = Math.min(attendAt, this.#nextLook(now));
  }

  /** Ends it. */
  widen(): void {
    const end = Math.min(this.cpuEnd, this.deadline);
    const outer = this.#outer.pop()!;
    this.cpuEnd = outer.cpuEnd;
    this.cpuMs = outer.cpuMs;
    this.deadline = outer.deadline;
    // what was rehearsed in it for the same end need not be again
    if (end < Math.min(this.cpuEnd, this.deadline)) this.attendAt = outer.attendAt;
  }

  /** What is left of whichever time ends first, ms. */
  left(now: number): number {
    return Math.min(this.cpuEnd, this.deadline) - now;
  }

  /** Time that went by was not the guest's own, ms. */
  giveBack(ms: number): void {
    this.stolen += ms;
    this.#watchedFrom += ms;
    this.cpuEnd += ms;
    for (const outer of this.#outer) outer.cpuEnd += ms;
  }

  /** The guest goes on after others ran: its thread is watched anew. */
  resume(now: number): void {
    this.#watches = false;
    this.attendAt = now + WATCH_AFTER_MS;
  }

  /** Begins to compare what goes by with what the thread runs. */
  watch(now: number): void {
    this.#watches = true;
    this.#watchedFrom = now;
    this.#ranBefore = this.#clock.ran?.();
  }

  /** How long the thread had no core since it is watched, as far as it was not given back, ms; Infinity where nobody can tell. */
  stoodStill(): number {
    const before = this.#ranBefore;
    const ran = this.#watches ? this.#clock.ran?.() : undefined;
    if (before === undefined || ran === undefined) return Number.POSITIVE_INFINITY;
    return this.now - this.#watchedFrom - (ran - before);
  }

  /** What a run seldom needs: begins to watch its thread, and answers whether its stop is to be rehearsed now. */
  attend(): boolean {
    const { now } = this;
    if (!this.#watches) this.watch(now);
    this.attendAt = this.#nextLook(now);
    const left = this.left(now);
    return left <= EARLY_REHEARSAL_MS && left > 0 && now - this.start >= COLD_AFTER_MS;
  }

  /** When the stop is to be rehearsed next, or Infinity. */
  #nextLook(now: number): number {
    const end = Math.min(this.cpuEnd, this.deadline);
    const left = end - now;
    if (left > EARLY_REHEARSAL_MS) return end - EARLY_REHEARSAL_MS;
    return left > REHEARSAL_MS ? end - REHEARSAL_MS : Number.POSITIVE_INFINITY;
  }
}
