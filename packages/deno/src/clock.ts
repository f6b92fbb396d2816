import { createClock as createSharedClock } from "@keelson/node-compat";
import type { Clock } from "@keelson/core";
import { deno } from "./deno.ts";

/** The clock of the machine over Deno's own timers, which are numbers. */
export function createClock(): Clock {
  return createSharedClock({ unref: (timer) => deno().unrefTimer(Number(timer)) });
}
