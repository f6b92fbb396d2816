import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { run, runOrThrow } from "../command.ts";

/** Whether a process is there and is not merely waiting to be collected by its parent. */
function isAlive(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

test("a command that passes its limit is ended together with its children", async () => {
  const result = await run("sh", ["-c", "sleep 60 & echo $!; wait"], { limitMs: 300 });
  expect(result).toMatchObject({ code: null, timedOut: true });
  const grandchild = result.stdout.trim();
  expect(grandchild).toMatch(/^\d+$/);
  await expect.poll(() => isAlive(grandchild)).toBe(false);
});

test("a command is ended together with its children when its signal fires", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const running = run("sh", ["-c", "sleep 60 & wait"], { signal });
  controller.abort();
  expect(await running).toMatchObject({ code: null, timedOut: false });
});

test("a failing command is a result, or an error that carries all it printed", async () => {
  expect(await run("sh", ["-c", "echo out; exit 3"])).toMatchObject({
    code: 3,
    stdout: "out\n",
    timedOut: false,
  });
  await expect(runOrThrow("sh", ["-c", "echo out; echo err >&2; exit 3"])).rejects.toThrow(
    /ended with 3\nout\nerr/,
  );
});
