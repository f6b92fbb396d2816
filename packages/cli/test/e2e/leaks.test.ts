import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { type Holdings, program } from "./host.ts";

interface Report {
  readonly faults: readonly string[];
  readonly found: readonly [Holdings, Holdings];
}

/** Runs a program to its own end: its last line, its exit code, and how long it lived on after that line. */
async function runToItsEnd(
  name: string,
): Promise<{ report: Report; code: number | null; lingeredMs: number }> {
  const [command = "", ...args] = program(name);
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit") as Promise<[number | null]>;
  let text = "";
  let saidAt = 0;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    saidAt = performance.now();
  });
  const closed = once(child, "close");
  const [code] = await exited;
  const lingeredMs = performance.now() - saidAt;
  await closed;
  return { report: JSON.parse(text.trim().split("\n").at(-1) ?? "") as Report, code, lingeredMs };
}

test("a host that was given everything bad holds no process, thread or descriptor for it, and ends by itself", async () => {
  const { report, code, lingeredMs } = await runToItsEnd("bad-input.ts");
  expect(report.faults).toEqual([]);
  const [first, second] = report.found;
  expect(second.children).toEqual([]);
  expect(second.threads).toBeLessThanOrEqual(first.threads);
  expect(second.descriptors).toBeLessThanOrEqual(first.descriptors + 2);
  expect(code).toBe(0);
  expect(lingeredMs).toBeLessThan(2000);
}, 180_000);
