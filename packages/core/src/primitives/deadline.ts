import type { Clock } from "../contract/platform.ts";

/** A pending deadline; pass it to {@link DeadlineQueue.cancel}. */
export interface PendingDeadline {
  /** Monotonic ms. */
  readonly at: number;
  run: (() => void) | undefined;
}

/**
 * How many turns of the microtask queue an empty queue keeps its timer: long enough for whoever makes one call after the other, gone
 * before anything else can happen.
 */
const KEEP_TURNS = 8;

const turn = Promise.resolve();

/**
 * Many deadlines on one timer of the clock. Adding one is a push into a heap; the timer is set anew only when the new deadline
 * is earlier than all others, and a cancelled one costs nothing until its time comes. Made because a timer of its own for each
 * call costs one to five microseconds; for the same reason a lazy queue that is empty keeps its timer for a few microtasks.
 */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #lazy: boolean;
  #heap: PendingDeadline[] = [];
  #cancelled = 0;
  #timer: Disposable | undefined;
  #timerAt = Infinity;
  /** Turns left until the timer of an empty queue is cancelled; 0 when nobody counts. */
  #turns = 0;

  /**
   * @param lazy whether the timer of an empty queue goes a few microtasks later, for deadlines that come one after the other. Default false.
   */
  constructor(clock: Clock, lazy = false) {
    this.#clock = clock;
    this.#lazy = lazy;
  }

  /** Deadlines pending. */
  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  /** Runs `run` once the clock has reached `at` (monotonic ms). `Infinity` never runs and must not be added. */
  add(at: number, run: () => void): PendingDeadline {
    const pending: PendingDeadline = { at, run };
    this.#push(pending);
    if (at < this.#timerAt) this.#arm(at);
    return pending;
  }

  /** Forgets a deadline; one that ran or was cancelled before is fine. */
  cancel(pending: PendingDeadline): void {
    if (pending.run === undefined) return;
    pending.run = undefined;
    this.#cancelled++;
    if (this.#cancelled === this.#heap.length) this.#empty();
    else if (this.#cancelled > 64 && this.#cancelled * 2 > this.#heap.length) this.#compact();
  }

  /** Forgets all of them and the timer. */
  close(): void {
    for (const pending of this.#heap) pending.run = undefined;
    this.#heap = [];
    this.#cancelled = 0;
    this.#disarm();
  }

  #empty(): void {
    if (!this.#lazy) return this.close();
    this.#heap.length = 0;
    this.#cancelled = 0;
    if (this.#turns === 0) void turn.then(this.#countDown);
    this.#turns = KEEP_TURNS;
  }

  readonly #countDown = (): void => {
    if (this.#heap.length > 0) this.#turns = 0;
    else if (--this.#turns > 0) void turn.then(this.#countDown);
    else if (this.#timer !== undefined) this.#disarm();
  };

  #arm(at: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timerAt = at;
    this.#timer = this.#clock.after(Math.max(0, at - this.#clock.now()), () => this.#fire());
  }

  #disarm(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  #fire(): void {
    this.#timer = undefined;
    this.#timerAt = Infinity;
    const now = this.#clock.now();
    const due: (() => void)[] = [];
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (first.run === undefined) this.#cancelled--;
      else if (first.at <= now) due.push(first.run);
      else break;
      first.run = undefined;
      this.#pop();
    }
    const next = this.#heap[0];
    if (next !== undefined) this.#arm(next.at);
    // Last, since what runs may add, cancel or throw; one that throws does not take the others with it.
    let failure: { readonly thrown: unknown } | undefined;
    for (const run of due) {
      try {
        run();
      } catch (thrown) {
        failure ??= { thrown };
      }
    }
    if (failure !== undefined) throw failure.thrown;
  }

  #compact(): void {
    const live = this.#heap.filter((pending) => pending.run !== undefined);
    this.#heap = [];
    this.#cancelled = 0;
    for (const pending of live) this.#push(pending);
  }

  #push(pending: PendingDeadline): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(pending);
    while (index > 0) {
      const up = (index - 1) >> 1;
      const parent = heap[up] as PendingDeadline;
      if (parent.at <= pending.at) break;
      heap[index] = parent;
      index = up;
    }
    heap[index] = pending;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && right.at < (heap[child] as PendingDeadline).at) child++;
      const smaller = heap[child] as PendingDeadline;
      if (smaller.at >= last.at) break;
      heap[index] = smaller;
      index = child;
    }
    heap[index] = last;
  }
}
