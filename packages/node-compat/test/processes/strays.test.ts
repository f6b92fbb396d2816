import { describe, expect, it } from "vitest";
import { extendMark, formatOwner, parseMark } from "../../src/processes/mark.ts";
import { findStrays } from "../../src/processes/reclaim.ts";
import type { ProcessEntry, ProcessInsight } from "../../src/processes/table.ts";

interface Described {
  readonly pid: number;
  readonly start: number;
  readonly mark?: string;
  readonly user?: number;
}

const self = { namespace: "7", pid: 50, start: 500 };
const dead = { namespace: "7", pid: 40, start: 400, token: "t1" };
const living = { namespace: "7", pid: 41, start: 410, token: "t2" };

function insightOf(...described: readonly Described[]): ProcessInsight {
  const all = [{ pid: 50, start: 500 }, { pid: 41, start: 410 }, ...described] as readonly Described[];
  const find = (pid: number): ProcessEntry | undefined => {
    const found = all.find((entry) => entry.pid === pid);
    return found && { pid, start: found.start, parent: 1, group: pid, session: pid, name: "x" };
  };
  return {
    pids: () => all.map(({ pid }) => pid),
    find,
    mark: (pid) => all.find((entry) => entry.pid === pid)?.mark ?? "",
    pipes: () => [],
    namespace: () => "7",
    memoryBytes: () => undefined,
    user: (pid) => all.find((entry) => entry.pid === pid)?.user ?? 1000,
  };
}
const strays = (...described: readonly Described[]): number[] =>
  findStrays(insightOf(...described), self).map(({ pid }) => pid);

describe("findStrays()", () => {
  it("finds the child of a dead host", () => {
    expect(strays({ pid: 60, start: 450, mark: formatOwner(dead) })).toEqual([60]);
  });

  it("spares the child of a living host", () => {
    expect(strays({ pid: 60, start: 450, mark: formatOwner(living) })).toEqual([]);
  });

  it("takes a pid that is used again by another for what it is", () => {
    expect(strays({ pid: 40, start: 999 }, { pid: 60, start: 450, mark: formatOwner(dead) })).toEqual([60]);
  });

  it("spares a process as long as one of the hosts above it lives", () => {
    const mark = extendMark(formatOwner(living), dead);
    expect(strays({ pid: 60, start: 450, mark })).toEqual([]);
  });

  it("spares a process of another user", () => {
    expect(strays({ pid: 60, start: 450, mark: formatOwner(dead), user: 0 })).toEqual([]);
  });

  it("spares a process of another pid namespace, where the same number means another host", () => {
    expect(strays({ pid: 60, start: 450, mark: formatOwner({ ...dead, namespace: "8" }) })).toEqual([]);
  });

  it("spares what carries no mark, or one that is not well formed", () => {
    const broken = ["", "garbage", "7:40:x:t", "7:40", ":::", "7:40:400:"];
    expect(strays(...broken.map((mark, i) => ({ pid: 60 + i, start: 450, mark })))).toEqual([]);
  });

  it("never finds this program", () => {
    const insight = insightOf();
    const marked: ProcessInsight = { ...insight, mark: () => formatOwner(dead) };
    expect(findStrays(marked, self).map(({ pid }) => pid)).not.toContain(50);
  });
});

describe("the mark", () => {
  it("keeps the owners from the outermost to the innermost, eight at most", () => {
    let mark = "";
    for (let i = 1; i <= 12; i++)
      mark = extendMark(mark, { namespace: "7", pid: i, start: i, token: `t${i}` });
    expect(parseMark(mark).map(({ pid }) => pid)).toEqual([5, 6, 7, 8, 9, 10, 11, 12]);
  });
});
