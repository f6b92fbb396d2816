/** What was answered while somebody looked. */
export interface Meanwhile extends Disposable {
  /** Requests that began and ended in the meantime, or were under way then. */
  readonly answered: number;
  /** From the request's arrival to its answer, ms; 0 before there is one. */
  readonly slowestMs: number;
}

/** Counts requests for those who want to know what goes on beside them. */
export class Traffic {
  readonly #watching = new Set<Counts>();

  /** Notes a request that has been answered. */
  note(ms: number): void {
    for (const counts of this.#watching) {
      counts.answered++;
      counts.slowestMs = Math.max(counts.slowestMs, ms);
    }
  }

  /** Counts from now on, until it is disposed. */
  watch(): Meanwhile {
    const counts: Counts = {
      answered: 0,
      slowestMs: 0,
      [Symbol.dispose]: () => void this.#watching.delete(counts),
    };
    this.#watching.add(counts);
    return counts;
  }
}

interface Counts extends Disposable {
  answered: number;
  slowestMs: number;
}
