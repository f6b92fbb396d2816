import { formatOwner, parseMark } from "./mark.ts";
import type { ProcessEntry } from "./table.ts";

/** What a snapshot asks about its processes: each once at most. */
export interface Lookups {
  /** The owner's mark in the entry's environment, or "". */
  mark(entry: ProcessEntry): string;
  /** What the entry's standard streams are bound to. */
  pipes(entry: ProcessEntry): readonly string[];
}

/** The processes of the machine at one moment, found by what ties them to others. Made once for all trees that are ended together. */
export class Snapshot {
  readonly entries: ReadonlyMap<number, ProcessEntry>;
  readonly #lookups: Lookups;
  #ties: Ties | undefined;

  constructor(entries: ReadonlyMap<number, ProcessEntry>, lookups: Lookups) {
    this.entries = entries;
    this.#lookups = lookups;
  }

  /** Children of a process. */
  children(pid: number): readonly ProcessEntry[] {
    return this.#all().children.get(pid) ?? [];
  }

  /** Who is in the group or the session with this number. */
  circle(id: number): readonly ProcessEntry[] {
    return this.#all().circles.get(id) ?? [];
  }

  /** Who carries this entry of a mark. */
  owned(owner: string): readonly ProcessEntry[] {
    return this.#all().owners.get(owner) ?? [];
  }

  /** Who was started by the host with this identity, or by one below it. */
  startedBy(host: string): readonly ProcessEntry[] {
    return this.#all().hosts.get(host) ?? [];
  }

  /** Whose standard streams are bound to this pipe. */
  holding(pipe: string): readonly ProcessEntry[] {
    return this.#all().pipes.get(pipe) ?? [];
  }

  /** Whether anything at all is tied to this pid, as parent, group or session, or to one of these owners, hosts and pipes. */
  touches(pid: number, names: readonly string[]): boolean {
    const ties = this.#all();
    if (ties.numbers.has(pid)) return true;
    for (const name of names) if (ties.names.has(name)) return true;
    return false;
  }

  #all(): Ties {
    if (this.#ties !== undefined) return this.#ties;
    const ties: Ties = {
      children: new Map(),
      circles: new Map(),
      owners: new Map(),
      hosts: new Map(),
      pipes: new Map(),
      numbers: new Set(),
      names: new Set(),
    };
    for (const entry of this.entries.values()) {
      ties.numbers.add(entry.parent).add(entry.group).add(entry.session);
      append(ties.children, entry.parent, entry);
      append(ties.circles, entry.group, entry);
      if (entry.session !== entry.group) append(ties.circles, entry.session, entry);
      const owners = parseMark(this.#lookups.mark(entry));
      for (const owner of owners) {
        append(ties.owners, formatOwner(owner), entry);
        append(ties.hosts, identityOf(owner), entry);
      }
      for (const pipe of this.#lookups.pipes(entry)) append(ties.pipes, pipe, entry);
    }
    for (const map of [ties.owners, ties.hosts, ties.pipes])
      for (const name of map.keys()) ties.names.add(name);
    this.#ties = ties;
    return ties;
  }
}

/** Names a process for good, in its pid namespace. */
export function identityOf({ pid, start }: { readonly pid: number; readonly start: number }): string {
  return `${pid}:${start}`;
}

interface Ties {
  readonly children: Map<number, ProcessEntry[]>;
  readonly circles: Map<number, ProcessEntry[]>;
  readonly owners: Map<string, ProcessEntry[]>;
  readonly hosts: Map<string, ProcessEntry[]>;
  readonly pipes: Map<string, ProcessEntry[]>;
  /** All parents, groups and sessions. */
  readonly numbers: Set<number>;
  /** All keys of `owners`, `hosts` and `pipes`. */
  readonly names: Set<string>;
}

function append<K>(map: Map<K, ProcessEntry[]>, key: K, entry: ProcessEntry): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [entry]);
  else list.push(entry);
}
