import type { Call } from "../contract/call.ts";
import type { Clock } from "../contract/platform.ts";
import type { Lease } from "../contract/pool.ts";
import type { DeadlineQueue, PendingDeadline } from "../primitives/deadline.ts";

/** An instance on its way; whom its failure concerns may change while it is made. */
export interface Creation<T> {
  /** The waiter whose need it serves, who may have left or been served in the meantime; none if it is made in advance. */
  waiter: Waiter<T> | undefined;
  /** Set when the source failed. */
  failure: { readonly error: unknown } | undefined;
}

/** One caller who waits for an instance. Its fields are set in its constructor: JavaScriptCore takes twice as long for those that a class declares with a value. */
export class Waiter<T> {
  readonly call: Call | undefined;
  /** The pool's own time-out ends its wait. */
  readonly limited: boolean;
  /** When the wait began, monotonic ms; `Infinity` until the pool has next looked at the clock, which is at the end of the turn at the latest. */
  since: number;
  /** True from the first to the last moment in the queue. */
  waiting: boolean;
  /** The instance being made for it. */
  creation: Creation<T> | undefined;
  /** Takes off the caller's signal and the deadlines what was put there for this one. */
  unwatch: (() => void) | undefined;
  previous: Waiter<T> | undefined;
  next: Waiter<T> | undefined;
  /** Both settle what {@link WaitQueue.add} gave. */
  resolve: (lease: Lease<T>) => void;
  reject: (error: unknown) => void;

  constructor(call: Call | undefined, limited: boolean) {
    this.call = call;
    this.limited = limited;
    this.since = Infinity;
    this.waiting = true;
    this.creation = undefined;
    this.unwatch = undefined;
    this.previous = undefined;
    this.next = undefined;
    this.resolve = nobodyYet;
    this.reject = nobodyYet;
  }
}

function nobodyYet(): void {}

/** Whom a {@link WaitQueue} tells that a wait is over. */
export interface WaitOwner<T> {
  timedOut(waiter: Waiter<T>, timeoutMs: number): void;
  aborted(waiter: Waiter<T>, signal: AbortSignal): void;
}

const turn = Promise.resolve();

/**
 * Those who wait, first come first, and how long: until the pool's own time-out, their own, or their signal. Any of them leaves at the cost of two links, and
 * who is served in time costs no timer.
 */
export class WaitQueue<T> {
  first: Waiter<T> | undefined;
  #last: Waiter<T> | undefined;
  size = 0;
  /** Those of them whose wait the pool's own time-out ends. */
  #limited = 0;
  readonly #clock: Clock;
  readonly #deadlines: DeadlineQueue;
  /** The pool's own time-out, ms. */
  readonly #timeoutMs: number;
  readonly #owner: WaitOwner<T>;
  /** The time-out of those who wait as long as the pool says; set while one of them waits. */
  #patience: PendingDeadline | undefined;
  /** Somebody began to wait in this turn of the microtask queue. */
  #turning = false;

  constructor(clock: Clock, deadlines: DeadlineQueue, timeoutMs: number, owner: WaitOwner<T>) {
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#timeoutMs = timeoutMs;
    this.#owner = owner;
  }

  /** Adds one who waits behind all others. What comes back is its lease, or why it has none. */
  add(waiter: Waiter<T>): Promise<Lease<T>> {
    waiter.previous = this.#last;
    if (this.#last === undefined) this.first = waiter;
    else this.#last.next = waiter;
    this.#last = waiter;
    this.size++;
    if (waiter.limited) this.#limited++;
    return new Promise(this.#settledByLast);
  }

  /** One for all promises: with a function of its own, each wait would allocate half as much again, and collections are what makes some wait long. */
  readonly #settledByLast = (resolve: Waiter<T>["resolve"], reject: Waiter<T>["reject"]): void => {
    const waiter = this.#last as Waiter<T>;
    waiter.resolve = resolve;
    waiter.reject = reject;
  };

  /** Takes out a waiter that is in the queue, with all that watches over it; an empty queue has no timer. */
  remove(waiter: Waiter<T>): void {
    const { previous, next } = waiter;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    waiter.previous = undefined;
    waiter.next = undefined;
    waiter.waiting = false;
    this.size--;
    if (waiter.limited) this.#limited--;
    if (waiter.unwatch !== undefined) waiter.unwatch();
    if (this.first !== undefined || this.#patience === undefined) return;
    this.#deadlines.cancel(this.#patience);
    this.#patience = undefined;
  }

  /** The first for whom nothing is being made. As many as are being made stand before it at most. */
  firstUnprovided(): Waiter<T> | undefined {
    let waiter = this.first;
    while (waiter?.creation !== undefined) waiter = waiter.next;
    return waiter;
  }

  /** Watches over one that waits on: for its own time-out, unless it is `limited` by the pool's, and for its signal. */
  watch(waiter: Waiter<T>, timeoutMs: number, signal: AbortSignal | undefined): void {
    if (!waiter.limited || signal !== undefined) this.#watchAlone(waiter, timeoutMs, signal);
    if (this.#turning) return;
    this.#turning = true;
    void turn.then(this.#endTurn);
  }

  /** Tells those who came since the last reading of the clock what time it is. */
  reckon(): void {
    const now = this.#clock.now();
    for (let waiter = this.#last; waiter?.since === Infinity; waiter = waiter.previous) waiter.since = now;
  }

  /** When the wait began, monotonic ms. */
  since(waiter: Waiter<T>): number {
    if (waiter.since === Infinity) this.reckon();
    return waiter.since;
  }

  #watchAlone(waiter: Waiter<T>, timeoutMs: number, signal: AbortSignal | undefined): void {
    const deadline =
      waiter.limited || timeoutMs === Infinity
        ? undefined
        : this.#deadlines.add(this.since(waiter) + timeoutMs, () => this.#owner.timedOut(waiter, timeoutMs));
    const onAbort = signal == null ? undefined : () => this.#owner.aborted(waiter, signal);
    if (onAbort !== undefined) signal?.addEventListener("abort", onAbort);
    waiter.unwatch = () => {
      if (deadline !== undefined) this.#deadlines.cancel(deadline);
      if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
    };
  }

  /** No timer comes before the end of the turn in which a wait began: so one reading of the clock does for all that began in it. */
  readonly #endTurn = (): void => {
    this.#turning = false;
    if (this.first === undefined) return;
    this.reckon();
    if (this.#patience === undefined) this.#beginPatience();
  };

  /**
   * One deadline for all who wait as long as the pool says: that of the first at the time. Most are served before it; so when it
   * comes it is moved to whoever is first then, and a wait costs no timer.
   */
  #beginPatience(): void {
    const timeoutMs = this.#timeoutMs;
    const first = timeoutMs === Infinity ? undefined : this.#firstLimited();
    if (first === undefined) return;
    this.#patience = this.#deadlines.add(this.since(first) + timeoutMs, () => {
      this.#patience = undefined;
      const now = this.#clock.now();
      let next = this.#firstLimited();
      for (; next !== undefined && this.since(next) + timeoutMs <= now; next = this.#firstLimited()) {
        this.#owner.timedOut(next, timeoutMs);
      }
      this.#beginPatience();
    });
  }

  /** The first whose wait the pool's own time-out ends: also the first to be timed out, since all these wait equally long. */
  #firstLimited(): Waiter<T> | undefined {
    let waiter = this.#limited === 0 ? undefined : this.first;
    while (waiter?.limited === false) waiter = waiter.next;
    return waiter;
  }
}
