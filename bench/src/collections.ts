import { PerformanceObserver } from "node:perf_hooks";

interface Pause {
  readonly begin: number;
  readonly ms: number;
}

/** When the engine stopped this thread to collect garbage: told by Node alone, some turns of the event loop later. */
export class Collections implements Disposable {
  readonly #pauses: Pause[] = [];
  readonly #observer = new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries())
      this.#pauses.push({ begin: startTime, ms: duration });
  });

  constructor() {
    if (PerformanceObserver.supportedEntryTypes.includes("gc"))
      this.#observer.observe({ entryTypes: ["gc"] });
  }

  /** How long they lasted between two times of `performance.now`, ms; undefined where nobody tells. */
  between(begin: number, end: number): number | undefined {
    // Deno lists the type as well, and then tells of none.
    if (this.#pauses.length === 0) return undefined;
    let sum = 0;
    for (const pause of this.#pauses) if (pause.begin >= begin && pause.begin < end) sum += pause.ms;
    return sum;
  }

  [Symbol.dispose](): void {
    this.#observer.disconnect();
  }
}
