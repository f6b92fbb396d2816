import { createLog as createSharedLog, type LogOptions } from "@keelson/node-compat";
import type { Log } from "@keelson/core";
import { deno } from "./deno.ts";

/** The log on standard error; coloured on a terminal unless `NO_COLOR` is set, which Deno tells without a permission. */
export function createLog(options?: LogOptions): Log {
  const { noColor, stderr } = deno();
  return createSharedLog(options, !noColor && stderr.isTerminal());
}
