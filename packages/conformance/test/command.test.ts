import { execFile } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { conformanceCommand, runConformance, type Report } from "../src/index.ts";
import { adapter, runtime } from "./adapter.ts";
import { broken } from "./broken/index.ts";
import { createSubject } from "../src/index.ts";

test("a line a check, a table, and the counts", async () => {
  const lines: string[] = [];
  const report = await runConformance({ adapter, only: ["pool."], print: (line) => lines.push(line) });
  expect(report.counts).toEqual({ passed: 8, failed: 0, skipped: 0 });
  expect(lines.filter((line) => line.startsWith("ok "))).toHaveLength(8);
  expect(lines.at(-1)).toMatch(/pool\s+8\s+0\s+0/);
  expect(lines.at(-1)).toMatch(/promise 4: in part \(1 of 12\)/);
});

test("a broken promise is named, with what showed it, and the rest still runs", async () => {
  const lines: string[] = [];
  const breaking = broken["pool.max-uses"];
  if (breaking === undefined) throw new Error("the broken subject is gone");
  const report = await runConformance({
    adapter: breaking(createSubject(adapter)),
    only: ["pool."],
    json: true,
    print: (line) => lines.push(line),
  });
  expect(report.counts).toMatchObject({ failed: 1, passed: 7 });
  const printed = JSON.parse(lines.join("\n")) as Report;
  expect(printed.results.find(({ id }) => id === "pool.max-uses")).toMatchObject({
    status: "failed",
    reason: expect.stringContaining("instances used") as string,
  });
});

test("a check that needs what the platform lacks is skipped with the platform's own reason", async () => {
  const { allChecks, runChecks } = await import("../src/index.ts");
  const [check] = allChecks;
  if (check === undefined) throw new Error("no checks");
  const platform = adapter.platform();
  const lacking = {
    platform: () => ({ ...platform, supports: {}, reasons: { processes: "there are none here" } }),
  };
  const report = await runChecks([{ ...check, requires: ["processes"] }], createSubject(lacking));
  expect(report.results).toMatchObject([{ status: "skipped", reason: "there are none here" }]);
});

test("an unknown check or an unusable adapter is INVALID_OPTIONS with a hint", async () => {
  const print = (): void => {};
  await expect(runConformance({ adapter, only: ["pool.max-use"], print })).rejects.toMatchObject({
    code: "INVALID_OPTIONS",
    hint: expect.stringContaining("pool.max-uses") as string,
  });
  await expect(
    runConformance({ adapter: new URL("./none.ts", import.meta.url), print }),
  ).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
  await expect(
    runConformance({ adapter: new URL("./broken/index.ts", import.meta.url), print }),
  ).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
});

test("a platform() that throws or answers none is INVALID_OPTIONS and says what is missing", async () => {
  const print = (): void => {};
  const run = (platform: () => unknown): Promise<unknown> =>
    runConformance({ adapter: { platform } as never, only: ["clock."], print });
  const failing = run(() => {
    throw undefined;
  });
  await expect(failing).rejects.toMatchObject({
    code: "INVALID_OPTIONS",
    message: expect.stringContaining("failed: thrown undefined") as string,
  });
  for (const junk of [undefined, 5, Promise.resolve(), { name: "x" }]) {
    await expect(run(() => junk)).rejects.toMatchObject({
      code: "INVALID_OPTIONS",
      message: expect.stringContaining("it lacks") as string,
    });
  }
});

test("a clock that never rings fails its checks and does not hold up the run", async () => {
  const platform = adapter.platform();
  const clock = { ...platform.clock, after: () => ({ [Symbol.dispose]() {} }) };
  const lines: string[] = [];
  const report = await runConformance({
    adapter: { platform: () => ({ ...platform, clock }) },
    only: ["clock.", "random."],
    timeoutMs: 50,
    print: (line) => lines.push(line),
  });
  expect(report.counts.failed).toBeGreaterThan(0);
  expect(lines.join("\n")).toContain("did not end within 50 ms");
  expect(report.results.filter(({ id }) => id.startsWith("random."))).toMatchObject([
    { status: "passed" },
    { status: "passed" },
  ]);
});

test("the command exits with 0 when all was passed or skipped, 1 for a broken promise, 2 for a wrong call", async () => {
  const lines: string[] = [];
  const call = (...argv: string[]): Promise<number> =>
    conformanceCommand(argv, {
      print: (line) => lines.push(line),
      cwd: new URL("./adapters/", import.meta.url),
    });
  expect(await call("--adapter", "own.ts", "--only=random.", "--only", "wasm.")).toBe(0);
  expect(lines.join("\n")).toContain("the adapter brings no wasmModule()");
  expect(await call("--adapter=broken.ts", "--only", "random.")).toBe(1);
  expect(await call("--list")).toBe(0);
  for (const wrong of [
    [],
    ["--adapter"],
    ["--frobnicate"],
    ["--adapter", "none.ts"],
    ["--adapter", "own.ts", "--only", "rando."],
  ]) {
    lines.length = 0;
    expect(await call(...wrong)).toBe(2);
    expect(lines.join("\n")).toContain("hint:");
  }
});

test("a run that is aborted ends after the check under way", async () => {
  const controller = new AbortController();
  const lines: string[] = [];
  const print = (line: string): void => {
    lines.push(line);
    controller.abort();
  };
  const run = runConformance({ adapter, only: ["random."], signal: controller.signal, print });
  await expect(run).rejects.toMatchObject({ code: "ABORTED" });
  expect(lines).toHaveLength(1);
});

test("it is a program on this runtime", async () => {
  const flags = { node: [], deno: ["run", "-A"], bun: ["run"] }[runtime];
  const bin = fileURLToPath(new URL("../src/bin.ts", import.meta.url));
  const cwd = fileURLToPath(new URL("./adapters", import.meta.url));
  const { NODE_OPTIONS: _, ...env } = process.env;
  const run = (...args: string[]): Promise<{ code: number; text: string }> =>
    new Promise((resolve) => {
      execFile(process.execPath, [...flags, bin, ...args], { cwd, env }, (error, text) => {
        resolve({ code: error === null ? 0 : Number(error.code), text });
      });
    });
  const { code, text } = await run("--adapter", "./own.ts", "--only", "random.", "--json");
  expect(JSON.parse(text)).toMatchObject({
    platform: { name: runtime },
    counts: { passed: 2, failed: 0, skipped: 0 },
  });
  expect(code).toBe(0);
  expect((await run("--adapter", "./broken.ts", "--only", "random.")).code).toBe(1);
});
