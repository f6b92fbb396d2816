import type { Process, ProcessExit } from "@keelson/core";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { describe, expect, it, onTestFinished } from "vitest";
import { createClock } from "../../src/clock.ts";
import { createProcesses } from "../../src/processes/processes.ts";
import type { Launcher } from "../../src/processes/launcher.ts";
import type { OutputSource } from "../../src/processes/output.ts";
import type { ProcessTable } from "../../src/processes/table.ts";
import { isAlive } from "../adapter.ts";

const nothing: OutputSource = {
  next: () => Promise.resolve({ done: true, value: undefined }),
  cancel: () => undefined,
};

const exitOf = (child: ChildProcess): Promise<ProcessExit> =>
  new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve(signal === null ? { code: code ?? 0 } : { signal }));
  });

function signalled(pid: number, signal: string): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

interface System {
  /** Starts a script, and waits until it says something. */
  start(script: string): Promise<Process>;
  /** What was sent, in order: to a group with a minus before it, or by the child's own means. */
  readonly sent: string[];
}

/** Children of this system, in groups of their own, where nothing tells who descends from whom. */
function systemWith(send: "groups" | "none" | "no effect" = "groups", table?: ProcessTable): System {
  const sent: string[] = [];
  const ready = new Map<number, Promise<unknown>>();
  const launcher: Launcher = {
    launch(command, args, { env }) {
      const child = spawn(command, args, { env, detached: true, stdio: ["pipe", "pipe", "ignore"] });
      const { pid, stdin, stdout } = child;
      if (pid === undefined) throw new Error("not started");
      stdin.on("error", () => undefined);
      ready.set(pid, once(stdout, "data"));
      onTestFinished(() => {
        if (child.exitCode === null && child.signalCode === null) signalled(-pid, "SIGKILL");
      });
      return {
        pid,
        stdin: { write: () => undefined, end: () => void stdin.end(), abort: () => void stdin.destroy() },
        stdout: nothing,
        stderr: nothing,
        exited: exitOf(child),
        kill(signal) {
          sent.push(`child ${signal}`);
          return send === "no effect" || signalled(pid, signal);
        },
      };
    },
  };
  const processes = createProcesses({
    launcher,
    clock: createClock(),
    random: { id: () => "0-1-2-3" } as never,
    pid: process.pid,
    table,
    send:
      send === "none"
        ? undefined
        : (pid, signal) => {
            sent.push(`${pid < 0 ? "group" : "one"} ${signal}`);
            return send === "no effect" || signalled(pid, signal);
          },
    environment: (name) => process.env[name],
    fork: undefined,
  });
  return {
    sent,
    async start(script) {
      const child = await processes.spawn("sh", ["-c", script], {});
      await ready.get(child.pid);
      return child;
    },
  };
}

/** Ends when its input does. */
const POLITE = "echo on; read line; exit 3";
/** Heeds neither the end of its input nor a request. */
const STUBBORN = "trap '' TERM; echo on; while :; do read line || sleep 0.01; done";

describe("where nothing tells who descends from whom, ending a child", () => {
  it("closes its input and asks its group, which may be all that it takes", async () => {
    const system = systemWith();
    const child = await system.start(POLITE);
    const { ended, orphans } = await child.terminate({ graceMs: 5000 });
    expect([ended.map(({ pid }) => pid), orphans]).toEqual([[child.pid], []]);
    expect(system.sent[0]).toBe("group SIGTERM");
    expect(isAlive(child.pid)).toBe(false);
    expect(await child.terminate({})).toEqual({ ended, orphans });
  });

  it("kills its group when the grace is over, in one go when there is none", async () => {
    for (const [graceMs, signals] of [
      [30, ["group SIGTERM", "group SIGKILL"]],
      [0, ["group SIGKILL"]],
    ] as const) {
      const system = systemWith();
      const child = await system.start(STUBBORN);
      const report = await child.terminate({ graceMs });
      expect(report.orphans).toEqual([]);
      expect(await child.exited).toEqual({ signal: "SIGKILL" });
      expect(system.sent).toEqual(signals);
    }
  });

  it("kills the child alone where groups cannot be signalled", async () => {
    const system = systemWith("none");
    const child = await system.start(STUBBORN);
    expect((await child.terminate({ graceMs: 10 })).orphans).toEqual([]);
    expect(system.sent).toEqual(["child SIGTERM", "child SIGKILL"]);
  });

  it("tells of one that lives on when the time is over, and of none that had ended before", async () => {
    const system = systemWith("no effect");
    const child = await system.start(STUBBORN);
    const report = await child.terminate({ graceMs: 10, deadlineMs: 50 });
    expect(report).toEqual({ ended: [], orphans: [{ pid: child.pid, command: `sh -c ${STUBBORN}` }] });
    signalled(-child.pid, "SIGKILL");
    await child.exited;
    expect(system.sent).toEqual(["group SIGTERM", "group SIGKILL"]);
    const other = await system.start("echo on");
    expect(await other.exited).toEqual({ code: 0 });
    expect(await other.terminate({ graceMs: 1 })).toEqual({ ended: [], orphans: [] });
    expect(system.sent).toHaveLength(2);
  });

  it("goes on without a table of processes that cannot be listed", async () => {
    const broken: ProcessTable = {
      list: () => Promise.reject(new Error("no ps")),
      living: () => Promise.reject(new Error("no ps")),
      command: () => "",
    };
    const system = systemWith("groups", broken);
    const child = await system.start(STUBBORN);
    expect((await child.terminate({ graceMs: 0 })).ended.map(({ pid }) => pid)).toEqual([child.pid]);
    expect(await child.exited).toEqual({ signal: "SIGKILL" });
  });
});

describe("a look at all processes", () => {
  it("leaves out the children that live, and those that have ended no more: their numbers may be another's by then", async () => {
    const left: (readonly number[])[] = [];
    const watched: ProcessTable = {
      list: (skip) => (left.push([...skip]), []),
      living: () => [],
      command: () => "",
    };
    const system = systemWith("groups", watched);
    const [first, second, third] = [
      await system.start(POLITE),
      await system.start(POLITE),
      await system.start(POLITE),
    ] as const;
    await second.terminate({ graceMs: 0 });
    expect(left[0]).toEqual([first.pid, second.pid, third.pid]);
    left.length = 0;
    await first.terminate({ graceMs: 0 });
    expect(left[0]).toEqual([first.pid, third.pid]);
    left.length = 0;
    await third.terminate({ graceMs: 0 });
    expect(left[0]).toEqual([third.pid]);
  });
});
