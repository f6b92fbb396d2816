import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
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
