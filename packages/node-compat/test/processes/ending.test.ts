import type { Clock, TerminateOptions, TerminationReport } from "@keelson/core";
import { describe, expect, it } from "vitest";
import { endTree, type RootHandle } from "../../src/processes/ending.ts";
import { Scanner } from "../../src/processes/scanner.ts";
import type { ProcessEntry, ProcessTable } from "../../src/processes/table.ts";
import { childTree } from "../../src/processes/tree.ts";

const HOST = 10;
const ROOT = 20;

/** A clock whose timers come as soon as nothing else is to be done, at the time they are due. */
class HastyClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ at: number; run: () => void }>();
  #pumping = false;

  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): Disposable {
    const timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    this.#pump();
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  #pump(): void {
    if (this.#pumping || this.#timers.size === 0) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      const [next] = [...this.#timers].sort((one, other) => one.at - other.at);
      if (next === undefined) return;
      this.#timers.delete(next);
      this.#now = next.at;
      next.run();
      this.#pump();
    });
  }
}

interface Simulated {
  readonly entry: ProcessEntry;
  /** Heeds SIGTERM. */
  readonly polite: boolean;
  /** Not even SIGKILL ends it, as one that waits for a dead disk. */
  readonly immortal: boolean;
}

/** A machine with a child of the host, and what descends from it. */
class Machine {
  readonly clock = new HastyClock();
  /** What was sent, in order: `20 SIGTERM`. */
  readonly sent: string[] = [];
  /** Signals to who was gone: another process may have its number by then. */
  readonly missed: string[] = [];
  /** Whether the child was signalled without its group, in order. */
  readonly alone: boolean[] = [];
  inputEnded = false;
  /** Called at each signal, before it works. */
  onSignal: (pid: number, signal: string) => void = () => {};
  readonly #all = new Map<number, Simulated>();
  readonly #named = new Set<number>();
  readonly #exited = Promise.withResolvers<void>();

  /** @param circle the number of its group and session; its own unless it is given */
  add(pid: number, parent: number, how: Partial<Omit<Simulated, "entry">> = {}, circle: number = pid): this {
    const entry = { pid, parent, group: circle, session: circle, start: pid, name: `p${pid}` };
    this.#all.set(pid, { entry, polite: false, immortal: false, ...how });
    return this;
  }

  lives(pid: number): boolean {
    return this.#all.has(pid);
  }

  signal(pid: number, signal: string): boolean {
    const one = this.#all.get(Math.abs(pid));
    if (one === undefined) {
      this.missed.push(`${pid} ${signal}`);
      return false;
    }
    this.sent.push(`${Math.abs(pid)} ${signal}`);
    this.onSignal(Math.abs(pid), signal);
    const dies = (signal === "SIGKILL" && !one.immortal) || (signal === "SIGTERM" && one.polite);
    if (dies) this.#end(Math.abs(pid));
    return true;
  }

  #end(pid: number): void {
    this.#all.delete(pid);
    if (pid === ROOT) this.#exited.resolve();
  }

  end(options: TerminateOptions, hurry: Promise<void> = new Promise(() => {})): Promise<TerminationReport> {
    const table: ProcessTable = {
      // The root is the runtime's to watch.
      list: (skip) => [...this.#all.values()].map(({ entry }) => entry).filter(({ pid }) => !skip.has(pid)),
      living: async (entries) => entries.filter(({ pid }) => this.#all.has(pid)),
      // One that is ending cannot be asked for its name any more.
      command: ({ pid }) => (this.#named.has(pid) ? "" : (this.#named.add(pid), `command ${pid}`)),
    };
    const root: RootHandle = {
      info: { pid: ROOT, command: "root" },
      exited: this.#exited.promise,
      ended: () => !this.#all.has(ROOT),
      endInput: () => void (this.inputEnded = true),
      signal: (signal, alone) => {
        this.alone.push(alone);
        if (!this.#all.has(ROOT)) this.missed.push(`${ROOT} ${signal}`);
        const group = [...this.#all.values()].filter(({ entry }) => entry.group === ROOT);
        for (const { entry } of alone ? group.filter(({ entry: { pid } }) => pid === ROOT) : group)
          this.signal(entry.pid, signal);
      },
    };
    const facts = { pid: ROOT, start: ROOT, owner: undefined, pipes: [], ended: () => !this.#all.has(ROOT) };
    const scanner = new Scanner(table, this.clock, new Set([ROOT]), 0);
    const tree = childTree(facts, HOST);
    const send = (pid: number, signal: string): boolean => this.signal(pid, signal);
    return endTree({ tree, root, table, scanner, send, clock: this.clock, hurry }, options);
  }
}

const pids = ({ ended, orphans }: TerminationReport): { ended: number[]; orphans: number[] } => ({
  ended: ended.map(({ pid }) => pid).sort((a, b) => a - b),
  orphans: orphans.map(({ pid }) => pid).sort((a, b) => a - b),
});

describe("the end of a tree of processes", () => {
  it("is asked for first: who heeds it is not frozen and not killed", async () => {
    const machine = new Machine().add(ROOT, HOST, { polite: true }).add(21, ROOT, { polite: true });
    expect(pids(await machine.end({ graceMs: 500 }))).toEqual({ ended: [20, 21], orphans: [] });
    expect(machine.sent.sort()).toEqual(["20 SIGTERM", "21 SIGTERM"]);
    expect([machine.missed, machine.alone]).toEqual([[], [false]]);
    expect(machine.inputEnded).toBe(true);
    expect(machine.clock.now()).toBeLessThan(100);
    expect(machine.clock.pending).toBe(0);
  });

  it("is asked for once of each, also of those in the child's own group", async () => {
    const machine = new Machine().add(ROOT, HOST, { polite: true }).add(21, ROOT, { polite: true }, ROOT);
    expect(pids(await machine.end({ graceMs: 500 }))).toEqual({ ended: [20, 21], orphans: [] });
    expect(machine.sent.sort()).toEqual(["20 SIGTERM", "21 SIGTERM"]);
    expect(machine.missed).toEqual([]);
  });

  it("is asked of those in the child's group also when the child is gone, and of the child no more", async () => {
    const machine = new Machine().add(ROOT, HOST, { polite: true }).add(21, ROOT, {}, ROOT);
    expect(pids(await machine.end({ graceMs: 20 }))).toEqual({ ended: [20, 21], orphans: [] });
    expect(machine.sent.filter((one) => one.startsWith("20"))).toEqual(["20 SIGTERM"]);
    expect(machine.sent.at(-1)).toBe("21 SIGKILL");
    expect(machine.missed).toEqual([]);
  });

  it("comes to a lone child that is deaf when the grace is over, and not before", async () => {
    const machine = new Machine().add(ROOT, HOST);
    let killedAt = 0;
    machine.onSignal = (_, signal) => {
      if (signal === "SIGKILL") killedAt ||= machine.clock.now();
    };
    expect(pids(await machine.end({ graceMs: 500 }))).toEqual({ ended: [20], orphans: [] });
    expect(machine.sent).toEqual(["20 SIGTERM", "20 SIGKILL"]);
    expect(machine.alone).toEqual([true, true]);
    expect(killedAt).toBeGreaterThanOrEqual(500);
    expect(killedAt).toBeLessThan(600);
  });

  it("comes when the grace is over, for all that are left, frozen first", async () => {
    const machine = new Machine().add(ROOT, HOST).add(21, ROOT).add(22, 21, { polite: true });
    let killedAt = 0;
    machine.onSignal = (_, signal) => {
      if (signal === "SIGKILL") killedAt ||= machine.clock.now();
    };
    expect(pids(await machine.end({ graceMs: 500 }))).toEqual({ ended: [20, 21, 22], orphans: [] });
    expect(killedAt).toBeGreaterThanOrEqual(500);
    expect(killedAt).toBeLessThan(600);
    const order = (pid: number): string[] =>
      machine.sent.filter((one) => one.startsWith(`${pid} `)).map((one) => one.split(" ")[1] as string);
    for (const pid of [20, 21]) {
      expect(order(pid)[0]).toBe("SIGTERM");
      expect(order(pid).lastIndexOf("SIGSTOP")).toBeLessThan(order(pid).indexOf("SIGKILL"));
      expect(order(pid)).toContain("SIGSTOP");
    }
    expect(order(22)).toEqual(["SIGTERM"]);
  });

  it("is not asked for where there is no grace", async () => {
    const machine = new Machine().add(ROOT, HOST, { polite: true }).add(21, ROOT, { polite: true });
    expect(pids(await machine.end({ graceMs: 0 }))).toEqual({ ended: [20, 21], orphans: [] });
    expect(machine.sent.some((one) => one.endsWith("SIGTERM"))).toBe(false);
    for (const pid of [20, 21])
      expect(machine.sent.indexOf(`${pid} SIGKILL`)).toBeGreaterThan(machine.sent.indexOf(`${pid} SIGSTOP`));
    expect(machine.sent).toContain("21 SIGSTOP");
    expect(machine.inputEnded).toBe(false);
  });

  it("comes at once for a lone child without grace: one signal, and no time", async () => {
    const machine = new Machine().add(ROOT, HOST);
    expect(pids(await machine.end({ graceMs: 0 }))).toEqual({ ended: [20], orphans: [] });
    expect(machine.sent).toEqual(["20 SIGKILL"]);
    expect(machine.clock.now()).toBe(0);
  });

  it("comes before the grace is over when somebody is in a hurry", async () => {
    const machine = new Machine().add(ROOT, HOST).add(21, ROOT);
    const hurry = Promise.withResolvers<void>();
    machine.onSignal = (_, signal) => {
      if (signal === "SIGTERM") hurry.resolve();
    };
    const report = await machine.end({ graceMs: 60_000, deadlineMs: 120_000 }, hurry.promise);
    expect(pids(report)).toEqual({ ended: [20, 21], orphans: [] });
    expect(machine.clock.now()).toBeLessThan(1_000);
  });

  it("finds who is forked while the others are being frozen", async () => {
    const machine = new Machine().add(ROOT, HOST).add(21, ROOT);
    let forks = 0;
    machine.onSignal = (pid, signal) => {
      if (signal === "SIGSTOP" && pid === 21 && forks++ === 0) machine.add(30, 21);
    };
    expect(pids(await machine.end({ graceMs: 20 }))).toEqual({ ended: [20, 21, 30], orphans: [] });
    expect(machine.lives(30)).toBe(false);
    const stopped = machine.sent.indexOf("30 SIGSTOP");
    expect(stopped).toBeGreaterThan(0);
    expect(stopped).toBeLessThan(machine.sent.indexOf("21 SIGKILL"));
  });

  it("is tried again for who appeared behind the kill", async () => {
    const machine = new Machine().add(ROOT, HOST).add(21, ROOT);
    machine.onSignal = (pid, signal) => {
      // Its parent is dead, but not its session.
      if (signal === "SIGKILL" && pid === 21) machine.add(31, 1, {}, 21);
    };
    expect(pids(await machine.end({ graceMs: 20 }))).toEqual({ ended: [20, 21, 31], orphans: [] });
    expect(machine.lives(31)).toBe(false);
  });

  it("that does not come is told when the time is over, by name, and who ended is told apart", async () => {
    const machine = new Machine().add(ROOT, HOST).add(21, ROOT, { immortal: true }).add(22, ROOT);
    const report = await machine.end({ graceMs: 50, deadlineMs: 1_000 });
    expect(pids(report)).toEqual({ ended: [20, 22], orphans: [21] });
    expect(report.orphans).toEqual([{ pid: 21, command: "command 21" }]);
    expect(machine.clock.now()).toBeGreaterThanOrEqual(1_000);
    expect(machine.clock.now()).toBeLessThan(1_500);
    expect(machine.clock.pending).toBe(0);
  });

  it("of a child that not even a kill ends is no end: it is told", async () => {
    const machine = new Machine().add(ROOT, HOST, { immortal: true });
    const report = await machine.end({ graceMs: 50, deadlineMs: 1_000 });
    expect(report).toEqual({ ended: [], orphans: [{ pid: 20, command: "root" }] });
    expect(machine.clock.now()).toBeLessThan(1_500);
  });

  it("is looked after for a moment behind the kill, however late the deadline says that is", async () => {
    const machine = new Machine().add(ROOT, HOST, { immortal: true });
    await machine.end({ graceMs: 300, deadlineMs: 10 });
    expect(machine.sent).toContain("20 SIGKILL");
    // The grace ends with the deadline.
    expect(machine.clock.now()).toBeGreaterThanOrEqual(110);
    expect(machine.clock.now()).toBeLessThan(600);
  });

  it("of nobody is told as such", async () => {
    const machine = new Machine();
    expect(await machine.end({})).toEqual({ ended: [], orphans: [] });
    expect([machine.sent, machine.missed, machine.inputEnded]).toEqual([[], [], false]);
  });
});
