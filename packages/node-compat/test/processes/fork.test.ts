import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { Process, SpawnOptions } from "@keelson/core";
import { adapter, bytes, isAlive, eventually, runtime } from "../adapter.ts";

const program = new URL("../programs/child.ts", import.meta.url);

async function fork(options: SpawnOptions = {}): Promise<Process> {
  const { processes } = await adapter();
  if (processes.fork === undefined) throw new Error("no fork");
  return processes.fork(program, options);
}

async function read(chunks: AsyncIterator<Uint8Array>, length: number): Promise<Uint8Array> {
  const all = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const { value, done } = await chunks.next();
    if (done === true) throw new Error(`the output ended after ${at} bytes`);
    all.set(value, at);
    at += value.length;
  }
  return all;
}

test("a program of one's own runs on this runtime, wired to its input and output, and ends when its input does", async () => {
  await using child = await fork();
  const output = child.stdout[Symbol.asyncIterator]();
  await child.write(bytes("hello"));
  expect(new TextDecoder().decode(await read(output, 5))).toBe("hello");
  const large = new Uint8Array(3_000_000).map((_, at) => at);
  void child.write(large);
  expect(Buffer.compare(await read(output, large.length), large)).toBe(0);
  child.closeStdin();
  expect(new TextDecoder().decode(await read(output, 3))).toBe("bye");
  expect(await child.exited).toEqual({ code: 0 });
});

test("it has no more permissions than the runtime must give it", async () => {
  await using child = await fork();
  await child.write(bytes("?"));
  const { value } = await child.stdout[Symbol.asyncIterator]().next();
  const expected = {
    node: { read: true, write: false, spawn: false },
    deno: { read: false, write: false, spawn: false },
    bun: { read: true, write: true, spawn: true },
  };
  expect(JSON.parse(new TextDecoder().decode(value))).toEqual(expected[runtime]);
});

test("it takes nothing from the folder it is started in: no variables, no programs to load first", async () => {
  const folder = mkdtempSync(join(tmpdir(), "keelson-fork-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, ".env"), "KEELSON_TAKEN=1");
  writeFileSync(join(folder, "bunfig.toml"), 'preload = ["./first.ts"]');
  writeFileSync(join(folder, "first.ts"), "globalThis.keelsonTaken = true;");
  await using child = await fork({ cwd: pathToFileURL(folder) });
  await child.write(bytes("taken"));
  const { value } = await child.stdout[Symbol.asyncIterator]().next();
  expect(JSON.parse(new TextDecoder().decode(value))).toEqual({ loaded: false, variable: false });
});

test("it can tell how long it ran", async () => {
  await using child = await fork();
  await child.write(bytes("ran"));
  const { value } = await child.stdout[Symbol.asyncIterator]().next();
  const { asleep, busy } = JSON.parse(new TextDecoder().decode(value));
  expect(asleep).toBeLessThan(20);
  expect(busy).toBeGreaterThanOrEqual(10);
});

test("how much memory it takes is told while it lives", async (context) => {
  const { supports, reasons } = await adapter();
  if (supports["processMemory"] !== true) context.skip(reasons["processMemory"]);
  const child = await fork();
  await child.write(bytes("x"));
  await child.stdout[Symbol.asyncIterator]().next();
  expect(child.memoryBytes?.()).toBeGreaterThan(5_000_000);
  await child.terminate({ graceMs: 0 });
  expect(child.memoryBytes?.()).toBeUndefined();
  await eventually(() => !isAlive(child.pid));
});
