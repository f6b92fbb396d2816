import { formatOwner, parseMark, type Owner } from "./mark.ts";
import type { Snapshot } from "./scanner.ts";
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

const identity = ({ pid, start }: ProcessEntry): string => `${pid}:${start}`;

/**
 * The tree of a child: what descends from it, is in its group or session or in one that a member opened, carries its
 * mark, carries the mark of a host that is itself a member, or writes into the child's pipes. None of it is older than
 * the child.
 * @param host pid of this program, which is never a member
 */
export function childTree(root: Root, host: number): Tree {
  return growingTree({
    host,
    since: root.start ?? 0,
    root,
    seed: (entry, snapshot) =>
      (root.owner !== undefined &&
        parseMark(snapshot.mark(entry)).some((owner) => formatOwner(owner) === ownerText(root))) ||
      // By a pipe alone, no child of this very program: it may be about to become another child.
      (entry.parent !== host &&
        root.pipes.length > 0 &&
        snapshot.pipes(entry).some((pipe) => root.pipes.includes(pipe))),
  });
}

const ownerText = ({ owner }: Root): string => (owner === undefined ? "" : formatOwner(owner));

/** The processes of `strays`, and what descends from them. */
export function strayTree(strays: readonly ProcessEntry[], host: number): Tree {
  const known = new Set(strays.map(identity));
  return growingTree({
    host,
    since: Math.min(...strays.map(({ start }) => start)),
    root: undefined,
    seed: (entry) => known.has(identity(entry)),
  });
}

interface Growth {
  readonly host: number;
  readonly since: number;
  readonly root: Root | undefined;
  /** Whether a process is a member whatever the others are. */
  readonly seed: (entry: ProcessEntry, snapshot: Snapshot) => boolean;
}

function growingTree({ host, since, root, seed }: Growth): Tree {
  /** All that ever were members, the dead included: hosts among them may have left children. */
  const ever = new Set<string>(root?.start === undefined ? [] : [`${root.pid}:${root.start}`]);
  /** Groups and sessions that only members can be in. */
  const circles = new Set<number>(root === undefined ? [] : [root.pid]);

  return {
    members(snapshot) {
      const { entries } = snapshot;
      const found = new Map<number, ProcessEntry>();
      const add = (entry: ProcessEntry): void => {
        found.set(entry.pid, entry);
        ever.add(identity(entry));
        // Only circles that it leads itself: who merely holds a pipe may sit in somebody's login session.
        if (entry.group === entry.pid) circles.add(entry.group);
        if (entry.session === entry.pid) circles.add(entry.session);
      };
      // A number can be used again once its circle is empty; its leader then is a stranger.
      const isCircle = (id: number): boolean => {
        if (!circles.has(id)) return false;
        const leader = entries.get(id);
        return leader === undefined || ever.has(identity(leader));
      };
      const isRelated = (entry: ProcessEntry): boolean =>
        found.has(entry.parent) ||
        (root !== undefined && entry.parent === root.pid && !root.ended()) ||
        isCircle(entry.group) ||
        isCircle(entry.session) ||
        parseMark(snapshot.mark(entry)).some((owner) => ever.has(`${owner.pid}:${owner.start}`));

      const others: ProcessEntry[] = [];
      for (const entry of entries.values()) {
        if (entry.start < since || entry.pid <= 1 || entry.pid === host || entry.pid === root?.pid) continue;
        if (ever.has(identity(entry)) || seed(entry, snapshot)) add(entry);
        else others.push(entry);
      }
      for (let size = -1; size !== found.size;) {
        size = found.size;
        for (const entry of others) if (!found.has(entry.pid) && isRelated(entry)) add(entry);
      }
      return [...found.values()];
    },
  };
}
