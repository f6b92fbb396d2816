import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { createKernel } from "keelson";
import { expect, test } from "vitest";
import { folderWith } from "./program.ts";

const manifest = (id: string): string =>
  JSON.stringify({ apiVersion: "keelson/v1", id, version: "1.0.0", kind: "native", entry: `${id}.mjs` });

test("a native plugin may export an object of a class, with all functions that a module can have", async () => {
  const folder = folderWith({
    "manifest.json": manifest("clerk"),
    "clerk.mjs": `
      class Clerk {
        #open = false;
        start() { this.#open = true; }
        call({ payload }) { return [this.#open, payload]; }
        async *stream() { yield 1; yield 2; }
        health() { return { healthy: this.#open, message: "asked" }; }
      }
      export default new Clerk();`,
  });
  await using kernel = await createKernel();
  const clerk = await kernel.load(folder);
  expect(await clerk.call("any", 5)).toEqual([true, 5]);
  const seen: unknown[] = [];
  for await (const value of kernel.stream("clerk", "any")) seen.push(value);
  expect(seen).toEqual([1, 2]);
  expect(await kernel.health("clerk")).toEqual({ healthy: true, message: "asked" });
});

test("a native plugin may export what nativeModule takes, its own create() included", async () => {
  const folder = folderWith({
    "manifest.json": manifest("plain"),
    "plain.mjs": `export default { methods: { one: () => 1 } };`,
    "made.json": manifest("made"),
    "made.mjs": `let count = 0; export default { create: () => ({ call: () => ++count }) };`,
  });
  await using kernel = await createKernel();
  const plain = await kernel.load(join(folder, "manifest.json"));
  const made = await kernel.load(join(folder, "made.json"));
  expect(await plain.call("one")).toBe(1);
  expect(await made.call("any")).toBe(1);
});

test("a native plugin may export an object with fields of its own; what it says of its stop holds", async () => {
  const folder = folderWith({
    "manifest.json": manifest("fields"),
    "fields.mjs": `
      class Fields { count = 0; deadlines = { stopMs: 5 }; call() { return ++this.count; } }
      export default new Fields();`,
    "bad.json": manifest("bad"),
    "bad.mjs": `export default { methods: {}, deadlines: { stop: 5 } };`,
  });
  await using kernel = await createKernel();
  const fields = await kernel.load(folder);
  expect(await fields.call("any")).toBe(1);
  await expect(kernel.load(join(folder, "bad.json"))).rejects.toMatchObject({
    code: "INVALID_OPTIONS",
    details: { option: "deadlines.stop" },
  });
});

test("a pipe in place of a manifest or of an entry is refused unread", async () => {
  const folder = folderWith({ "entry.json": manifest("pipe") });
  execFileSync("mkfifo", [join(folder, "manifest.json"), join(folder, "pipe.mjs")]);
  await using kernel = await createKernel();
  for (const path of [folder, join(folder, "manifest.json"), join(folder, "entry.json"), "/dev/zero"]) {
    await expect(kernel.load(path)).rejects.toMatchObject({
      code: "IO",
      message: expect.stringContaining("is no file") as string,
    });
  }
});
