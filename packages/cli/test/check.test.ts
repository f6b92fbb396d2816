import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { here } from "./here.ts";
import { folderWith, keelson } from "./program.ts";

const VALID = JSON.stringify({
  apiVersion: "keelson/v1",
  id: "markdown",
  version: "1.2.0",
  kind: "wasm",
  entry: "markdown.wasm",
  limits: { memory: "64MiB" },
  capabilities: ["log", { name: "http.fetch", scope: ["https://example.org"] }],
  hooks: [{ type: "filter", name: "page.html", method: "render" }],
});
const INVALID = `{
  "apiVersion": "keelson/v1",
  "id": "markdown",
  "version": "1.2",
  "kind": "wasm",
  "entry": "../markdown.wasm",
  "limits": { "memmory": "64MiB" }
}`;

test("check prints a valid manifest with its defaults, given its path or its folder", async () => {
  const folder = folderWith({ "manifest.json": VALID });
  for (const path of [folder, join(folder, "manifest.json")]) {
    const { code, stdout } = await keelson(["check", path]);
    expect(code).toBe(0);
    expect(stdout).toContain("67108864 bytes (64 MiB)");
    expect(stdout).toContain("http.fetch: https://example.org");
    expect(stdout).toContain("filter page.html → render");
  }
});

test("check prints all that a manifest can have, one thing a line, and what it lacks as none", async () => {
  const full = {
    ...(JSON.parse(VALID) as object),
    kind: "own",
    limits: { memory: "1500KiB", storage: "3MiB", fuel: 1000 },
    hooks: [{ type: "action", name: "saved", priority: 5 }],
    routes: [{ method: "GET", path: "/x", handler: "show" }],
    depends: { store: "^1.0.0" },
    settings: { deep: { a: [1] } },
  };
  const { code, stdout } = await here("check", folderWith({ "manifest.json": JSON.stringify(full) }));
  expect(code).toBe(0);
  for (const line of [
    "memory 1536000 bytes",
    "storage 3145728 bytes (3 MiB)",
    "action saved → saved (priority 5)",
    "GET /x → show",
    "store ^1.0.0",
    'deep {"a":[1]}',
  ])
    expect(stdout.split("\n").filter((one) => one.endsWith(` ${line}`))).toHaveLength(1);
  const bare = await here("check", folderWith({ "manifest.json": VALID }));
  expect(bare.stdout).toMatch(/^routes +none$/m);
});

test("check notes an entry that is not there yet, and a kind that only a loader of the host's could take", async () => {
  const folder = folderWith({ "manifest.json": VALID });
  const unbuilt = await keelson(["check", folder]);
  expect([unbuilt.code, unbuilt.stdout]).toEqual([0, expect.stringContaining("There is no markdown.wasm")]);
  writeFileSync(join(folder, "markdown.wasm"), "");
  expect((await keelson(["check", folder])).stdout).not.toContain("There is no");
  writeFileSync(join(folder, "manifest.json"), VALID.replace('"wasm"', '"wsam"'));
  expect((await keelson(["check", folder])).stdout).toContain("Did you mean `wasm`?");
});

test("check --json prints the parsed manifest, or the error with all its issues", async () => {
  const folder = folderWith({ "manifest.json": VALID, "bad.json": INVALID });
  const good = await keelson(["check", folder, "--json"]);
  expect(JSON.parse(good.stdout)).toMatchObject({
    id: "markdown",
    name: "markdown",
    limits: { memory: 2 ** 26 },
  });
  const bad = await keelson(["check", join(folder, "bad.json"), "--json"]);
  expect(bad.code).toBe(1);
  const { code, details } = JSON.parse(bad.stdout) as {
    code: string;
    details: { issues: { path: string }[] };
  };
  expect(code).toBe("INVALID_MANIFEST");
  expect(details.issues.map(({ path }) => path)).toEqual(["version", "entry", "limits.memmory"]);
});

test("check names everything that is wrong, with lines and hints, and exits with 1", async () => {
  const folder = folderWith({ "manifest.json": INVALID });
  const { code, stdout, stderr } = await keelson(["check", folder]);
  expect(code).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toContain("version (line 4)");
  expect(stderr).toContain("entry (line 6)");
  expect(stderr).toContain("did you mean `memory`?");
});

test("check of a path where nothing is exits with 1 and NOT_FOUND", async () => {
  const { code, stderr } = await keelson(["check", join(folderWith({}), "nothing")]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^NOT_FOUND/);
});
