import { KeelsonError } from "@keelson/core";
import { invalidOptions, shown } from "@keelson/core/plain";
import { abiProfiles } from "../abi/profiles.ts";
import type { Metering, WasmModuleOptions } from "../module/options.ts";

/**
 * Where a guest runs. "inline": in the host's own thread, stopped by its meter; the cheapest. "worker": in a thread of its own, stopped by its meter
 * too, so that the host's thread is free meanwhile. "process": in a child process without permissions, killed when it does not stop: what breaks out of
 * the engine, or fills its memory, has broken into a process that holds nothing else.
 */
export type Isolation = "inline" | "worker" | "process";

/** What a generation has to know of its isolation. */
export interface IsolationSettings {
  readonly level: Isolation;
  /** Memory that the process of one instance may hold, bytes. */
  readonly processBytes: number;
  /** Whether the host asked for that limit. */
  readonly asksForProcessBytes: boolean;
}

/** What a runtime takes before it has a guest, generously, bytes. */
const RUNTIME_BYTES = 192 * 2 ** 20;

/** Checks that the options can be had at their level; throws `INVALID_OPTIONS`. */
export function settleIsolation(
  options: WasmModuleOptions,
  id: string,
  metering: Metering,
  maxMemoryBytes: number,
): IsolationSettings {
  const { isolation: level = "inline", limits = {} } = options;
  if (!["inline", "worker", "process"].includes(level)) {
    throw invalidOptions(`${id}: isolation is ${shown(level)}`, 'use "inline", "worker" or "process"');
  }
  // The memory itself, and a copy on its way out.
  const processBytes = limits.process ?? RUNTIME_BYTES + 3 * maxMemoryBytes;
  if (!(typeof processBytes === "number" && processBytes > 0)) {
    throw invalidOptions(
      `${id}: limits.process must be more than 0, not ${shown(processBytes)}`,
      "give bytes, or leave it out for its default",
    );
  }
  const settings = { level, processBytes, asksForProcessBytes: limits.process !== undefined };
  if (level === "inline") return settings;
  if (options.source instanceof WebAssembly.Module)
    refuse(
      id,
      level,
      "takes bytes: a module that was given compiled cannot be metered",
      "give its bytes as `source`",
    );
  if (options.interrupt !== undefined)
    refuse(
      id,
      level,
      "takes no `interrupt`: nothing of its guest runs in the host's own thread, which is free to abort calls",
      'abort the signals of the calls, or use isolation: "inline"',
    );
  if (options.scheduling === "sliced")
    refuse(
      id,
      level,
      'takes no scheduling "sliced": its guest shares its thread with nobody',
      "leave scheduling out",
    );
  if (typeof options.abi === "object" && !abiProfiles.includes(options.abi))
    refuse(id, level, "takes built-in ABI profiles only", 'name one, or use isolation: "inline"');
  if (level === "worker" && metering === "off")
    refuse(
      id,
      level,
      "needs metering: no runtime can be trusted to end a busy thread",
      'leave metering on, or use isolation: "process"',
    );
  return settings;
}

function refuse(id: string, level: Isolation, what: string, hint: string): never {
  throw new KeelsonError("INVALID_OPTIONS", `${id}: isolation "${level}" ${what}`, { hint });
}
