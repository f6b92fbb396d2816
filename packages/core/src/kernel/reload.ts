import { asKeelsonError, KeelsonError, plainMessage } from "../contract/errors.ts";
import type { ModuleDefinition } from "../contract/module.ts";
import type { Lifecycle } from "../lifecycle/lifecycle.ts";
import { stoppedEarly } from "../lifecycle/states.ts";
import type { PendingDeadline } from "../primitives/deadline.ts";
import type { Entry, EntryHost } from "./entry.ts";
import { summaryOf } from "./error-summary.ts";
import { ParkedCalls } from "./parked.ts";

/**
 * How long runs of hooks wait while neither version lives, ms. Less than a start may take: the start may wait for such a run itself, in a phase of the
 * host's that runs the hook.
 */
const GAP_MS = 5_000;

/** What a reload needs of the kernel. */
export interface ReloadHost extends EntryHost {
  readonly drainMs: number;
  readonly maxParked: number;
  /** Lets requests on the topics that a module answers wait, or runs of the hooks that it handles, until the handle is disposed. */
  hold(id: string, door: "bus" | "hooks"): Disposable;
  /** Told after the swap, with the definition that serves now. */
  onSwap(entry: Entry): void;
}

/**
 * Replaces what an entry runs. With overlap the candidate starts and shows its health beside the active version, and takes over in one
 * turn; without, calls park while the old version ends and the new one begins, and the old one begins again if the new one fails.
 * @throws KeelsonError `RELOAD_FAILED`: the old version serves on, unless `details.serving` is false
 */
export async function reload(entry: Entry, definition: ModuleDefinition, host: ReloadHost): Promise<void> {
  // Reloads of one module come one after the other, each from a state of rest. Looked at anew after each wait: others waited as well.
  for (let wait = obstacle(entry); wait !== undefined; wait = obstacle(entry)) await wait;
  if (entry.refusal !== undefined) throw entry.refusal;
  const candidate = entry.createLifecycle(definition);
  if (!isUp(entry)) {
    const old = entry.swap(candidate);
    if (old.state === "initialized") await old.stop();
    host.onSwap(entry);
    tellReloaded(entry, old, host);
    return;
  }
  const overlap = (definition.overlap ?? true) && (entry.definition.overlap ?? true);
  const reloading = { candidate, done: Promise.resolve(), stopped: false };
  entry.reloading = reloading;
  const run = overlap ? beside(entry, candidate, host) : inTurn(entry, candidate, host);
  reloading.done = run.then(
    () => entry.endReload(),
    () => entry.endReload(),
  );
  await run;
}

/** Whether it runs, or would if nothing had gone wrong: one that its supervisor is about to start again is up as well. */
function isUp(entry: Entry): boolean {
  return entry.state === "running" || entry.state === "failed" || entry.child.view?.state === "restarting";
}

/** What must be over before a reload can begin; a start may be queued behind a stop, and another reload behind this one. */
function obstacle({ reloading, active }: Entry): Promise<void> | undefined {
  if (reloading !== undefined) return reloading.done;
  const { state } = active;
  if (state === "starting") return active.start().catch(() => {});
  if (state === "initializing") return active.init().catch(() => {});
  return active.stopping?.catch(() => {});
}

async function beside(entry: Entry, candidate: Lifecycle, host: ReloadHost): Promise<void> {
  let old: Lifecycle;
  try {
    await bringUp(entry, candidate);
    old = takeOver(entry, candidate, host);
  } catch (error) {
    await giveUp(entry, candidate, host);
    throw failed(entry, candidate, error, entry.state === "running", host);
  }
  entry.drains.retire(old, host.drainMs);
}

async function inTurn(entry: Entry, candidate: Lifecycle, host: ReloadHost): Promise<void> {
  const old = entry.active;
  const wasRunning = old.state === "running";
  const parked = (entry.parked = new ParkedCalls(entry.id, host.maxParked, host.deadlines));
  // What comes while its calls drain is for the old version still: they may wait for that. Later it is for the new one.
  const held: { bus?: Disposable; hooks?: Disposable } = {};
  const hold = (door: "bus" | "hooks"): void => void (held[door] ??= host.hold(entry.id, door));
  let gap: PendingDeadline | undefined;
  try {
    await entry.drains.drain(old, host.drainMs, hold);
    hold("bus");
    hold("hooks");
    gap = host.deadlines.add(host.clock.now() + GAP_MS, () => held.hooks?.[Symbol.dispose]());
    // If the old one may still be alive, the new one must not begin: never two.
    await old.stop();
    if (entry.reloading?.stopped === true) throw stoppedEarly(entry.id);
    await bringUp(entry, candidate);
    takeOver(entry, candidate, host);
  } catch (error) {
    await giveUp(entry, candidate, host);
    let serving = false;
    if (wasRunning && entry.reloading?.stopped !== true) {
      serving = await old.start().then(
        () => true,
        (second: unknown) => (host.onFailure(entry.id, second as KeelsonError), false),
      );
    }
    throw failed(entry, candidate, error, serving, host);
  } finally {
    entry.parked = undefined;
    parked.release();
    if (gap !== undefined) host.deadlines.cancel(gap);
    held.hooks?.[Symbol.dispose]();
    held.bus?.[Symbol.dispose]();
  }
}

async function bringUp(entry: Entry, candidate: Lifecycle): Promise<void> {
  await candidate.start();
  const health = await entry.health(undefined, candidate);
  if (health.healthy) return;
  throw new KeelsonError(
    "UNHEALTHY",
    `The new version of "${entry.id}" is not healthy: ${health.message ?? "no reason given"}`,
    {
      details: { id: entry.id, version: candidate.definition.metadata.version },
    },
  );
}

/** Puts the candidate in place; refused if it has died since its health was seen. */
function takeOver(entry: Entry, candidate: Lifecycle, host: ReloadHost): Lifecycle {
  if (candidate.state !== "running") {
    throw (
      candidate.error ??
      new KeelsonError("MODULE_FAILED", `The new version of "${entry.id}" ended before it could serve`)
    );
  }
  const old = entry.swap(candidate);
  host.onSwap(entry);
  tellReloaded(entry, old, host);
  return old;
}

async function giveUp(entry: Entry, candidate: Lifecycle, host: ReloadHost): Promise<void> {
  await candidate.stop().catch((error: unknown) => host.onFailure(entry.id, error as KeelsonError));
}

function failed(
  entry: Entry,
  candidate: Lifecycle,
  thrown: unknown,
  serving: boolean,
  host: ReloadHost,
): KeelsonError {
  const cause = asKeelsonError(thrown, "MODULE_FAILED", `The new version of "${entry.id}" did not come up`);
  const { version } = candidate.definition.metadata;
  const details = { id: entry.id, version, serving, cause: cause.code };
  host.publish("module.reload_failed", { ...details, error: summaryOf(cause) });
  const then = serving
    ? `version ${entry.definition.metadata.version} serves on`
    : "the old version does not serve either";
  return new KeelsonError(
    "RELOAD_FAILED",
    `"${entry.id}" ${version} did not come up: ${plainMessage(cause)}\n  ${then}`,
    {
      hint: `see the cause, mend the new version and reload("${entry.id}", definition) again`,
      details,
      cause,
    },
  );
}

function tellReloaded(entry: Entry, old: Lifecycle, host: ReloadHost): void {
  host.publish("module.reloaded", {
    id: entry.id,
    from: old.definition.metadata.version,
    to: entry.definition.metadata.version,
    generation: entry.active.generation,
  });
}
