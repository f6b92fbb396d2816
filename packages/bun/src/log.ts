import { createLog as createSharedLog, type LogOptions } from "@keelson/node-compat";
import type { Log } from "@keelson/core";
import process from "node:process";

/** The log on standard error; coloured on a terminal unless `NO_COLOR` is set. */
export function createLog(options?: LogOptions): Log {
  return createSharedLog(options, process.stderr.isTTY === true && !process.env["NO_COLOR"]);
}
