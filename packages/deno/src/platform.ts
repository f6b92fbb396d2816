import { createPlatform, createWebWorkers, type LogOptions, type Missing } from "@keelson/node-compat";
import type { Platform } from "@keelson/core";
import { requireOptions } from "@keelson/core/plain";
import { createClock } from "./clock.ts";
import { deno } from "./deno.ts";
import { createLog } from "./log.ts";
import { isGranted } from "./permissions.ts";
import { canReadProc, canRunPs, createProcesses } from "./processes.ts";

/** Options of {@link denoPlatform}. */
export interface PlatformOptions {
  readonly log?: LogOptions | undefined;
}

/** The adapter for Deno: every port there is, and in `supports` what the permissions granted at its making allow. @throws KeelsonError `INVALID_OPTIONS` */
export function denoPlatform(options?: PlatformOptions): Platform {
  requireOptions("platform", options, { log: "object" });
  return createPlatform({
    name: "deno",
    version: deno().version.deno,
    missing: grantedFeatures(),
    clock: createClock(),
    log: createLog(options?.log),
    processes: createProcesses,
    workers: createWebWorkers(false),
  });
}

function grantedFeatures(): Missing {
  const { os } = deno().build;
  const missing = (["read", "write"] as const)
    .filter((name) => !isGranted({ name }))
    .map((name) => `--allow-${name}`);
  const files =
    missing.length === 0
      ? undefined
      : `all files need ${missing.join(" and ")}; paths granted one by one work`;
  const unread = ["PATH", "HOME"].filter((variable) => !isGranted({ name: "env", variable }));
  const inherited =
    unread.length === 0
      ? undefined
      : `children inherit PATH and HOME, which needs --allow-env=${unread.join(",")}; those that are given their own work`;
  const processes = isGranted({ name: "run" })
    ? inherited
    : "starting any command needs --allow-run; commands granted one by one, as in --allow-run=cat, work but cannot be signalled as a group";
  const windows = "Windows has no process groups; only the child itself is ended";
  const hidden = `${os} does not show the environments, pipes and memory of processes`;
  const unseen = "finding descendants needs --allow-all for /proc, or the program ps";
  const proc = canReadProc() ? undefined : "reading /proc needs --allow-all";
  const fork = isGranted({ name: "run", command: deno().execPath() })
    ? inherited
    : `starting Deno itself needs --allow-run=${deno().execPath()}`;
  return {
    files,
    processes,
    workers: isGranted({ name: "read" }) ? undefined : "loading a program in a thread needs --allow-read",
    fork,
    processMemory: fork ?? (os === "linux" ? proc : hidden),
    processTree: processes ?? (os === "windows" ? windows : proc && (canRunPs() ? undefined : unseen)),
    strayScan: processes ?? (os === "linux" ? proc : hidden),
  };
}
