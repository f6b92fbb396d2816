import { createPlatform, createWebWorkers, processFeatures, type LogOptions } from "@keelson/node-compat";
import type { Platform } from "@keelson/core";
import { bun } from "./bun.ts";
import { createClock } from "./clock.ts";
import { createLog } from "./log.ts";
import { createProcesses } from "./processes.ts";

/** Options of {@link bunPlatform}. */
export interface PlatformOptions {
  readonly log?: LogOptions;
}

/** The adapter for Bun: every port there is, and in `supports` what the system allows. */
export function bunPlatform(options: PlatformOptions = {}): Platform {
  return createPlatform({
    name: "bun",
    version: bun().version,
    missing: { files: undefined, ...processFeatures() },
    clock: createClock(),
    log: createLog(options?.log),
    processes: createProcesses,
    workers: createWebWorkers(true),
  });
}
