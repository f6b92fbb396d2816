import { createKernel, type Kernel } from "@keelson/core";
import { createCompileCache, wasmModule, type CompileCache } from "@keelson/wasm";
import { execFile } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getuid } from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { adapter } from "./adapter.ts";

// Metered modules on this runtime's own files, in the temporary folder.

/** `(func (export "f") (result i32) (loop (result i32) i32.const 42))`, and so many functions that metering is some work. */
function moduleOf(functions: number): Uint8Array<ArrayBuffer> {
  const u32 = (value: number): number[] =>
    value < 128 ? [value] : [(value & 127) | 128, ...u32(value >>> 7)];
  const section = (id: number, content: readonly number[]): number[] => [
    id,
    ...u32(content.length),
    ...content,
  ];
  const body = [7, 0, 0x03, 0x7f, 0x41, 42, 0x0b, 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, 0, 1, 0x7f]),
    ...section(3, [...u32(functions), ...Array.from({ length: functions }, () => 0)]),
    ...section(7, [1, 1, 0x66, 0x00, 0]),
    ...section(10, [...u32(functions), ...Array.from({ length: functions }, () => body).flat()]),
  ]);
}

const SOURCE = moduleOf(200);
let folder: string;
const kernels: Kernel[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "keelson-kept-"));
});
afterEach(async () => {
  for (const kernel of kernels.splice(0)) await kernel.shutdown();
  await rm(folder, { recursive: true });
});

async function answer(cache: CompileCache): Promise<unknown> {
  const kernel = createKernel({ platform: adapter.platform() });
  kernels.push(kernel);
  await kernel.register(wasmModule({ id: "kept", source: SOURCE, abi: "raw", cache }));
  await kernel.start("kept");
  return kernel.invoke("kept", "f");
}

const cacheIn = (name: string): CompileCache =>
  createCompileCache({ folder: pathToFileURL(`${join(folder, name)}/`) });

describe("a metered module that is kept on disk", () => {
  test("is there at the next start, and is written anew when its file was damaged", async () => {
    const first = cacheIn("new/deep");
    expect(await answer(first)).toBe(42);
    expect(first.disk).toMatchObject({ misses: 1, written: 1, failed: 0 });
    const second = cacheIn("new/deep");
    expect(await answer(second)).toBe(42);
    expect(second.disk).toMatchObject({ hits: 1, written: 0, failed: 0 });

    const [name] = await readdir(join(folder, "new/deep"));
    const file = join(folder, "new/deep", name as string);
    const whole = await readFile(file);
    await truncate(file, whole.length - 1);
    const third = cacheIn("new/deep");
    expect(await answer(third)).toBe(42);
    expect(third.disk).toMatchObject({ hits: 0, ignored: 1, written: 1, failed: 0 });
    expect(Buffer.compare(await readFile(file), whole)).toBe(0);
  });

  test("is done without where the folder cannot be", async () => {
    await writeFile(join(folder, "file"), "no folder");
    const under = cacheIn("file/below");
    expect(await answer(under)).toBe(42);
    expect(under.disk).toMatchObject({ hits: 0, written: 0 });
    expect(under.disk?.failed).toBeGreaterThan(0);
  });

  test("is done without where the folder may not be written", async (context) => {
    if (getuid?.() === 0) return context.skip("root may write everywhere");
    await chmod(folder, 0o500);
    const locked = cacheIn("locked");
    expect(await answer(locked)).toBe(42);
    expect(locked.disk).toMatchObject({ written: 0 });
    await chmod(folder, 0o700);
  });

  test("may be made and read by several processes at once", async () => {
    const file = join(folder, "guest.wasm");
    await writeFile(file, SOURCE);
    const { command, args } = adapter.child as NonNullable<typeof adapter.child>;
    const program = fileURLToPath(new URL("./programs/keep-module.ts", import.meta.url));
    const start = async (): Promise<Record<string, number>> => {
      const { stdout } = await promisify(execFile)(command, [...args, program, file, join(folder, "shared")]);
      return JSON.parse(stdout) as Record<string, number>;
    };
    const together = await Promise.all([start(), start(), start()]);
    for (const one of together) expect(one).toMatchObject({ answer: 42, failed: 0, ignored: 0 });
    expect(await readdir(join(folder, "shared"))).toHaveLength(1);
    expect(await start()).toMatchObject({ answer: 42, hits: 1, written: 0 });
  });
});
