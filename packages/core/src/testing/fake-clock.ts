import type { Clock } from "../contract/platform.ts";

/** A clock that stands still until it is told to move. */
export interface FakeClock extends Clock {
  /** Moves on by `ms`, running what falls due in order of time; between two timers all microtasks run. */
  advance(ms: number): Promise<void>;
  /** Moves on to the next timer, if any; answers whether there was one. */
  next(): Promise<boolean>;
  /** Timers pending. */
  readonly pending: number;
}

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Lets everything that waits on promises alone run: many turns of the microtask queue. */
export async function settle(turns = 50): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
}

/** A {@link FakeClock} that begins at 0; wall time begins at `wall` (default 1,700,000,000,000). */
export function createFakeClock(wall = 1_700_000_000_000): FakeClock {
  let now = 0;
  let order = 0;
  const timers = new Set<Timer>();
  const first = (): Timer | undefined => {
    let best: Timer | undefined;
    for (const timer of timers) {
      if (best === undefined || timer.at < best.at || (timer.at === best.at && timer.order < best.order))
        best = timer;
    }
    return best;
  };
  const runNext = async (until: number): Promise<boolean> => {
    const timer = first();
    if (timer === undefined || timer.at > until) return false;
    timers.delete(timer);
    now = Math.max(now, timer.at);
    timer.run();
    await settle();
    return true;
  };
  return {
    now: () => now,
    wall: () => wall + now,
    after(ms, run) {
      const timer: Timer = { at: now + Math.max(0, ms), order: order++, run };
      timers.add(timer);
      return { [Symbol.dispose]: () => void timers.delete(timer) };
    },
    async advance(ms) {
      const until = now + ms;
      await settle();
      while (await runNext(until));
      now = until;
      await settle();
    },
    async next() {
      await settle();
      return runNext(Infinity);
    },
    get pending() {
      return timers.size;
    },
  };
}
