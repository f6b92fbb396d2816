import { createPlatform, createWebWorkers, processFeatures, type LogOptions } from "@keelson/node-compat";
import type { Platform } from "@keelson/core";
import { requireOptions } from "@keelson/core/plain";
import { bun } from "./bun.ts";
import { createClock } from "./clock.ts";
import { createLog } from "./log.ts";
import { createProcesses } from "./processes.ts";

/** Options of {@link bunPlatform}. */
export interface PlatformOptions {
  readonly log?: LogOptions | undefined;
}

/** The adapter for Bun: every port there is, and in `supports` what the system allows. @throws KeelsonError `INVALID_OPTIONS` */
export function bunPlatform(options?: PlatformOptions): Platform {
  requireOptions("platform", options, { log: "object" });
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
