import { describe, expect, it } from "vitest";
import { createProcTable, parseStat } from "../../src/processes/proc.ts";
import { createPsTable, parsePsLine } from "../../src/processes/ps.ts";
import { adapter, eventually } from "../adapter.ts";

const stat = (name: string, state: string, flags = 4194304): string =>
  `42 (${name}) ${state} 7 40 39 0 -1 ${flags} 88 0 1 0 0 0 0 0 20 0 1 0 126979 2560000 337`;

describe("parseStat()", () => {
  it("reads parent, group, session and start time", () => {
    expect(parseStat(42, stat("sleep", "S"))).toEqual({
      pid: 42,
      parent: 7,
      group: 40,
      session: 39,
      start: 126979,
      name: "sleep",
    });
  });

  it("takes a name with blanks and brackets for what it is", () => {
    expect(parseStat(42, stat("a) Z (b 1", "S"))).toMatchObject({ parent: 7, name: "a) Z (b 1" });
  });

  it("counts zombies and kernel threads as no process", () => {
    expect(parseStat(42, stat("sleep", "Z"))).toBeUndefined();
    expect(parseStat(42, stat("sleep", "X"))).toBeUndefined();
    expect(parseStat(42, stat("kworker", "I", 0x0020_8040))).toBeUndefined();
  });

  it("takes garbage for no process", () => {
    for (const text of ["", "42", "42 sleep S 7", "42 )sleep("]) expect(parseStat(42, text)).toBeUndefined();
  });
});

describe("createProcTable()", () => {
  const table = createProcTable();

  it("finds this very process, with its command line", async () => {
    const entries = await table.list(new Set());
    const own = entries.find(({ pid }) => pid === process.pid);
    expect(own).toMatchObject({ pid: process.pid, parent: process.ppid });
    expect(own && table.command(own)).not.toBe("");
    expect(own && (await table.living([own]))).toEqual([own]);
  });

  it("knows a process by its start time, not by its pid alone", async () => {
    const own = table.insight.find(process.pid);
    expect(own && (await table.living([{ ...own, start: own.start - 1 }]))).toEqual([]);
  });

  it("leaves out what it is told to", async () => {
    const entries = await table.list(new Set([process.pid]));
    expect(entries.some(({ pid }) => pid === process.pid)).toBe(false);
  });

  it("reads a mark behind however much a process has in its environment", async () => {
    const { processes } = await adapter();
    for (const size of [1, 8_192, 40_000, 100_000]) {
      // variables before it and after it
      const env = { AAAA: "x".repeat(size), ZZZZ: "y" };
      await using child = await processes.spawn("sh", ["-c", "read line"], { env });
      await eventually(() => (table.insight.mark(child.pid) ?? "") !== "");
      const mark = table.insight.mark(child.pid);
      expect(mark?.split(":").length, String(size)).toBeGreaterThan(1);
      expect(mark).not.toContain("x");
      expect(mark).not.toContain("ZZZZ");
    }
  });

  it("tells undefined or nothing of a process that is not there", () => {
    expect(table.insight.find(2 ** 30)).toBeUndefined();
    expect(table.insight.mark(2 ** 30)).toBeUndefined();
    expect(table.insight.pipes(2 ** 30)).toEqual([]);
    expect(table.insight.user(2 ** 30)).toBeUndefined();
  });
});

describe("parsePsLine()", () => {
  it("reads what Linux and macOS print", () => {
    const start = Date.parse("Sat Nov 21 00:10:45 2026") / 1000;
    expect(parsePsLine("  123     1   123 Ss   Sat Nov 21 00:10:45 2026 sleep 1000")).toEqual({
      pid: 123,
      parent: 1,
      group: 123,
      session: 0,
      start,
      name: "sleep 1000",
    });
    expect(parsePsLine("123 1 123 S    Sat Nov  1 00:10:45 2026     /bin/a b")).toMatchObject({
      name: "/bin/a b",
    });
  });

  it("counts zombies and headings as no process", () => {
    expect(parsePsLine("  123     1   123 Z    Sat Nov 21 00:10:45 2026 [sleep] <defunct>")).toBeUndefined();
    expect(parsePsLine("  PID  PPID  PGID STAT STARTED COMMAND")).toBeUndefined();
    expect(parsePsLine("")).toBeUndefined();
  });
});

describe("createPsTable()", () => {
  const line = (pid: number, second: number): string =>
    `${pid} 1 ${pid} S Sat Nov 21 00:10:0${second} 2026 prog ${pid}`;

  it("lists, and tells the living by their start time", async () => {
    let text = [line(1, 1), line(2, 1), line(3, 1)].join("\n");
    const table = createPsTable(() => Promise.resolve(text));
    const entries = await table.list(new Set([1]));
    expect(entries.map(({ pid }) => pid)).toEqual([2, 3]);
    text = [line(2, 1), line(3, 5)].join("\n");
    expect((await table.living(entries)).map(({ pid }) => pid)).toEqual([2]);
  });

  it("tells a command as it was listed last, 200 characters of it", async () => {
    let text = line(2, 1);
    const table = createPsTable(() => Promise.resolve(text));
    const [entry] = await table.list(new Set());
    if (entry === undefined) throw new Error("not listed");
    expect(table.command(entry)).toBe("prog 2");
    text = `${line(2, 1)} ${"x".repeat(300)}`;
    await table.living([entry]);
    expect(table.command(entry)).toBe(`prog 2 ${"x".repeat(193)}`);
    text = "";
    await table.list(new Set());
    expect(table.command(entry)).toBe("prog 2");
    expect(await table.living([])).toEqual([]);
  });

  it("rejects when ps cannot be run, so that nobody takes silence for an empty machine", async () => {
    const table = createPsTable(() => Promise.reject(new Error("no ps")));
    await expect(table.list(new Set())).rejects.toThrow("no ps");
  });
});
