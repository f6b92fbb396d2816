import type { Clock } from "@keelson/core";

/** The runtime's own time. */
export const realClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, run, background = false) {
    const timer = setTimeout(run, ms);
    if (background) timer.unref();
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
  turn: (run) => void setImmediate(run),
};
