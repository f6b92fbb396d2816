import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import process from "node:process";
import { afterEach, expect, test } from "vitest";
import { eventually, isAlive, program } from "./host.ts";

interface Pids {
  readonly polite: number;
  readonly deaf: number;
  readonly elder: number;
}

const hosts: ChildProcess[] = [];
afterEach(() => {
  for (const host of hosts.splice(0)) host.kill("SIGKILL");
});

/** A host with process modules, and their pids. */
async function startHost(): Promise<{ host: ChildProcess; pids: Pids }> {
  const [command = "", ...args] = program("host.ts");
  const host = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  hosts.push(host);
  const [line] = (await once(createInterface({ input: host.stdout as NodeJS.ReadableStream }), "line")) as [
    string,
  ];
  return { host, pids: JSON.parse(line) as Pids };
}

/** Runs the next host to its end, and answers what it found. */
async function runSuccessor(): Promise<{ ended: { pid: number }[]; orphans: { pid: number }[] }> {
  const [command = "", ...args] = program("successor.ts");
  const successor = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  successor.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const [code] = (await once(successor, "close")) as [number];
  expect(code).toBe(0);
  const reports = JSON.parse(text.trim().split("\n").at(-1) ?? "[]") as {
    ended: { pid: number }[];
    orphans: { pid: number }[];
  }[];
  return { ended: reports.flatMap(({ ended }) => ended), orphans: reports.flatMap(({ orphans }) => orphans) };
}

test("after kill -9 of the host its process modules see the end of their input and are gone within two seconds; the next host ends or names the deaf", async () => {
  const { host, pids } = await startHost();
  const { polite, deaf, elder } = pids;
  expect([polite, deaf, elder].map(isAlive)).toEqual([true, true, true]);
  const exited = once(host, "exit");
  const killedAt = performance.now();
  host.kill("SIGKILL");
  await exited;
  await eventually(() => !isAlive(polite), "the polite child lives on");
  expect(performance.now() - killedAt).toBeLessThan(2000);
  expect(isAlive(deaf)).toBe(true);

  const { ended, orphans } = await runSuccessor();
  for (const pid of [deaf, elder]) {
    const named = orphans.some((orphan) => orphan.pid === pid);
    // Another host on this machine that starts at this moment may have been first, and then it names them.
    if (!named) await eventually(() => !isAlive(pid), `${pid} was neither ended nor named`);
  }
  expect(ended.map(({ pid }) => pid)).not.toContain(process.pid);
});

test("a host that starts beside a living one touches none of its processes", async () => {
  const { host, pids } = await startHost();
  await runSuccessor();
  expect([pids.polite, pids.deaf, pids.elder].map(isAlive)).toEqual([true, true, true]);
  host.kill("SIGKILL");
  await once(host, "exit");
  await runSuccessor();
  await eventually(() => ![pids.polite, pids.deaf, pids.elder].some(isAlive), "something is left");
});
