import {
  createRandom,
  createWebWorkers,
  engineFeatures,
  supportsOf,
  type LogOptions,
} from "@keelson/node-compat";
import type { Platform } from "@keelson/core";
import process from "node:process";
import { bun } from "./bun.ts";
import { createClock } from "./clock.ts";
import { createFiles } from "./files.ts";
import { createLog } from "./log.ts";
import { createProcesses } from "./processes.ts";

/** Options of {@link bunPlatform}. */
export interface PlatformOptions {
  readonly log?: LogOptions;
}

/** The adapter for Bun: every port there is, and in `supports` what the system allows. */
export function bunPlatform(options: PlatformOptions = {}): Platform {
  const clock = createClock();
  const random = createRandom();
  return Object.freeze({
    name: "bun",
    version: bun().version,
    ...supportsOf({ ...engineFeatures(), ...systemFeatures() }),
    clock,
    random,
    log: createLog(options.log),
    files: createFiles(),
    processes: createProcesses(clock, random),
    workers: createWebWorkers(),
  });
}

function systemFeatures(): Readonly<Record<string, string | undefined>> {
  const windows = "Windows has no process groups; only the child itself is ended";
  const hidden = `${process.platform} does not show the environments, pipes and memory of processes`;
  return {
    files: undefined,
    processes: undefined,
    fork: undefined,
    processMemory: process.platform === "linux" ? undefined : hidden,
    processTree: process.platform === "win32" ? windows : undefined,
    strayScan: process.platform === "linux" ? undefined : hidden,
  };
}
