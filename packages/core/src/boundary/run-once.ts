import { KeelsonError } from "../contract/errors.ts";
import type { EventEnvelope } from "../contract/message.ts";
import type { Platform } from "../contract/platform.ts";
import { Child } from "./child.ts";
import { endChild, survivedError } from "./ending.ts";
import {
  type ChildProcessOptions,
  checkChildOptions,
  childOptions,
  DEFAULT_LINE_BYTES,
  type Environment,
  processOptions,
} from "./options.ts";
import { spawnChild } from "./spawn.ts";
import { given } from "../primitives/given.ts";
import {
  invalidOptions,
  isSignal,
  requireOptions,
  requirePorts,
  shown,
} from "../primitives/invalid-options.ts";

/** Options of {@link runOnce}. */
export interface RunOnceOptions extends ChildProcessOptions {
  /** Time for the first event, ms. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Gives the run up; the promise rejects with `ABORTED`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Starts a child, takes its first event and ends it with all that it started: MobKit's one-shot run. Throws what the start of a process
 * module throws, and `PROCESS_SURVIVED` with `details.orphans` when something lives on.
 */
export async function runOnce(platform: Platform, options: RunOnceOptions): Promise<EventEnvelope> {
  requirePorts("runOnce", platform, "clock", "random", "log");
  checkChildOptions(options);
  const { command, timeoutMs = 10_000, maxLineBytes = DEFAULT_LINE_BYTES, signal } = options;
  requireOptions("runOnce", options, { ...childOptions, timeoutMs: 1, signal: true });
  if (!isSignal(signal)) throw invalidOptions(`signal is ${shown(signal)}`, "give an AbortSignal, or none");
  const process = await spawnChild(platform, options, { id: command, generation: 1, signal });
  let child: Child;
  try {
    child = new Child(process, { name: command, clock: platform.clock, log: platform.log, maxLineBytes });
  } catch (error) {
    await process.terminate({ graceMs: 0 });
    throw error;
  }
  let event: EventEnvelope;
  try {
    event = await child.firstEvent(timeoutMs, signal);
  } catch (error) {
    const orphans = await endChild(child, options);
    if (orphans.length > 0) platform.log.write("error", survivedError(command, orphans).message, { orphans });
    throw error;
  }
  const orphans = await endChild(child, options);
  if (orphans.length > 0) throw survivedError(command, orphans);
  return event;
}

/** Process modules known by id, and which of them are to run. */
export interface DiscoveryConfig {
  readonly modules: readonly (ChildProcessOptions & { readonly id: string })[];
  readonly discovery: { readonly modules: readonly string[] };
  /** Variables added to a module's environment at each start. */
  readonly preSpawn?: readonly { readonly moduleId: string; readonly env: Environment }[];
}

/** {@link runOnce} for a configured module. Throws `MODULE_NOT_CONFIGURED` or `MODULE_NOT_DISCOVERED` before anything is started. */
export function runDiscoveredOnce(
  platform: Platform,
  config: DiscoveryConfig,
  id: string,
  options: Pick<RunOnceOptions, "timeoutMs" | "signal"> = {},
): Promise<EventEnvelope> {
  return Promise.try(() => {
    const { modules, discovery, preSpawn = [] } = config ?? {};
    if (![modules, discovery?.modules, preSpawn].every(Array.isArray)) {
      throw invalidOptions(
        "The configuration of one-shot runs has no lists",
        "give { modules: [{ id, command }], discovery: { modules: [id] } }",
      );
    }
    const module = modules.find((candidate) => candidate?.id === id);
    if (module === undefined) {
      throw new KeelsonError("MODULE_NOT_CONFIGURED", `No module "${id}" is configured`, {
        hint: `configured are: ${modules.map((known) => known?.id).join(", ") || "none"}`,
        details: { id },
      });
    }
    if (!discovery.modules.includes(id)) {
      throw new KeelsonError("MODULE_NOT_DISCOVERED", `The module "${id}" is configured, but not to be run`, {
        hint: "add its id to discovery.modules",
        details: { id },
      });
    }
    const extra = preSpawn.find((one) => one?.moduleId === id)?.env;
    requireOptions(`module "${id}"`, module, processOptions);
    // The same list may be one of modules that stay: what only those need is no option here.
    const own = Object.entries(module).filter(([name]) => name in childOptions);
    const child = Object.fromEntries(own) as unknown as ChildProcessOptions;
    return runOnce(platform, { ...child, ...given({ preSpawn: extra }), ...options });
  });
}
