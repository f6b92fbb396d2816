import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ECHO, keelsonGuest } from "../../wasm/test/support/guests.ts";
import { wat } from "../../wasm/test/support/wat.ts";
import { here } from "./here.ts";
import { folderWith, keelson } from "./program.ts";

const GUEST = wat(keelsonGuest(ECHO));
const MANIFEST = {
  apiVersion: "keelson/v1",
  id: "echo",
  version: "1.0.0",
  kind: "wasm",
  entry: "echo.wasm",
  capabilities: [{ name: "http.fetch", scope: ["https://example.org"] }],
  limits: { memory: "1MiB" },
};

test("inspect of a file prints its profile, exports with types, memory, and whether it can be metered", async () => {
  const folder = folderWith({ "echo.wasm": GUEST });
  const { code, stdout, stderr } = await keelson(["inspect", "echo.wasm"], folder);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^echo\.wasm is a WebAssembly module of \d+ bytes with \d+ functions\.$/m);
  expect(stdout).toMatch(/^ABI profile +keelson$/m);
  expect(stdout).toMatch(/keelson_call {2}\(i32, i32, i32, i32, i32\) → i32$/m);
  expect(stdout).toMatch(/^memory +64 KiB, no maximum of its own$/m);
  expect(stdout).toMatch(/^metering +possible: grows to /m);
  expect(stdout).not.toContain("\u001b");
});

test("inspect never runs the guest, not even its start function", async () => {
  const folder = folderWith({
    "loop.wasm": wat(`(module (func $begin (loop $again (br $again))) (start $begin) (func (export "run")))`),
  });
  const { code, stdout } = await keelson(["inspect", "loop.wasm"], folder);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^start +function 0 runs at each instantiation$/m);
});

test("inspect of a manifest or its folder adds what the plugin asks for, and looks at the code that it names", async () => {
  const folder = folderWith({ "manifest.json": JSON.stringify(MANIFEST), "echo.wasm": GUEST });
  for (const path of [folder, join(folder, "manifest.json")]) {
    const { code, stdout } = await keelson(["inspect", path]);
    expect(code).toBe(0);
    expect(stdout).toContain("http.fetch: https://example.org");
    expect(stdout).toContain("1048576 bytes (1 MiB)");
    expect(stdout).toMatch(/^ABI profile +keelson$/m);
  }
});

test("inspect --json prints one object, with what keeps a plugin from starting: exports it lacks, and why it cannot be metered", async () => {
  const small = { ...MANIFEST, abi: "oxide", limits: { memory: "1KiB" } };
  const folder = folderWith({ "manifest.json": JSON.stringify(small), "echo.wasm": GUEST });
  const { code, stdout } = await keelson(["inspect", folder, "--json"]);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    manifest: { id: "echo", limits: { memory: 1024 } },
    entry: "echo.wasm",
    wasm: {
      profiles: [
        { name: "oxide", chosen: true, missing: expect.any(Array) },
        { name: "keelson", missing: [] },
      ],
      memories: [{ minBytes: 65_536, imported: false }],
      metering: { possible: false, error: { code: "OUT_OF_MEMORY", hint: expect.any(String) } },
    },
  });
  // As a bare file it may be all that its host needs.
  expect((await keelson(["inspect", join(folder, "echo.wasm")])).code).toBe(0);
  const text = await keelson(["inspect", folder]);
  expect(text.stdout).toMatch(/^metering +impossible: OUT_OF_MEMORY, /m);
  expect(text.stdout).toContain("oxide, but it lacks alloc(i32) → i32");
  expect(text.stdout).toContain("keelson would fit too");
});

test("inspect exits with 1 when the code is not what the manifest's integrity names, and says what it is", async () => {
  const folder = folderWith({ "echo.wasm": GUEST });
  const inspect = async (integrity: string): Promise<{ code: number | null; stdout: string }> => {
    writeFileSync(join(folder, "manifest.json"), JSON.stringify({ ...MANIFEST, integrity }));
    return keelson(["inspect", folder]);
  };
  const differs = await inspect(`sha256-${"A".repeat(43)}=`);
  expect(differs.code).toBe(1);
  const [, actual = ""] = /does not fit: echo\.wasm has (sha256-\S+)/.exec(differs.stdout) ?? [];
  const fits = await inspect(actual);
  expect([fits.code, fits.stdout]).toEqual([0, expect.not.stringContaining("does not fit")]);
});

test("inspect of a plugin of another kind shows the manifest alone", async () => {
  const process = { ...MANIFEST, kind: "process", entry: undefined, command: ["cat"] };
  const folder = folderWith({ "manifest.json": JSON.stringify(process) });
  const { code, stdout } = await keelson(["inspect", folder]);
  expect(code).toBe(0);
  expect(stdout).toContain("kind process has no WebAssembly");
  const json = JSON.parse((await here("inspect", folder, "--json")).stdout) as object;
  expect(json).toMatchObject({ manifest: { id: "echo", kind: "process" } });
  expect(Object.keys(json)).toEqual(["file", "manifest"]);
});

test("inspect exits with 1 for a module that the engine refuses, and still shows it", async () => {
  const bytes = wat(`(module (func (export "f") (result i32) (i32.const 1)))`);
  bytes[bytes.length - 3] = 0x43;
  const { code, stdout } = await keelson(["inspect", "bad.wasm"], folderWith({ "bad.wasm": bytes }));
  expect(code).toBe(1);
  expect(stdout).toContain("This engine refuses it: ");
  expect(stdout).toMatch(/^exports +f /m);
});

test("inspect meters a plugin that asks for no memory as any other, and tells how", async () => {
  const { limits: _, ...rest } = MANIFEST;
  const folder = folderWith({ "manifest.json": JSON.stringify(rest), "echo.wasm": GUEST });
  const { code, stdout } = await here("inspect", folder, "--json");
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    wasm: { metering: { possible: true, report: { cappedMemories: 1 } } },
  });
});

test("inspect makes control characters in a module's names visible", async () => {
  const folder = folderWith({ "evil.wasm": wat(`(module (func (export "\\1b[2Jgone\\0a")))`) });
  const { stdout } = await keelson(["inspect", "evil.wasm"], folder);
  expect(stdout).not.toContain("\u001b");
  expect(stdout).toContain("\\u001b[2Jgone");
});

test.each([
  ["nothing", {}, "NOT_FOUND"],
  ["text", { x: "hello" }, "INVALID_WASM"],
  ["a file cut short", { x: GUEST.slice(0, 99) }, "INVALID_WASM"],
  ["a manifest with mistakes", { x: '{"id": 1}' }, "INVALID_MANIFEST"],
  ["a manifest without its code", { x: JSON.stringify(MANIFEST) }, "NOT_FOUND"],
])("inspect of %s exits with 1, a code and a hint", async (_, files, code) => {
  const { code: exit, stdout, stderr } = await keelson(["inspect", "x"], folderWith(files));
  expect([exit, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(new RegExp(`^${code}: `));
  expect(stderr).toMatch(/hint: |did you mean|must be|is missing/);
});

test("an entry or a manifest that is no file, which may never end, is refused unread", async () => {
  const folder = folderWith({ "manifest.json": JSON.stringify({ ...MANIFEST, entry: "deep" }) });
  mkdirSync(join(folder, "deep"));
  const entry = await keelson(["inspect", "manifest.json"], folder);
  expect(entry.code).toBe(1);
  expect(entry.stderr).toMatch(/deep is not a file/);
  mkdirSync(join(folder, "deep", "manifest.json"));
  const manifest = await keelson(["inspect", "deep"], folder);
  expect(manifest.code).toBe(1);
  expect(manifest.stderr).toMatch(/manifest\.json is not a file/);
});
