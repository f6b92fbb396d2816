import { describe, expect, it } from "vitest";
import { formatOwner } from "../../src/processes/mark.ts";
import { Snapshot } from "../../src/processes/snapshot.ts";
import type { ProcessEntry } from "../../src/processes/table.ts";
import { childTree, strayTree, type Root } from "../../src/processes/tree.ts";

const HOST = 10;
const owner = { namespace: "7", pid: HOST, start: 50, token: "t" };

interface Described {
  readonly parent?: number;
  readonly group?: number;
  readonly session?: number;
  readonly start?: number;
  readonly mark?: string;
  readonly pipes?: readonly string[];
}

/** A machine with these processes; everything not said is that of a stranger. */
function machine(described: Readonly<Record<number, Described>>): Snapshot {
  const entries = new Map<number, ProcessEntry>();
  for (const [key, about] of Object.entries(described)) {
    const pid = Number(key);
    entries.set(pid, { pid, parent: 1, group: pid, session: pid, start: 200, name: `p${pid}`, ...about });
  }
  return new Snapshot(entries, {
    mark: ({ pid }) => described[pid]?.mark ?? "",
    pipes: ({ pid }) => described[pid]?.pipes ?? [],
  });
}

function rootOf(about: Partial<Root> = {}): Root {
  return { pid: 100, start: 100, owner, pipes: ["pipe:[1]", "pipe:[2]"], ended: () => false, ...about };
}
const members = (root: Root, ...snapshots: readonly Snapshot[]): number[] => {
  const tree = childTree(root, HOST);
  let found: readonly ProcessEntry[] = [];
  for (const snapshot of snapshots) found = tree.members(snapshot);
  return found.map(({ pid }) => pid).toSorted((a, b) => a - b);
};

describe("childTree()", () => {
  it("takes in children and their children, whatever the order of the list", () => {
    expect(
      members(rootOf(), machine({ 101: { parent: 102 }, 102: { parent: 103 }, 103: { parent: 100 } })),
    ).toEqual([101, 102, 103]);
  });

  it("takes in the group and the session, when the parents are gone", () => {
    expect(members(rootOf(), machine({ 101: { group: 100 }, 102: { group: 102, session: 100 } }))).toEqual([
      101, 102,
    ]);
  });

  it("takes in a daemon by its mark", () => {
    expect(members(rootOf(), machine({ 101: { mark: formatOwner(owner) } }))).toEqual([101]);
    expect(members(rootOf(), machine({ 101: { mark: formatOwner({ ...owner, token: "other" }) } }))).toEqual(
      [],
    );
  });

  it("takes in who holds its pipes, but no other child of the host", () => {
    expect(members(rootOf(), machine({ 101: { pipes: ["pipe:[2]"] } }))).toEqual([101]);
    expect(members(rootOf(), machine({ 101: { pipes: ["pipe:[2]"], parent: HOST } }))).toEqual([]);
  });

  it("takes in nobody who is older than the child, and never the host or the first process", () => {
    const mark = formatOwner(owner);
    expect(members(rootOf(), machine({ 1: { mark }, [HOST]: { mark }, 99: { start: 99, mark } }))).toEqual(
      [],
    );
  });

  it("follows a session that a member opened, after the member's death", () => {
    const tree = childTree(rootOf(), HOST);
    tree.members(machine({ 101: { parent: 100 } }));
    const later = tree.members(
      machine({ 102: { group: 102, session: 101 }, 103: { parent: 102, session: 5, group: 5 } }),
    );
    expect(later.map(({ pid }) => pid)).toEqual([102, 103]);
  });

  it("remembers a member whose parent died", () => {
    const before = machine({ 101: { parent: 100, group: 101, session: 101 } });
    const after = machine({ 101: { parent: 1, group: 101, session: 101 } });
    expect(members(rootOf({ owner: undefined, pipes: [] }), before, after)).toEqual([101]);
  });

  it("takes in the children of a member that is a host itself, after that host's death", () => {
    const mark = formatOwner({ namespace: "7", pid: 101, start: 200, token: "inner" });
    expect(members(rootOf(), machine({ 101: { parent: 100 } }), machine({ 105: { mark } }))).toEqual([105]);
  });

  it("does not take a stranger for the root, when the root's number is used again", () => {
    const ended = rootOf({ ended: () => true });
    const reused = { 100: { start: 900 }, 101: { start: 901, parent: 100, group: 100, session: 100 } };
    expect(members(ended, machine(reused))).toEqual([]);
  });

  it("does not take a login session for its own because a member sits in it", () => {
    const mark = formatOwner(owner);
    expect(
      members(rootOf(), machine({ 101: { mark, group: 60, session: 60 }, 61: { group: 60, session: 60 } })),
    ).toEqual([101]);
  });
});

describe("strayTree()", () => {
  it("holds the strays and what descends from them", () => {
    const stray: ProcessEntry = { pid: 60, parent: 1, group: 60, session: 60, start: 30, name: "stray" };
    const tree = strayTree([stray], HOST);
    const found = tree.members(machine({ 60: { start: 30 }, 61: { parent: 60 }, 62: {} }));
    expect(found.map(({ pid }) => pid)).toEqual([60, 61]);
  });

  it("does not hold another process with a stray's number", () => {
    const stray: ProcessEntry = { pid: 60, parent: 1, group: 60, session: 60, start: 30, name: "stray" };
    expect(strayTree([stray], HOST).members(machine({ 60: { start: 31 } }))).toEqual([]);
  });
});
