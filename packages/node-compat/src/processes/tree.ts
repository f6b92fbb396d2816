import { formatOwner, type Owner } from "./mark.ts";
import { identityOf, type Snapshot } from "./snapshot.ts";
import type { ProcessEntry } from "./table.ts";

/** What is known of a child when it starts, to find later what came of it. */
export interface Root {
  readonly pid: number;
  /** Undefined where the system does not tell: then every process counts as younger. */
  readonly start: number | undefined;
  /** Its own entry of the mark. */
  readonly owner: Owner | undefined;
  /** The child's ends of its standard output and error. */
  readonly pipes: readonly string[];
  /** Whether the runtime has reaped it. */
  ended(): boolean;
}

/** Finds the living members of one tree in a snapshot. */
export interface Tree {
  /** Members besides the root, which the runtime itself watches. Remembers them: a member stays one when its parent dies. */
  members(snapshot: Snapshot): readonly ProcessEntry[];
}

/**
 * The tree of a child: what descends from it, is in its group or session or in one that a member leads, carries its
 * mark, carries the mark of a host that is itself a member, or holds the child's pipes. None of it is older than the child.
 * @param host pid of this program, which is never a member
 */
export function childTree(root: Root, host: number): Tree {
  const mark = root.owner && formatOwner(root.owner);
  const ever = root.start === undefined ? [] : [identityOf({ pid: root.pid, start: root.start })];
  return new GrowingTree({
    since: root.start ?? 0,
    never: new Set([host, root.pid]),
    ever,
    circles: [root.pid],
    tiedTo: { pid: root.pid, names: [...ever, ...root.pipes, ...(mark === undefined ? [] : [mark])] },
    seeds(snapshot) {
      const seeds = root.ended() ? [] : [...snapshot.children(root.pid)];
      if (mark !== undefined) seeds.push(...snapshot.owned(mark));
      for (const pipe of root.pipes) {
        // By a pipe alone, no child of this very program: it may be about to become another child.
        for (const holder of snapshot.holding(pipe)) if (holder.parent !== host) seeds.push(holder);
      }
      return seeds;
    },
  });
}

/** The processes of `strays`, and what descends from them. */
export function strayTree(strays: readonly ProcessEntry[], host: number): Tree {
  return new GrowingTree({
    since: Math.min(...strays.map(({ start }) => start)),
    never: new Set([host]),
    ever: strays.map(identityOf),
    circles: [],
    seeds: ({ entries }) =>
      strays.flatMap(({ pid, start }) => {
        const entry = entries.get(pid);
        return entry?.start === start ? [entry] : [];
      }),
  });
}

interface Growth {
  readonly since: number;
  /** Pids that are never members. */
  readonly never: ReadonlySet<number>;
  /** Identities that count as members from the start. */
  readonly ever: readonly string[];
  /** Groups and sessions that only members can be in. */
  readonly circles: readonly number[];
  /** All by which the first members can be found, if it is so little: what a snapshot knows nothing of has none. */
  readonly tiedTo?: { readonly pid: number; readonly names: readonly string[] };
  /** Members whatever the others are. */
  readonly seeds: (snapshot: Snapshot) => readonly ProcessEntry[];
}

class GrowingTree implements Tree {
  readonly #growth: Growth;
  /** All that ever were members, the dead included: hosts among them may have left children. */
  readonly #ever: Set<string>;
  readonly #circles: Set<number>;
  #last: readonly ProcessEntry[] = [];
  /** No member was ever found. */
  #single = true;

  constructor(growth: Growth) {
    this.#growth = growth;
    this.#ever = new Set(growth.ever);
    this.#circles = new Set(growth.circles);
  }

  members(snapshot: Snapshot): readonly ProcessEntry[] {
    const { since, never, seeds, tiedTo } = this.#growth;
    // Most children never have descendants: told at once, since hundreds may be ended together.
    if (this.#single && tiedTo !== undefined && !snapshot.touches(tiedTo.pid, tiedTo.names)) return [];
    const found = new Map<number, ProcessEntry>();
    const add = (entries: readonly ProcessEntry[]): void => {
      for (const entry of entries) {
        if (entry.start < since || entry.pid <= 1 || never.has(entry.pid) || found.has(entry.pid)) continue;
        found.set(entry.pid, entry);
        this.#single = false;
        this.#ever.add(identityOf(entry));
        // Only circles that it leads itself: who merely holds a pipe may sit in somebody's login session.
        if (entry.group === entry.pid || entry.session === entry.pid) this.#circles.add(entry.pid);
      }
    };

    for (const { pid, start } of this.#last) {
      const entry = snapshot.entries.get(pid);
      if (entry?.start === start) add([entry]);
    }
    add(seeds(snapshot));
    // Each round looks at what the last one brought, the dead of earlier snapshots included.
    for (let size = -1; size !== found.size;) {
      size = found.size;
      for (const { pid } of [...found.values()]) add(snapshot.children(pid));
      for (const id of this.#circles) if (this.#isOurs(id, snapshot)) add(snapshot.circle(id));
      for (const host of this.#ever) add(snapshot.startedBy(host));
    }
    this.#last = [...found.values()];
    return this.#last;
  }

  /** A number can be used again once its circle is empty; its leader then is a stranger. */
  #isOurs(circle: number, { entries }: Snapshot): boolean {
    const leader = entries.get(circle);
    return leader === undefined || this.#ever.has(identityOf(leader));
  }
}
