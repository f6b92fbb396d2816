import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { type Holdings, program } from "./host.ts";

interface Report {
  readonly faults: readonly string[];
  /** After each round, of which there are more than two while there are more threads after each. */
  readonly found: readonly Holdings[];
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
  const [first, ...later] = report.found;
  const [one, other] = report.found.slice(-2);
  expect(later.length).toBeGreaterThan(0);
  expect(report.found.map(({ children }) => children)).toEqual(report.found.map(() => []));
  expect(other?.threads, JSON.stringify(report.found)).toBeLessThanOrEqual(one?.threads ?? 0);
  expect(other?.descriptors).toBeLessThanOrEqual((first?.descriptors ?? 0) + 2);
  expect(code).toBe(0);
  // Half of the time that its shortest timer would hold it.
  expect(lingeredMs).toBeLessThan(5_000);
}, 180_000);
