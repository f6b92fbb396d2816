import { KeelsonError } from "../contract/errors.ts";
import type { ModuleDefinition } from "../contract/module.ts";
import { satisfies } from "../manifest/index.ts";
import { shown } from "../primitives/invalid-options.ts";
import { suggest } from "../primitives/suggest.ts";

type Find = (id: string) => ModuleDefinition | undefined;

/**
 * The modules `ids` and all they depend on, each behind what it depends on.
 * @param registered for a hint, where ids come from a host
 * @throws KeelsonError `UNKNOWN_MODULE`, `DEPENDENCY_MISSING` (absent, or not in the wanted version), `DEPENDENCY_CYCLE`
 */
export function startOrder(
  ids: readonly string[],
  find: Find,
  registered: ReadonlyMap<string, unknown> = new Map(),
): readonly ModuleDefinition[] {
  const order: ModuleDefinition[] = [];
  const state = new Map<string, "open" | "done">();
  // Iterative, since a chain of dependencies may be longer than the stack is deep.
  const path: { definition: ModuleDefinition; rest: string[] }[] = [];
  const open = (id: string, wantedBy: ModuleDefinition | undefined): void => {
    const definition = find(id);
    if (definition === undefined)
      throw wantedBy === undefined ? unknownModule(id, registered) : missing(wantedBy, id);
    if (wantedBy !== undefined) checkVersion(wantedBy, definition);
    if (state.get(id) === "done") return;
    if (state.get(id) === "open") {
      const ids = path.map((step) => step.definition.metadata.id);
      throw cycle([...ids.slice(ids.indexOf(id)), id]);
    }
    state.set(id, "open");
    path.push({ definition, rest: definition.depends === undefined ? [] : Object.keys(definition.depends) });
  };
  for (const id of ids) {
    open(id, undefined);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const next = top.rest.shift();
      if (next !== undefined) {
        open(next, top.definition);
        continue;
      }
      path.pop();
      state.set(top.definition.metadata.id, "done");
      order.push(top.definition);
    }
  }
  return order;
}

/** For each module, those that depend on it directly. */
export function dependents(definitions: Iterable<ModuleDefinition>): ReadonlyMap<string, readonly string[]> {
  const map = new Map<string, string[]>();
  for (const { metadata, depends } of definitions) {
    if (depends === undefined) continue;
    for (const id of Object.keys(depends)) {
      const list = map.get(id);
      if (list === undefined) map.set(id, [metadata.id]);
      else list.push(metadata.id);
    }
  }
  return map;
}

/** From so many modules on nobody looks for the one that was meant: a child may ask for unknown ones as often as it likes. */
const MANY_MODULES = 100;

/** The error for an id that nobody registered, beside what is registered. */
export function unknownModule(id: string, registered: ReadonlyMap<string, unknown>): KeelsonError {
  const near = registered.size < MANY_MODULES ? suggest(id, registered.keys()) : undefined;
  return new KeelsonError("UNKNOWN_MODULE", `No module ${shown(id)} is registered`, {
    hint: near === undefined ? "register() it first; list() names those that are" : `did you mean "${near}"?`,
    details: { id },
  });
}

function missing(wantedBy: ModuleDefinition, id: string): KeelsonError {
  const by = wantedBy.metadata.id;
  return new KeelsonError(
    "DEPENDENCY_MISSING",
    `Module "${by}" depends on "${id}", which is not registered`,
    {
      hint: `register "${id}" before starting "${by}"`,
      details: { id: by, missing: id },
    },
  );
}

function checkVersion(wantedBy: ModuleDefinition, definition: ModuleDefinition): void {
  const { id, version } = definition.metadata;
  const range = wantedBy.depends?.[id] ?? "*";
  // Registered versions are known to be valid.
  if (range === "*" || satisfies(version, range)) return;
  const by = wantedBy.metadata.id;
  throw new KeelsonError(
    "DEPENDENCY_MISSING",
    `Module "${by}" depends on "${id}" ${range}, but ${version} is registered`,
    {
      hint: `register a version of "${id}" that fits ${range}`,
      details: { id: by, missing: id, range, version },
    },
  );
}

function cycle(path: readonly string[]): KeelsonError {
  return new KeelsonError(
    "DEPENDENCY_CYCLE",
    `Modules depend on each other in a circle: ${path.join(" → ")}`,
    {
      hint: "remove one of these dependencies",
      details: { cycle: path },
    },
  );
}
