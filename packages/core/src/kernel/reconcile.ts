import { isKeelsonError, type KeelsonError } from "../contract/errors.ts";
import type { Kernel, ReconcileReport } from "../contract/kernel.ts";
import type { ModuleDefinition } from "../contract/module.ts";
import { checkDefinition } from "./definition.ts";
import { unknownModule } from "./dependencies.ts";

/**
 * Makes what runs the same as `desired`. Everything is checked before anything changes; what goes wrong afterwards does not keep the rest from
 * converging and is reported. What is no longer desired is stopped and stays registered, so that it can be desired again.
 * @throws KeelsonError `UNKNOWN_MODULE`, `INVALID_OPTIONS`
 */
export async function reconcile(
  kernel: Kernel,
  find: (id: string) => ModuleDefinition | undefined,
  desired: readonly (string | ModuleDefinition)[],
): Promise<ReconcileReport> {
  const wanted = new Map<string, ModuleDefinition | undefined>();
  for (const item of desired) {
    if (typeof item === "string") {
      if (find(item) === undefined) throw unknownModule(item);
      if (!wanted.has(item)) wanted.set(item, undefined);
    } else {
      checkDefinition(item);
      wanted.set(item.metadata.id, item);
    }
  }
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
  const needed = withDependencies(wanted, find);
  const surplus = kernel
    .list()
    .filter(({ metadata, state }) => !needed.has(metadata.id) && state !== "loaded" && state !== "stopped");
  // One after the other: stopping one also stops its dependents, which may be surplus themselves.
  for (const { metadata } of surplus)
    await attempt(metadata.id, report.removed, () => kernel.stop(metadata.id));
  const changed: string[] = [];
  for (const [id, definition] of wanted) {
    const before = find(id);
    if (definition !== undefined && before === undefined) {
      await attempt(id, [], () => kernel.register(definition));
    } else if (definition !== undefined && definition.metadata.version !== before?.metadata.version) {
      changed.push(id);
      const list = kernel.state(id) === "running" ? report.reloaded : [];
      await attempt(id, list, () => kernel.reload(id, definition));
    }
  }
  await Promise.all(
    [...wanted.keys()].map((id) => {
      const state = kernel.state(id);
      if (state === undefined) return undefined;
      if (state === "running") return changed.includes(id) ? undefined : void report.kept.push(id);
      if (report.errors.some((failure) => failure.id === id)) return undefined;
      return attempt(id, report.added, () => kernel.start(id));
    }),
  );
  return report;
}

/** What is wanted, and what it depends on: that is wanted too. */
function withDependencies(
  wanted: ReadonlyMap<string, ModuleDefinition | undefined>,
  find: (id: string) => ModuleDefinition | undefined,
): ReadonlySet<string> {
  const all = new Set<string>();
  const rest = [...wanted.keys()];
  for (let id = rest.pop(); id !== undefined; id = rest.pop()) {
    if (all.has(id)) continue;
    all.add(id);
    rest.push(...Object.keys((wanted.get(id) ?? find(id))?.depends ?? {}));
  }
  return all;
}
