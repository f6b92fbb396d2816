import { isKeelsonError, KeelsonError, plainMessage } from "../contract/errors.ts";
import type { ModuleDefinition } from "../contract/module.ts";
import { dependents } from "./dependencies.ts";
import type { Entry } from "./entry.ts";

/**
 * Stops modules, each after those that depend on it; one that fails to stop does not keep the others running. Answers the stops that take
 * time; `onStopped` hears of the others.
 */
export function stopAll(
  entries: ReadonlyMap<string, Entry>,
  ids: readonly string[],
  onStopped?: (id: string) => void,
): ReadonlyMap<string, Promise<void>> {
  const dependentsOf = dependents(definitionsOf(entries));
  const stops = new Map<string, Promise<void>>();
  const stopOne = (id: string, waitFor: readonly Promise<void>[]): void => {
    const entry = entries.get(id) as Entry;
    // What never ran and what has ended needs no stop, and nobody has to wait for it.
    if (waitFor.length === 0 && entry.atRest) return;
    const stop =
      waitFor.length === 0
        ? stopEntry(entry)
        : entry.stopLater(Promise.allSettled(waitFor).then(() => stopEntry(entry)));
    if (waitFor.length === 0 && entry.atRest) {
      onStopped?.(id);
      return;
    }
    stop.catch(() => {});
    stops.set(id, stop);
  };
  // Without dependencies there is no order to find: most of the time of stopping thousands.
  if (dependentsOf.size === 0) {
    for (let at = ids.length - 1; at >= 0; at--) stopOne(ids[at] as string, []);
    return stops;
  }
  const rest = ids.map((id) => ({ id, expanded: false }));
  // Post-order without recursion: dependents are on the map before what they depend on. What was opened before is not opened again:
  // modules that depend on each other in a circle can be registered, and never started.
  const opened = new Set<string>();
  for (let step = rest.pop(); step !== undefined; step = rest.pop()) {
    const { id, expanded } = step;
    if (stops.has(id) || (!expanded && opened.has(id))) continue;
    opened.add(id);
    const before = (dependentsOf.get(id) ?? []).filter((other) => entries.has(other));
    if (!expanded && before.length > 0) {
      rest.push({ id, expanded: true }, ...before.map((other) => ({ id: other, expanded: false })));
      continue;
    }
    stopOne(
      id,
      before.map((other) => stops.get(other)).filter((stop) => stop !== undefined),
    );
  }
  return stops;
}

/** What the entries are made from now. */
export function* definitionsOf(entries: ReadonlyMap<string, Entry>): Generator<ModuleDefinition> {
  for (const { definition } of entries.values()) yield definition;
}

/** Stops an entry, replaced versions with it, and gives up a reload that is under way. */
function stopEntry(entry: Entry): Promise<void> {
  entry.drains.end();
  return entry.reloading === undefined ? entry.stop() : stopReloading(entry, entry.reloading);
}

async function stopReloading(entry: Entry, reloading: NonNullable<Entry["reloading"]>): Promise<void> {
  reloading.stopped = true;
  await reloading.candidate.stop().catch(() => {});
  await reloading.done;
  // From the beginning: another reload may have waited for this one, and one that was over already has left calls that drain.
  await stopEntry(entry);
}

/** Waits for all, then throws the first failure; the others stand in its details. */
export async function allOf(work: ReadonlyMap<string, Promise<void>>): Promise<void> {
  const failures: { id: string; error: unknown }[] = [];
  for (const [id, promise] of work)
    await promise.catch((error: unknown) => void failures.push({ id, error }));
  const [first] = failures;
  if (first === undefined) return;
  if (failures.length === 1 || !isKeelsonError(first.error)) throw first.error;
  const { code, details, hint } = first.error;
  const failed = failures.map(({ id, error }) => ({
    id,
    code: isKeelsonError(error) ? error.code : "INTERNAL",
  }));
  throw new KeelsonError(
    code,
    `${plainMessage(first.error)}\n  and ${failures.length - 1} more: ${failed
      .slice(1)
      .map(({ id }) => id)
      .join(", ")}`,
    {
      hint,
      details: { ...details, failed },
      cause: first.error,
    },
  );
}
