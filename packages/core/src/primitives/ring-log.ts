import { requireWhole } from "./invalid-options.ts";

/**
 * A log that keeps its last `capacity` items. Each item has a position that never changes: 0 for the first ever pushed, then one
 * more each; positions below {@link RingLog.start} are forgotten.
 */
export class RingLog<T> {
  readonly capacity: number;
  readonly #items: (T | undefined)[] = [];
  #start = 0;
  #end = 0;

  /** @param capacity a whole number of at least 1; anything else is `INVALID_OPTIONS` */
  constructor(capacity: number) {
    requireWhole("capacity", capacity, 1);
    this.capacity = capacity;
  }

  /** Position of the oldest item kept; equal to {@link RingLog.end} while the log is empty. */
  get start(): number {
    return this.#start;
  }

  /** Position that the next item will have. */
  get end(): number {
    return this.#end;
  }

  /** Adds `item`; answers the one that had to go for it, if any. */
  push(item: T): T | undefined {
    const gone = this.#end - this.#start < this.capacity ? undefined : this.shift();
    this.#items[this.#end++ % this.capacity] = item;
    return gone;
  }

  /** Forgets the oldest item and answers it; undefined when there is none. */
  shift(): T | undefined {
    const slot = this.#start % this.capacity;
    if (this.#start < this.#end) this.#start++;
    const gone = this.#items[slot];
    this.#items[slot] = undefined;
    return gone;
  }

  /** The item at a position; undefined when it is forgotten or still to come. */
  at(position: number): T | undefined {
    if (position < this.start || position >= this.#end) return undefined;
    return this.#items[position % this.capacity];
  }

  /**
   * The first position kept whose item is `behind`, or {@link RingLog.end}; found by halving. `behind` must be false for all items
   * up to some position and true from there on.
   */
  search(behind: (item: T) => boolean): number {
    let low = this.start;
    let high = this.#end;
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2);
      if (behind(this.#items[middle % this.capacity] as T)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The items kept from `position` on, oldest first. */
  slice(position: number = this.start): T[] {
    const found: T[] = [];
    for (let at = Math.max(position, this.start); at < this.#end; at++)
      found.push(this.#items[at % this.capacity] as T);
    return found;
  }
}
