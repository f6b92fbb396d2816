import { invalidOptions, isObject } from "../primitives/invalid-options.ts";
import type { CapabilityDiff, CapabilityRequest } from "../contract/manifest.ts";

/**
 * What a new version wants more, less and still. Scopes of one capability are told apart one by one; a capability without a scope
 * and the same one with a scope are two different wishes. Each list is sorted by name.
 * @throws KeelsonError `INVALID_OPTIONS` for what are no lists of capabilities
 */
export function diffCapabilities(
  before: readonly CapabilityRequest[],
  after: readonly CapabilityRequest[],
): CapabilityDiff {
  const old = spread(before);
  const fresh = spread(after);
  return {
    kept: gather(fresh.filter((wish) => has(old, wish))),
    added: gather(fresh.filter((wish) => !has(old, wish))),
    removed: gather(old.filter((wish) => !has(fresh, wish))),
  };
}

/**
 * The lines of a diff for people: `= http.fetch`, `+ media.write: /uploads`, `- db.read`; kept, added, removed.
 * @throws KeelsonError `INVALID_OPTIONS` for what is no diff
 */
export function formatCapabilityDiff(diff: CapabilityDiff): readonly string[] {
  const { kept, added, removed } = diff ?? {};
  const lines = (sign: string, wishes: readonly CapabilityRequest[]): string[] =>
    requests(wishes).map(
      ({ name, scope }) => `${sign} ${name}${scope.length === 0 ? "" : `: ${scope.join(", ")}`}`,
    );
  return [...lines("=", kept), ...lines("+", added), ...lines("-", removed)];
}

/** One capability with one scope, or with none. */
interface Wish {
  readonly name: string;
  readonly scope: string | undefined;
}

/** `list`, which a caller without types may have got wrong. */
function requests(list: readonly CapabilityRequest[]): readonly CapabilityRequest[] {
  const fits = (one: CapabilityRequest): boolean =>
    isObject(one) && typeof one.name === "string" && Array.isArray(one.scope);
  if (Array.isArray(list) && list.every(fits)) return list;
  throw invalidOptions("What was given are no capabilities", "give those of a manifest");
}

function spread(list: readonly CapabilityRequest[]): readonly Wish[] {
  return requests(list).flatMap(({ name, scope }): Wish[] =>
    scope.length === 0 ? [{ name, scope: undefined }] : scope.map((one) => ({ name, scope: one })),
  );
}

function has(wishes: readonly Wish[], { name, scope }: Wish): boolean {
  return wishes.some((wish) => wish.name === name && wish.scope === scope);
}

function gather(wishes: readonly Wish[]): readonly CapabilityRequest[] {
  const bare = new Set<string>();
  const scoped = new Map<string, Set<string>>();
  for (const { name, scope } of wishes) {
    if (scope === undefined) bare.add(name);
    else scoped.set(name, (scoped.get(name) ?? new Set()).add(scope));
  }
  const all: CapabilityRequest[] = [
    ...[...bare].map((name) => ({ name, scope: [] })),
    ...[...scoped].map(([name, scope]) => ({ name, scope: [...scope].toSorted() })),
  ];
  // Of two with one name the one without a scope stays first.
  return all.toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}
