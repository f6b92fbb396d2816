import type { Clock, Log, Platform, Processes, Random, Workers } from "@keelson/core";
import process from "node:process";
import { createFiles } from "./files.ts";
import { createRandom } from "./random.ts";
import { requireParts } from "./parts.ts";
import { engineFeatures, supportsOf, type Missing } from "./supports.ts";

/** What an adapter brings to its platform; files and randomness are the same on all. */
export interface PlatformParts {
  readonly name: string;
  readonly version: string;
  /** What the system and its permissions lack; what the engine lacks is tried out. */
  readonly missing: Missing;
  readonly clock: Clock;
  readonly log: Log;
  readonly processes: (clock: Clock, random: Random) => Processes;
  readonly workers: Workers;
}

/** Puts a platform together: every port there is, and in `supports` what can be used of them. @throws KeelsonError `INVALID_OPTIONS` for a part that is missing */
export function createPlatform(parts: PlatformParts): Platform {
  requireParts("A platform", parts, {
    processes: "function",
    clock: "object",
    log: "object",
    workers: "object",
  });
  const { name, version, missing, clock, log, workers } = parts;
  const random = createRandom();
  return Object.freeze({
    name,
    version,
    ...supportsOf({ ...engineFeatures(), ...missing }),
    clock,
    random,
    log,
    files: createFiles(),
    processes: parts.processes(clock, random),
    workers,
  });
}

/** What permissions withhold, each with its reason. */
export interface Denied {
  readonly processes?: string | undefined;
  /** Reading the system's table of processes. */
  readonly table?: string | undefined;
}

/** What the operating system leaves of processes, where `node:process` tells which it is. */
export function processFeatures(denied?: Denied): Missing {
  const { processes, table } = denied ?? {};
  const windows = "Windows has no process groups; only the child itself is ended";
  const hidden =
    process.platform === "linux"
      ? undefined
      : `${process.platform} does not show the environments, pipes and memory of processes`;
  return {
    processes,
    fork: processes,
    processMemory: processes ?? table ?? hidden,
    processTree: processes ?? table ?? (process.platform === "win32" ? windows : undefined),
    strayScan: processes ?? table ?? hidden,
  };
}
