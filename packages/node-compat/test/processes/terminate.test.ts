import { describe, expect, it } from "vitest";
import {
  adapter,
  bytes,
  children,
  descriptors,
  eventually,
  isAlive,
  lineReader,
  processesOf,
  program,
  shell,
} from "../adapter.ts";

const { processes } = await adapter();

describe("terminate()", () => {
  it("lets a child that heeds end of file or SIGTERM end by itself", async () => {
    const child = await shell(processes, "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done");
    await lineReader(child.stdout)();
    const report = await child.terminate({ graceMs: 5000, deadlineMs: 10_000 });
    expect(await child.exited).toEqual({ code: 5 });
    expect(report.orphans).toEqual([]);
    expect(report.ended.map(({ pid }) => pid)).toContain(child.pid);
  });

  it("kills a child that is deaf to both, after the grace", async () => {
    const child = await shell(processes, "trap '' TERM; echo ready; while :; do sleep 1000; done");
    await lineReader(child.stdout)();
    const report = await child.terminate({ graceMs: 20 });
    expect(await child.exited).toEqual({ signal: "SIGKILL" });
    expect(report.orphans).toEqual([]);
    expect(isAlive(child.pid)).toBe(false);
  });

  it("kills at once with graceMs 0", async () => {
    const child = await shell(processes, "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done");
    await lineReader(child.stdout)();
    await child.terminate({ graceMs: 0 });
    expect(await child.exited).toEqual({ signal: "SIGKILL" });
  });

  it("with graceMs 0 waits for no time at all, as far as a lone child is concerned", async () => {
    const { clock, random } = await adapter();
    // Its timers never come.
    const frozen = { ...clock, now: () => 0, after: () => ({ [Symbol.dispose]() {} }) };
    const timeless = await processesOf(frozen, random);
    const child = await timeless.spawn("cat", [], {});
    expect((await child.terminate({ graceMs: 0 })).orphans).toEqual([]);
    expect(isAlive(child.pid)).toBe(false);
  });

  it("kills a stopped child", async () => {
    const child = await shell(processes, "kill -STOP $$");
    await child.terminate({ graceMs: 10 });
    expect(isAlive(child.pid)).toBe(false);
  });

  it("gives the same report when called twice, and the second call may hurry the first", async () => {
    const child = await shell(processes, "trap '' TERM; echo ready; while :; do sleep 1000; done");
    await lineReader(child.stdout)();
    const first = child.terminate({ graceMs: 60_000, deadlineMs: 120_000 });
    const second = child.terminate({ graceMs: 0 });
    expect(await second).toBe(await first);
    expect(isAlive(child.pid)).toBe(false);
  });

  it("reports nothing for a child that had ended before and left nobody", async () => {
    const child = await shell(processes, "exit 0");
    await child.exited;
    expect(await child.terminate()).toEqual({ ended: [], orphans: [] });
  });

  it("does not reject and does not kill strangers when the child's pid is long gone", async () => {
    const bystander = await processes.spawn("cat", [], {});
    const child = await shell(processes, "exit 0");
    await child.exited;
    await child.terminate({ graceMs: 0 });
    expect(isAlive(bystander.pid)).toBe(true);
    await bystander.terminate();
  });

  it("ends when disposed", async () => {
    let pid = 0;
    {
      await using child = await processes.spawn("cat", [], {});
      pid = child.pid;
    }
    expect(isAlive(pid)).toBe(false);
  });
});

describe("terminate() ends the whole tree", () => {
  it("children and grandchildren in the child's group, deaf ones too", async () => {
    const child = await shell(
      processes,
      "trap '' TERM; (trap '' TERM; sleep 1000 & echo $!; wait) & sleep 1001 & echo $!; wait",
    );
    const next = lineReader(child.stdout);
    const pids = [Number(await next()), Number(await next())];
    const report = await child.terminate({ graceMs: 50 });
    expect(report.orphans).toEqual([]);
    for (const pid of pids) expect(isAlive(pid)).toBe(false);
    expect(report.ended.length).toBeGreaterThanOrEqual(4);
  });

  it("what the child left behind when it ended by itself", async () => {
    const child = await shell(processes, "sleep 1000 & echo $!");
    const pid = Number(await lineReader(child.stdout)());
    await child.exited;
    expect(isAlive(pid)).toBe(true);
    const report = await child.terminate({ graceMs: 0 });
    expect(report.ended.map((info) => info.pid)).toEqual([pid]);
    expect(isAlive(pid)).toBe(false);
  });

  it("a daemon that left its parent, its group and its session", async () => {
    const child = await processes.spawn(...program("daemon.mjs"), {});
    const pid = Number((await lineReader(child.stdout)())?.split(" ")[1]);
    const report = await child.terminate({ graceMs: 200 });
    expect(report.ended.map((info) => info.pid)).toContain(pid);
    expect(report.orphans).toEqual([]);
    expect(isAlive(pid)).toBe(false);
  });

  it("a daemon that dropped its environment, by the pipe it holds", async () => {
    const child = await processes.spawn(...program("daemon.mjs", "bare", "holds"), {});
    const pid = Number((await lineReader(child.stdout)())?.split(" ")[1]);
    const report = await child.terminate({ graceMs: 200 });
    expect(report.ended.map((info) => info.pid)).toContain(pid);
    expect(isAlive(pid)).toBe(false);
  });

  it("one in a session of its own without environment and pipes, by its living parent", async () => {
    const child = await processes.spawn(...program("daemon.mjs", "bare", "stays"), {});
    const pid = Number((await lineReader(child.stdout)())?.split(" ")[1]);
    const report = await child.terminate({ graceMs: 200 });
    expect(report.ended.map((info) => info.pid)).toContain(pid);
    expect(isAlive(pid)).toBe(false);
  });

  it("a shell that forks as fast as it can", async () => {
    const child = await shell(processes, "trap '' TERM; while :; do (sleep 0.05 & sleep 0.05 &) ; done");
    const report = await child.terminate({ graceMs: 20 });
    expect(report.orphans).toEqual([]);
    const marked = report.ended.filter(({ pid }) => isAlive(pid));
    expect(marked).toEqual([]);
  });

  it("and not that of a sibling", async () => {
    const doomed = await shell(processes, "sleep 1000 & echo; wait");
    const spared = await shell(processes, "sleep 1000 & echo $!; wait");
    const pid = Number(await lineReader(spared.stdout)());
    await doomed.terminate({ graceMs: 0 });
    expect([isAlive(spared.pid), isAlive(pid)]).toEqual([true, true]);
    await spared.terminate({ graceMs: 0 });
    expect([isAlive(spared.pid), isAlive(pid)]).toEqual([false, false]);
  });
});

describe("nothing is left", () => {
  it("no process and no descriptor after 200 children, read, unread, flooding and deaf", async () => {
    const round = async (count: number): Promise<void> => {
      const scripts = ["cat", "echo unread; cat", "yes", "trap '' TERM; sleep 1000 & sleep 1000", "exit 3"];
      const started = await Promise.all(
        Array.from({ length: count }, (_, i) => shell(processes, scripts[i % 5] ?? "cat")),
      );
      for (const child of started) void child.write(bytes("x\n"));
      const reports = await Promise.all(
        started.map((child, i) => child.terminate({ graceMs: i % 2 === 0 ? 0 : 30 })),
      );
      expect(reports.flatMap(({ orphans }) => orphans)).toEqual([]);
      expect(started.filter(({ pid }) => isAlive(pid))).toEqual([]);
    };
    await round(10);
    const before = { descriptors: descriptors(), children: children().length };
    for (let i = 0; i < 4; i++) await round(50);
    await eventually(() => descriptors() <= before.descriptors + 2);
    expect(children().length).toBeLessThanOrEqual(before.children);
  }, 60_000);

  it("no descriptor after failed starts", async () => {
    const fail = (): Promise<unknown> =>
      processes.spawn("keelson-no-such-command", [], {}).catch(() => undefined);
    await fail();
    const before = descriptors();
    for (let i = 0; i < 50; i++) await fail();
    await eventually(() => descriptors() <= before + 2);
  });
});
