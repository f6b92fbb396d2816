import { createClock as createSharedClock } from "@keelson/node-compat";
import type { Clock } from "@keelson/core";
import { deno } from "./deno.ts";

/**
 * The clock of the machine over Deno's own timers: numbers or objects, as the version has them. It has no `turn`: while immediates wait, Deno looks at input and output
 * once in some sixty turns only, so that requests beside guests that share the thread would take seconds.
 */
export function createClock(): Clock {
  const { turn: _, ...clock } = createSharedClock({
    unref: (timer) => deno().unrefTimer(timer),
    processTime: true,
  });
  return clock;
}
