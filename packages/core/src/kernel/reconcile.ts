import { isKeelsonError, KeelsonError } from "../contract/errors.ts";
import type { Kernel, ReconcileReport } from "../contract/kernel.ts";
import type { ModuleDefinition } from "../contract/module.ts";
import { satisfies } from "../manifest/index.ts";
import { invalidOptions, shown } from "../primitives/invalid-options.ts";
import { checkDefinition } from "./definition.ts";
import { startOrder } from "./dependencies.ts";

/**
 * Makes what runs the same as `desired`. All is checked before anything changes; what goes wrong afterwards does not keep the rest from
 * converging and is reported. What is no longer desired is stopped and stays registered, so that it can be desired again.
 * @throws KeelsonError `UNKNOWN_MODULE`, `INVALID_OPTIONS`, `DUPLICATE_MODULE`, `DEPENDENCY_MISSING`, `DEPENDENCY_CYCLE`
 */
export async function reconcile(
  kernel: Kernel,
  entries: ReadonlyMap<string, { readonly definition: ModuleDefinition }>,
  desired: readonly (string | ModuleDefinition)[],
): Promise<ReconcileReport> {
  const find = (id: string): ModuleDefinition | undefined => entries.get(id)?.definition;
  const wanted = wantedOf(desired);
  const next = (id: string): ModuleDefinition | undefined => {
    const before = find(id);
    const definition = wanted.get(id);
    const same = definition === undefined || definition.metadata.version === before?.metadata.version;
    return same ? before : definition;
  };
  const order = startOrder([...wanted.keys()], next, entries);
  const needed = new Set(order.map(({ metadata }) => metadata.id));
  const changed = new Map(
    order
      .map((definition) => [definition.metadata.id, definition] as const)
      .filter(([id, definition]) => find(id) !== definition),
  );
  const report = {
    added: [] as string[],
    removed: [] as string[],
    kept: [] as string[],
    reloaded: [] as string[],
    errors: [] as { id: string; error: KeelsonError }[],
  };
  const attempt = async (id: string, list: string[], work: () => Promise<void>): Promise<void> => {
    try {
      await work();
      list.push(id);
    } catch (error) {
      if (!isKeelsonError(error)) throw error;
      report.errors.push({ id, error });
    }
  };
  const present = kernel.list();
  const ran = new Set(present.filter(({ state }) => state === "running").map(({ metadata }) => metadata.id));
  // One after the other: stopping one also stops its dependents, which may be surplus themselves.
  for (const { metadata, state } of present) {
    const { id } = metadata;
    if (!needed.has(id) && state !== "loaded" && state !== "stopped")
      await attempt(id, report.removed, () => kernel.stop(id));
  }
  // What others depend on comes first.
  for (const [id, definition] of changed) {
    await attempt(id, [], async () => {
      if (find(id) === undefined) return kernel.register(definition);
      // An earlier change may have failed.
      startOrder([id], (other) => (other === id ? definition : find(other)));
      // Those that cannot work with it are to be changed themselves: the desired versions fit each other.
      for (const other of ran) {
        const range = find(other)?.depends?.[id];
        if (range !== undefined && !satisfies(definition.metadata.version, range)) await kernel.stop(other);
      }
      await kernel.reload(id, definition);
    });
  }
  await Promise.all(
    [...wanted.keys()].map((id) => {
      const state = kernel.state(id);
      const failed = report.errors.some((failure) => failure.id === id);
      const list = !ran.has(id) ? report.added : changed.has(id) ? report.reloaded : report.kept;
      if (state === "running") return failed ? undefined : void list.push(id);
      // What ran goes on as it was if it could not be changed.
      if (state === undefined || (failed && !ran.has(id))) return undefined;
      return attempt(id, failed ? [] : list, () => kernel.start(id));
    }),
  );
  return report;
}

/** The desired ids, with the definitions that some of them come as. */
function wantedOf(
  desired: readonly (string | ModuleDefinition)[],
): ReadonlyMap<string, ModuleDefinition | undefined> {
  if (!Array.isArray(desired))
    throw invalidOptions(`What is desired is ${shown(desired)}`, "give an array of ids and definitions");
  const wanted = new Map<string, ModuleDefinition | undefined>();
  for (const item of desired) {
    if (typeof item === "string") {
      wanted.set(item, wanted.get(item));
      continue;
    }
    checkDefinition(item);
    const { id } = item.metadata;
    if ((wanted.get(id) ?? item) !== item) {
      throw new KeelsonError("DUPLICATE_MODULE", `Module "${id}" is desired in two definitions`, {
        hint: "give each module once",
        details: { id },
      });
    }
    wanted.set(id, item);
  }
  return wanted;
}
