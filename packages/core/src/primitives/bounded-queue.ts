import { requireWhole } from "./invalid-options.ts";

/**
 * A first-in, first-out queue that holds at most `capacity` items. It is a ring whose room doubles as it fills, so that a queue
 * that stays short stays small. What to do when it is full is the caller's choice: {@link BoundedQueue.push} only says so.
 */
export class BoundedQueue<T> {
  readonly capacity: number;
  #ring: (T | undefined)[] = [];
  /** Room of the ring minus one; the room is a power of two, or nothing before the first item. */
  #mask = -1;
  #head = 0;
  #size = 0;

  /** @param capacity a whole number of at least 1; anything else is `INVALID_OPTIONS` */
  constructor(capacity: number) {
    requireWhole("capacity", capacity, 1);
    this.capacity = capacity;
  }

  /** Items held. */
  get size(): number {
    return this.#size;
  }

  /** Whether the next {@link BoundedQueue.push} would be refused. */
  get full(): boolean {
    return this.#size === this.capacity;
  }

  /** Adds `item` at the end; false, and nothing done, when the queue is full. */
  push(item: T): boolean {
    const size = this.#size;
    if (size === this.capacity) return false;
    if (size > this.#mask) this.#grow();
    this.#ring[(this.#head + size) & this.#mask] = item;
    this.#size = size + 1;
    return true;
  }

  /** Removes the oldest item; undefined when there is none. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const head = this.#head;
    const item = this.#ring[head];
    this.#ring[head] = undefined;
    this.#head = (head + 1) & this.#mask;
    this.#size--;
    return item;
  }

  /** Removes all items and gives their room back. */
  clear(): void {
    this.#ring = [];
    this.#mask = -1;
    this.#head = 0;
    this.#size = 0;
  }

  #grow(): void {
    const room = this.#size === 0 ? 16 : this.#size * 2;
    const ring = new Array<T | undefined>(room).fill(undefined);
    for (let index = 0; index < this.#size; index++)
      ring[index] = this.#ring[(this.#head + index) & this.#mask];
    this.#ring = ring;
    this.#mask = room - 1;
    this.#head = 0;
  }
}
