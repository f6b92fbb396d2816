import { KeelsonError } from "../contract/errors.ts";
import { startOrder } from "./dependencies.ts";
import type { Entry } from "./entry.ts";

/**
 * Starts modules and all they depend on, each once what it depends on is up; a failure keeps only those back that depend on it. Answers the starts
 * that take time.
 *
 * @param checkOpen throws where nothing may be started any more; asked again after each wait
 */
export function startAll(
  entries: ReadonlyMap<string, Entry>,
  ids: readonly string[],
  checkOpen: () => void,
): ReadonlyMap<string, Promise<void>> {
  checkOpen();
  const starts = new Map<string, Promise<void>>();
  for (const { metadata, depends } of startOrder(ids, (id) => entries.get(id)?.definition, entries)) {
    const entry = entries.get(metadata.id) as Entry;
    // What is up already need not be waited for, nor for what it depends on.
    if (entry.staysUp) continue;
    const before = depends === undefined ? [] : Object.keys(depends).filter((id) => starts.has(id));
    const start = before.length === 0 ? entry.start() : startAfter(entry, before, starts, checkOpen);
    if (before.length === 0 && entry.staysUp) continue;
    start.catch(() => {});
    starts.set(metadata.id, start);
  }
  return starts;
}

async function startAfter(
  entry: Entry,
  before: readonly string[],
  starts: ReadonlyMap<string, Promise<void>>,
  checkOpen: () => void,
): Promise<void> {
  for (const id of before) {
    try {
      await starts.get(id);
    } catch (cause) {
      throw new KeelsonError(
        "DEPENDENCY_FAILED",
        `Module "${entry.id}" was not started: "${id}", which it depends on, failed`,
        {
          hint: `see the cause; start("${entry.id}") tries both again`,
          details: { id: entry.id, failed: id },
          cause,
        },
      );
    }
  }
  checkOpen();
  await entry.start();
}
