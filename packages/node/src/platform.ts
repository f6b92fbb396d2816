import { createPlatform, processFeatures, type LogOptions, type Missing } from "@keelson/node-compat";
import type { Platform } from "@keelson/core";
import { requireOptions } from "@keelson/core/plain";
import process from "node:process";
import { createClock } from "./clock.ts";
import { createLog } from "./log.ts";
import { createProcesses } from "./processes.ts";
import { createWorkers } from "./workers.ts";

/** Options of {@link nodePlatform}. */
export interface PlatformOptions {
  readonly log?: LogOptions | undefined;
}

/** The adapter for Node: every port there is, and in `supports` what this system and its permissions allow. @throws KeelsonError `INVALID_OPTIONS` */
export function nodePlatform(options?: PlatformOptions): Platform {
  requireOptions("platform", options, { log: "object" });
  return createPlatform({
    name: "node",
    version: process.versions.node,
    missing: permittedFeatures(),
    clock: createClock(),
    log: createLog(options?.log),
    processes: createProcesses,
    workers: createWorkers(),
  });
}

/** What Node's permission model and the operating system leave. */
function permittedFeatures(): Missing {
  const { permission } = process as { readonly permission?: { has(scope: string): boolean } };
  const denied = (scope: string): boolean => permission !== undefined && !permission.has(scope);
  const files =
    denied("fs.read") || denied("fs.write")
      ? "all files need --allow-fs-read=* and --allow-fs-write=*"
      : undefined;
  return {
    files,
    workers: denied("worker") ? "Node's permission model needs --allow-worker" : undefined,
    ...processFeatures({
      processes: denied("child") ? "Node's permission model needs --allow-child-process" : undefined,
      table: denied("fs.read") ? "finding processes needs --allow-fs-read=*" : undefined,
    }),
  };
}
