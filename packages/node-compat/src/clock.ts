import type { Clock } from "@keelson/core";
import { threadTime } from "./thread-time.ts";

/** The longest delay that every runtime's own timer takes without wrapping round, ms: about 24.8 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** Options of {@link createClock}. */
export interface ClockOptions {
  /** Lets the program end although the timer is pending. Default: the timer's own `unref`. */
  readonly unref?: (timer: ReturnType<typeof setTimeout>) => void;
  /** Read {@link Clock.ran} from the whole process: for runtimes that count a single thread's time in hundredths of a second. Default: false. */
  readonly processTime?: boolean;
}

/**
 * The clock of the machine: `performance.now`, `Date.now`, `setTimeout` and the system's account of threads. Delays of any length are kept, `Infinity`
 * never comes, and a negative or missing one counts as 0.
 */
export function createClock(options?: ClockOptions): Clock {
  // Held here because looking the global up costs a quarter of a reading on Deno; calls read the clock twice.
  const { performance } = globalThis;
  const ran = threadTime(options?.processTime === true);
  const unref = options?.unref ?? ((timer: ReturnType<typeof setTimeout>): void => void timer.unref());
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    after(ms, run, background = false) {
      const due = performance.now() + ms;
      let timer: ReturnType<typeof setTimeout>;
      const arm = (wait: number): void => {
        const last = wait <= LONGEST_MS;
        timer = setTimeout(
          last ? run : () => arm(due - performance.now()),
          last ? Math.max(0, wait) : LONGEST_MS,
        );
        if (background) unref(timer);
      };
      arm(Number.isNaN(ms) ? 0 : ms);
      return { [Symbol.dispose]: () => clearTimeout(timer) };
    },
    turn: (run) => void setImmediate(run),
    ...(ran && { ran }),
  };
}
