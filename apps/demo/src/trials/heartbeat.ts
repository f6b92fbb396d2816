/** How often a heart beats, ms. */
const EVERY_MS = 5;

/** A timer in the thread that also runs the guests: the gaps between its beats are what everybody else in the thread waits. */
export class Heartbeat {
  readonly #timer: ReturnType<typeof setInterval>;
  #last = performance.now();
  #beats = 0;
  #largestGapMs = 0;
  #onBeat: (() => void) | undefined;

  constructor() {
    this.#timer = setInterval(() => this.#beat(), EVERY_MS);
  }

  get beats(): number {
    return this.#beats;
  }

  /** The longest time between two beats so far, ms. */
  get largestGapMs(): number {
    return this.#largestGapMs;
  }

  /** Waits for one more beat, so that the last gap counts as well, and ends. */
  async stop(): Promise<void> {
    await new Promise<void>((resolve) => (this.#onBeat = resolve));
    clearInterval(this.#timer);
  }

  #beat(): void {
    const now = performance.now();
    this.#largestGapMs = Math.max(this.#largestGapMs, now - this.#last);
    this.#last = now;
    this.#beats++;
    this.#onBeat?.();
  }
}
