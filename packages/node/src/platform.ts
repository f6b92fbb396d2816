import { createRandom, engineFeatures, supportsOf, type LogOptions } from "@keelson/node-compat";
import type { Platform } from "@keelson/core";
import process from "node:process";
import { createClock } from "./clock.ts";
import { createFiles } from "./files.ts";
import { createLog } from "./log.ts";
import { createProcesses } from "./processes.ts";
import { createWorkers } from "./workers.ts";

/** Options of {@link nodePlatform}. */
export interface PlatformOptions {
  readonly log?: LogOptions;
}

/** The adapter for Node: every port there is, and in `supports` what this system and its permissions allow. */
export function nodePlatform(options: PlatformOptions = {}): Platform {
  const clock = createClock();
  const random = createRandom();
  return Object.freeze({
    name: "node",
    version: process.versions.node,
    ...supportsOf({ ...engineFeatures(), ...systemFeatures() }),
    clock,
    random,
    log: createLog(options.log),
    files: createFiles(),
    processes: createProcesses(clock, random),
    workers: createWorkers(),
  });
}

/** What Node's permission model and the operating system leave. */
function systemFeatures(): Readonly<Record<string, string | undefined>> {
  const { permission } = process as { readonly permission?: { has(scope: string): boolean } };
  const denied = (scope: string): boolean => permission !== undefined && !permission.has(scope);
  const processes = denied("child") ? "Node's permission model needs --allow-child-process" : undefined;
  const unread = denied("fs.read") ? "finding processes needs --allow-fs-read=*" : undefined;
  const files =
    denied("fs.read") || denied("fs.write")
      ? "all files need --allow-fs-read=* and --allow-fs-write=*"
      : undefined;
  const windows = "Windows has no process groups; only the child itself is ended";
  const hidden = `${process.platform} does not show the environments, pipes and memory of processes`;
  return {
    files,
    processes,
    workers: denied("worker") ? "Node's permission model needs --allow-worker" : undefined,
    fork: processes,
    processMemory: processes ?? unread ?? (process.platform === "linux" ? undefined : hidden),
    processTree: processes ?? unread ?? (process.platform === "win32" ? windows : undefined),
    strayScan: processes ?? unread ?? (process.platform === "linux" ? undefined : hidden),
  };
}
