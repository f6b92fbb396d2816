import type { KernelBus } from "../bus/index.ts";
import { asKeelsonError, isKeelsonError, KeelsonError } from "../contract/errors.ts";
import type { ShutdownReport } from "../contract/kernel.ts";
import type { ModuleState } from "../contract/module.ts";
import type { ProcessInfo } from "../contract/platform.ts";
import { within, type TimeLimitHost } from "../lifecycle/time-limit.ts";
import type { Entry } from "./entry.ts";
import { stopAll } from "./stopping.ts";

/** What the kernel hands to its end. */
export interface ShutdownHost extends TimeLimitHost {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly bus: KernelBus;
  /** What went wrong where nobody waited. */
  readonly failures: readonly { readonly id: string; readonly error: KeelsonError }[];
  /** The error of every call from now on. */
  readonly refusal: KeelsonError;
  /** Runs before the bus closes: nothing may be published any more. */
  onOver(): void;
}

/** Stops all modules within `timeoutMs`, closes the bus, and tells what ended, what was left and what failed. Never rejects. */
export async function shutDown(host: ShutdownHost, timeoutMs: number): Promise<ShutdownReport> {
  const { entries, bus, deadlines } = host;
  bus.publish("kernel.stopping", {});
  const terminated: string[] = [];
  const errors: { id: string; error: KeelsonError }[] = [];
  const up = new Map<string, ModuleState>();
  for (const entry of entries.values()) entry.refuse(host.refusal);
  for (const { id, state } of entries.values())
    if (state !== "loaded" && state !== "stopped") up.set(id, state);
  const onStopped = (id: string): void => {
    const state = up.get(id);
    if (up.delete(id) && state !== "failed") terminated.push(id);
  };
  const ended = Promise.all(
    [...stopAll(entries, [...entries.keys()], onStopped)].map(async ([id, stop]) => {
      try {
        await stop;
        onStopped(id);
      } catch (error) {
        errors.push({
          id,
          error: asKeelsonError(error, "MODULE_FAILED", `Module "${id}" could not be stopped`),
        });
      }
    }),
  );
  const inTime = await within(host, ended, timeoutMs, () => host.refusal).then(
    () => true,
    () => false,
  );
  if (!inTime) {
    for (const id of up.keys()) {
      if (errors.some((failure) => failure.id === id)) continue;
      errors.push({
        id,
        error: new KeelsonError(
          "STOP_TIMEOUT",
          `Module "${id}" was not stopped within the shutdown's ${timeoutMs} ms`,
          { details: { id, timeoutMs } },
        ),
      });
    }
  }
  for (const failure of host.failures) if (!errors.includes(failure)) errors.push(failure);
  const orphans = orphansIn(errors.map(({ error }) => error));
  const survivors = orphans.map(({ pid, command }) => ({ pid, command }));
  bus.publish("kernel.stopped", { terminated, orphans: survivors, errors: errors.length });
  for (const entry of entries.values()) entry.close();
  deadlines.close();
  host.onOver();
  bus.close();
  return { terminated, orphans, errors };
}

/** The processes that errors name as surviving, each once. */
function orphansIn(errors: readonly KeelsonError[]): readonly ProcessInfo[] {
  const found = new Map<number, ProcessInfo>();
  for (const error of errors) {
    for (let at: unknown = error; isKeelsonError(at); at = at.cause) {
      const { orphans } = (at.details ?? {}) as { orphans?: readonly ProcessInfo[] };
      for (const orphan of at.code === "PROCESS_SURVIVED" ? (orphans ?? []) : [])
        found.set(orphan.pid, orphan);
    }
  }
  return [...found.values()];
}
