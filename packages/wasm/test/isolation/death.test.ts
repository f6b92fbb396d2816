import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Platform, Workers } from "@keelson/core";
import { GUEST } from "./guests.ts";
import { codeOf, eventually, isAlive, open, runtime } from "./harness.ts";

function workersRunning(program: string): (platform: Platform) => Platform {
  const other = new URL(`programs/${program}`, import.meta.url);
  return (platform) => {
    const workers = platform.workers as Workers;
    return { ...platform, workers: { start: (_, receive) => workers.start(other, receive) } };
  };
}

test("a thread that does not stop when it is told to is given up, which is logged, and the next call gets another", async () => {
  const { kernel, written } = await open("worker", { source: GUEST }, workersRunning("deaf.ts"));
  expect(await kernel.invoke("guest", "count")).toBe(1);
  expect(await codeOf(kernel.invoke("guest", "count", undefined, { timeoutMs: 30 }))).toBe(
    "DEADLINE_EXCEEDED",
  );
  expect(await kernel.invoke("guest", "count")).toBe(1);
  expect(written).toContainEqual(
    expect.objectContaining({ level: "warn", message: expect.stringContaining("given up") as string }),
  );
});

test("a thread that dies fails its call with WORKER_EXITED, and the next call gets another", async () => {
  const { kernel } = await open("worker", { source: GUEST }, workersRunning("mortal.ts"));
  expect(await kernel.invoke("guest", "count")).toBe(1);
  expect(await codeOf(kernel.invoke("guest", "count"))).toBe("WORKER_EXITED");
  expect(kernel.state("guest")).toBe("running");
  expect(await kernel.invoke("guest", "count")).toBe(1);
});

test("a thread whose answer is none is ended with WORKER_EXITED, and the next call gets another", async () => {
  const { kernel } = await open("worker", { source: GUEST }, workersRunning("babbling.ts"));
  expect(await kernel.invoke("guest", "count")).toBe(1);
  expect(await codeOf(kernel.invoke("guest", "count"))).toBe("WORKER_EXITED");
  expect(await kernel.invoke("guest", "count")).toBe(1);
});

test("after kill -9 of the host the processes of its guests are gone within two seconds, the busy one too", async () => {
  const program = fileURLToPath(new URL("programs/host.ts", import.meta.url));
  const flags = runtime === "deno" ? ["run", "-A"] : [];
  const host = spawn(process.execPath, [...flags, program], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [line] = (await once(createInterface({ input: host.stdout }), "line")) as [string];
    const { idle, all } = JSON.parse(line) as { idle: number[]; all: number[] };
    expect([idle.length, all.length]).toEqual([1, 2]);
    const exited = once(host, "exit");
    host.kill("SIGKILL");
    await exited;
    // Two seconds are 400 looks, 5 ms apart: on a machine where others wait for a core, so does this test.
    let looks = 0;
    await eventually(() => ++looks > 400 || !all.some(isAlive));
    expect(all.filter(isAlive)).toEqual([]);
  } finally {
    host.kill("SIGKILL");
  }
});
