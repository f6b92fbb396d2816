import type { Call } from "../contract/call.ts";
import type { Lease } from "../contract/pool.ts";

/** An instance on its way; whom its failure concerns may change while it is made. */
export interface Creation<T> {
  /** The waiter whose need it serves, who may have left or been served in the meantime; none if it is made in advance. */
  waiter: Waiter<T> | undefined;
  /** Set when the source failed. */
  failure: { readonly error: unknown } | undefined;
}

/** One caller who waits for an instance. */
export class Waiter<T> {
  readonly resolve: (lease: Lease<T>) => void;
  readonly reject: (error: unknown) => void;
  readonly call: Call | undefined;
  /** When the wait began, monotonic ms; `Infinity` until the pool has next looked at the clock, which is at the end of the turn at the latest. */
  since: number = Infinity;
  /** The pool's own time-out ends its wait. */
  readonly limited: boolean;
  /** True from the first to the last moment in the queue. */
  waiting = true;
  /** The instance being made for it. */
  creation: Creation<T> | undefined = undefined;
  /** Takes off the caller's signal and the deadlines what was put there for this one. */
  unwatch: (() => void) | undefined = undefined;
  previous: Waiter<T> | undefined = undefined;
  next: Waiter<T> | undefined = undefined;

  constructor(
    resolve: (lease: Lease<T>) => void,
    reject: (error: unknown) => void,
    call: Call | undefined,
    limited: boolean,
  ) {
    this.resolve = resolve;
    this.reject = reject;
    this.call = call;
    this.limited = limited;
  }
}

/** Those who wait, first come first; any of them leaves at the cost of two links. */
export class WaitQueue<T> {
  first: Waiter<T> | undefined = undefined;
  #last: Waiter<T> | undefined = undefined;
  size = 0;
  /** Those of them whose wait the pool's own time-out ends. */
  #limited = 0;

  add(waiter: Waiter<T>): void {
    waiter.previous = this.#last;
    if (this.#last === undefined) this.first = waiter;
    else this.#last.next = waiter;
    this.#last = waiter;
    this.size++;
    if (waiter.limited) this.#limited++;
  }

  /** Takes out a waiter that is in the queue, with all that watches over it. */
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
  }

  /** Notes when they came with those who came last. */
  reckon(now: number): void {
    for (let waiter = this.#last; waiter?.since === Infinity; waiter = waiter.previous) waiter.since = now;
  }

  /** The first whose wait the pool's own time-out ends: also the first to be timed out, since all these wait equally long. */
  firstLimited(): Waiter<T> | undefined {
    let waiter = this.#limited === 0 ? undefined : this.first;
    while (waiter?.limited === false) waiter = waiter.next;
    return waiter;
  }

  /** The first for whom nothing is being made. As many as are being made stand before it at most. */
  firstUnprovided(): Waiter<T> | undefined {
    let waiter = this.first;
    while (waiter?.creation !== undefined) waiter = waiter.next;
    return waiter;
  }
}
