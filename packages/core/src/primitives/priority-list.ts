interface Item<T> {
  readonly value: T;
  readonly priority: number;
  readonly rank: number;
}

/**
 * Values in order of priority: higher first, ties in order of arrival. Copied on write: whoever iterates goes on with the values
 * that were there when the iteration began, whatever is added or removed meanwhile.
 */
export class PriorityList<T> {
  #items: readonly Item<T>[] = [];
  #values: readonly T[] = [];
  #arrivals = 0;

  get size(): number {
    return this.#values.length;
  }

  /** The values as of now; later changes make a new array and leave this one alone. */
  get values(): readonly T[] {
    return this.#values;
  }

  /** Takes the next place in the order of arrival, for a value that may come or come back later. */
  arrive(): number {
    return this.#arrivals++;
  }

  /**
   * Adds `value`; the same one may be added more than once. Disposing takes it out; twice is fine.
   * @param priority any number but NaN. Default 0.
   * @param rank its place among equals, from {@link arrive}. Default: behind all that arrived so far.
   */
  add(value: T, priority = 0, rank: number = this.arrive()): Disposable {
    if (Number.isNaN(priority)) throw new RangeError("a priority cannot be NaN");
    const item: Item<T> = { value, priority, rank };
    const items = this.#items;
    let at = items.length;
    while (at > 0 && isBefore(item, items[at - 1] as Item<T>)) at--;
    this.#set(items.toSpliced(at, 0, item));
    return {
      [Symbol.dispose]: () => {
        const index = this.#items.indexOf(item);
        if (index >= 0) this.#set(this.#items.toSpliced(index, 1));
      },
    };
  }

  #set(items: readonly Item<T>[]): void {
    this.#items = items;
    this.#values = items.map((item) => item.value);
  }
}

/** Whether `item`, which comes later, belongs before `other`. */
function isBefore<T>(item: Item<T>, other: Item<T>): boolean {
  return item.priority > other.priority || (item.priority === other.priority && item.rank < other.rank);
}
