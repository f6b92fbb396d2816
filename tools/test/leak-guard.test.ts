import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Worker } from "node:worker_threads";
import { beforeEach, describe, expect, test } from "vitest";
import { findLeaks, takeSnapshot } from "../vitest/leaks.ts";
import { recordTimers } from "../vitest/timers.ts";

const options = { settleMs: 0, wait: (): Promise<void> => Promise.resolve() };
const settled = {
  wait: (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms)),
};

const NO_PROC = "leaks are looked for where the system has /proc";
const hasProc = existsSync("/proc/self/task");

describe("the leak guard", () => {
  beforeEach((context) => {
    if (!hasProc) context.skip(NO_PROC);
  });

  test("names a child process that is left, and nothing once it is gone", async () => {
    const before = takeSnapshot();
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    await once(child, "spawn");
    expect(await findLeaks(before, options)).toEqual([
      expect.stringContaining(`a child process ${child.pid}`),
    ]);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await findLeaks(before, settled)).toEqual([]);
  });

  test("names a worker thread that is left, and nothing once it is gone", async () => {
    const before = takeSnapshot();
    const worker = new Worker("setInterval(() => {}, 1000)", { eval: true });
    await once(worker, "online");
    expect(await findLeaks(before, options)).toEqual([expect.stringContaining("a worker thread")]);
    await worker.terminate();
    expect(await findLeaks(before, settled)).toEqual([]);
  });

  test("names an open file and a listening socket", async () => {
    const folder = mkdtempSync(join(tmpdir(), "keelson-leak-"));
    const before = takeSnapshot();
    const file = await open(join(folder, "held"), "w");
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    expect((await findLeaks(before, options)).toSorted()).toEqual([
      "a listening socket",
      `an open file: ${join(folder, "held")}`,
    ]);
    await file.close();
    server.close();
    await once(server, "close");
    expect(await findLeaks(before, settled)).toEqual([]);
    rmSync(folder, { recursive: true });
  });
});

test("the record of timers keeps those of Keelson's sources until they fire or are cleared", async () => {
  const scope = { setTimeout, clearTimeout, setInterval, clearInterval };
  const record = recordTimers(scope as unknown as typeof globalThis);
  scope.clearTimeout(scope.setTimeout(() => {}, 60_000));
  expect(record.live().size).toBe(0);

  // The record looks at the stack, so the timer is set from a function that claims to lie in a package.
  const set = new Function(
    "scope",
    "run",
    "ms",
    "return scope.setTimeout(run, ms);\n//# sourceURL=/x/packages/y/src/z.ts",
  );
  const handle: unknown = set(scope, () => {}, 60_000);
  expect([...record.live().values()]).toEqual([expect.stringContaining("setTimeout at packages/y/src/z.ts")]);
  scope.clearTimeout(handle as Parameters<typeof clearTimeout>[0]);
  expect(record.live().size).toBe(0);

  await new Promise<void>((resolve) => void set(scope, resolve, 0));
  expect(record.live().size).toBe(0);
});

test("the guard fails a test that leaves a child behind, and that test alone", async (context) => {
  if (!hasProc) return context.skip(NO_PROC);
  const runtime =
    { node: [], deno: ["run", "-A"], bun: ["--bun"] }[process.env["KEELSON_EXPECT_RUNTIME"] ?? "node"] ?? [];
  const vitest = join(import.meta.dirname, "../../node_modules/vitest/vitest.mjs");
  const config = join(import.meta.dirname, "fixtures/vitest.config.ts");
  const folder = mkdtempSync(join(tmpdir(), "keelson-guard-"));
  const env = {
    ...process.env,
    KEELSON_TEST_REPORT: join(folder, "report.json"),
    KEELSON_LEAK_SETTLE_MS: "100",
  };
  const child = spawn(process.execPath, [...runtime, vitest, "run", "--config", config], {
    env,
    stdio: "ignore",
  });
  await once(child, "close");
  const report = JSON.parse(readFileSync(join(folder, "report.json"), "utf8")) as {
    testResults: { assertionResults: { title: string; status: string; failureMessages: string[] }[] }[];
  };
  rmSync(folder, { recursive: true });
  const [leaky, clean] = report.testResults[0]?.assertionResults ?? [];
  expect(leaky).toMatchObject({ status: "failed" });
  expect(leaky?.failureMessages.join()).toContain("The test left behind:\n- a child process");
  expect(clean).toMatchObject({ status: "passed" });
});
