import type { RunTime } from "./run-time.ts";

/** The most units handed out at once: some 30 µs of quick code, and still under 5 ms of the slowest. */
const MAX_SLICE_UNITS = 100_000;
const MIN_SLICE_UNITS = 1_000;
/** The most for a guest with functions of the host's in its tables: such a call costs it some thirty units, and may last as long as it likes. */
const WARY_SLICE_UNITS = 5_000;
/** What a slice may last, ms: what lasts longer makes the next one shorter. */
const SLICE_MS = 0.25;
/**
 * What a slice can last at most on any machine, ms. One that lasted longer did not run all that time: the system gave the
 * core to somebody else, or the engine collected garbage.
 */
const LONGEST_SLICE_MS = 5;
/**
 * What slices are reckoned to take at worst when the end is near, and how much later than it one may end, ms: engines compile a function when it is
 * first called, which takes 5 µs for the smallest, of some 20 units.
 */
const COLD_UNITS_PER_MS = 4_000;
const LATE_MS = 5;

/** What is asked of the time of the run. */
type TimeLeft = Pick<RunTime, "now" | "cpuEnd" | "deadline">;

/** How much fuel a guest gets at once: as much as lasts a quarter of a millisecond, and less near its end. */
export class Slices {
  /** When the one that the guest has was handed out, ms. */
  begun = 0;
  /** By how much the counter was below zero then: the cost of one operation on a whole range, which then runs as part of the slice. */
  debt = 0;
  #units = MAX_SLICE_UNITS / 4;
  #most = MAX_SLICE_UNITS;
  readonly #time: TimeLeft;

  /** @param time all questions here are about its `now` */
  constructor(time: TimeLeft) {
    this.#time = time;
  }

  /** For a guest that may have called the host unseen: short slices, all of whose time is its own. */
  beWary(): void {
    this.#units = this.#most = WARY_SLICE_UNITS;
  }

  /** Units of a slice far from the end. */
  get units(): number {
    return this.#units;
  }

  /** Makes the next slice smaller or larger, by how long this one lasted. */
  adapt(): void {
    const lasted = this.#time.now - this.begun;
    if (lasted > SLICE_MS)
      this.#units = Math.max(MIN_SLICE_UNITS, Math.floor((this.#units * SLICE_MS) / lasted));
    else this.#units = Math.min(this.#most, this.#units * 2);
  }

  /** Units of the next one. */
  next(): number {
    const { now, cpuEnd, deadline } = this.#time;
    const left = Math.min(cpuEnd, deadline) - now;
    let units = this.#units;
    if (left < MAX_SLICE_UNITS / COLD_UNITS_PER_MS) {
      units = Math.min(units, Math.floor(COLD_UNITS_PER_MS * (left + LATE_MS)));
      if (left < SLICE_MS) units = Math.max(MIN_SLICE_UNITS, Math.floor((units * left) / SLICE_MS));
    }
    return units;
  }

  /** Whether the guest's slice lasted longer than one can, by which its thread is suspected to have stood still. */
  isTooLong(): boolean {
    return this.#time.now - this.begun > LONGEST_SLICE_MS && this.#most === MAX_SLICE_UNITS;
  }

  /** By how much it lasted too long, ms. An operation that alone costs as much as many slices may last as long as they. */
  excess(): number {
    return this.#time.now - this.begun - LONGEST_SLICE_MS - (LONGEST_SLICE_MS * this.debt) / MAX_SLICE_UNITS;
  }
}
