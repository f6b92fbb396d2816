import { execFileSync, spawn } from "node:child_process";
import { lstatSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { MeterOptions, MeterReport } from "@keelson/wasm";
import { wat } from "../../wasm/test/support/wat.ts";
import { here } from "./here.ts";
import { folderWith, keelson } from "./program.ts";

const GUEST = wat(`(module
  (memory (export "memory") 1)
  (table 2 funcref)
  (func (export "spin") (loop $again (br $again)))
  (func $begin (drop (memory.grow (i32.const 1))))
  (start $begin))`);

interface Printed {
  readonly out?: string;
  readonly options: MeterOptions;
  readonly ms: number;
  readonly report: MeterReport;
}

test("meter prints size, growth, functions, loops, caps and time, and writes nothing", async () => {
  const folder = folderWith({ "guest.wasm": GUEST });
  const { code, stdout, stderr } = await keelson(["meter", "guest.wasm"], folder);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^size +\d+ bytes → \d+ bytes, ×\d+\.\d\d$/m);
  expect(stdout).toMatch(/^functions +2/m);
  expect(stdout).toMatch(/^loops +1, 1 of them without a call inside$/m);
  expect(stdout).toMatch(/^start +taken out/m);
  expect(stdout).toMatch(/memory: 64 MiB, 1 limit lowered or set$/m);
  expect(stdout).toMatch(/elements in tables: 1000000, 1 limit lowered or set$/m);
  expect(stdout).toMatch(/stack: 512 KiB$/m);
  expect(stdout).toMatch(/^took +[\d.]+ ms$/m);
  expect(stdout).not.toContain("\u001b");
  expect(readdirSync(folder)).toEqual(["guest.wasm"]);
});

test("meter says what is not counted and not capped, and nothing of what a module has not", async () => {
  const guest = wat(`(module (func (export "f") (result i32) (i32.const 1)))`);
  const options = ["--mode=deadline", "--memory=none", "--stack=none", "--tables=none"];
  const { code, stdout } = await here(
    "meter",
    join(folderWith({ "guest.wasm": guest }), "guest.wasm"),
    ...options,
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(/^mode +deadline: stoppable, no fuel$/m);
  expect(stdout).toMatch(/^functions +1/m);
  expect(stdout).toMatch(/^loops +0$/m);
  expect(stdout).toMatch(/^start +none$/m);
  for (const what of ["memory", "elements in tables", "stack"])
    expect(stdout).toMatch(new RegExp(`${what}: not capped$`, "m"));
});

test("meter tells the speed of modules that are large enough to have one", async () => {
  // a custom section "x" of 2 MiB
  const section = Uint8Array.of(0, 0x80, 0x80, 0x80, 0x01, 1, 0x78);
  const large = new Uint8Array(GUEST.length + 5 + 2 * 2 ** 20);
  large.set(GUEST);
  large.set(section, GUEST.length);
  const { code, stdout } = await keelson(["meter", "large.wasm"], folderWith({ "large.wasm": large }));
  expect(code).toBe(0);
  expect(stdout).toMatch(/^took +[\d.]+ ms, [\d.]+ MB\/s$/m);
});

test("meter of a plugin takes its manifest's entry and cap on memory, unless another is given", async () => {
  const manifest = { apiVersion: "keelson/v1", id: "guest", version: "1.0.0", kind: "wasm" };
  const folder = folderWith({
    "guest.wasm": GUEST,
    "manifest.json": JSON.stringify({ ...manifest, entry: "guest.wasm", limits: { memory: "2MiB" } }),
  });
  expect((await keelson(["meter", folder])).stdout).toMatch(/memory: 2 MiB, 1 limit lowered or set$/m);
  const other = await keelson(["meter", folder, "--memory", "1MiB"]);
  expect(other.stdout).toMatch(/memory: 1 MiB, 1 limit lowered or set$/m);
  writeFileSync(
    join(folder, "manifest.json"),
    JSON.stringify({ ...manifest, kind: "process", command: ["node"] }),
  );
  const child = await keelson(["meter", folder, "--json"]);
  expect([child.code, (JSON.parse(child.stdout) as { code: string }).code]).toEqual([1, "INVALID_OPTIONS"]);
});

test("meter -o writes a whole module over what was there, and says what it is for", async () => {
  const folder = folderWith({ "guest.wasm": GUEST, "out.wasm": "old" });
  const { code, stdout } = await keelson(["meter", "guest.wasm", "-o", "out.wasm"], folder);
  expect(code).toBe(0);
  expect(stdout).toContain("Keelson meters plugins itself");
  const written = new Uint8Array(readFileSync(join(folder, "out.wasm")));
  const names = WebAssembly.Module.exports(new WebAssembly.Module(written)).map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["memory", "spin"]));
  expect(names.length).toBeGreaterThan(2);
  expect(readdirSync(folder).sort()).toEqual(["guest.wasm", "out.wasm"]);
});

test("meter --json prints one object: options, time, report and what a host must know", async () => {
  const folder = folderWith({ "guest.wasm": GUEST });
  const options = ["--mode", "deadline", "--memory", "1MiB", "--stack", "none", "--tables", "10"];
  const { code, stdout } = await keelson(
    ["meter", "guest.wasm", "--json", ...options, "-o", "o.wasm"],
    folder,
  );
  expect(code).toBe(0);
  const printed = JSON.parse(stdout) as Printed;
  expect(printed.options).toEqual({ mode: "deadline", memoryBytes: 2 ** 20, tableElements: 10 });
  expect(printed).toMatchObject({ out: "o.wasm", report: { originalBytes: GUEST.length, loops: 1 } });
  expect(printed.report.meteredBytes).toBe(readFileSync(join(folder, "o.wasm")).length);
  expect(printed.ms).toBeGreaterThan(0);
});

test.each([
  ["text", "hello", "INVALID_WASM", "is text beginning with"],
  ["a file cut short", GUEST.slice(0, 40), "INVALID_WASM", "cut short"],
  ["bodies that do not decode", damaged(), "INVALID_WASM", "does not accept"],
  ["a component", component(), "UNSUPPORTED_WASM", "component"],
  ["more memory than the cap", wat("(module (memory 2000))"), "OUT_OF_MEMORY", "raise the cap"],
])("meter of %s exits with 1, a code and a hint, and writes nothing", async (_, content, code, says) => {
  const folder = folderWith({ "bad.wasm": content });
  const { code: exit, stdout, stderr } = await keelson(["meter", "bad.wasm", "-o", "out.wasm"], folder);
  expect([exit, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(new RegExp(`^${code}: .*bad\\.wasm`));
  expect(stderr).toContain(says);
  expect(stderr).toContain("hint: ");
  expect(readdirSync(folder)).toEqual(["bad.wasm"]);
});

test("meter names what cannot be read or written, and never overwrites its own input", async () => {
  const folder = folderWith({ "guest.wasm": GUEST });
  const meter = (...args: string[]): Promise<{ code: number | null; stderr: string }> =>
    keelson(["meter", ...args], folder);
  expect(await meter("none.wasm")).toMatchObject({ code: 1, stderr: expect.stringMatching(/^NOT_FOUND/) });
  const itself = await meter("guest.wasm", "-o", "./guest.wasm");
  expect(itself).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^INVALID_OPTIONS.*the input itself/),
  });
  const nowhere = await meter("guest.wasm", "-o", "none/out.wasm");
  expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringMatching(/^NOT_FOUND.*no folder none/) });
  const onFolder = await meter("guest.wasm", "-o", ".");
  expect(onFolder).toMatchObject({ code: 1, stderr: expect.stringMatching(/^IO/) });
  expect(new Uint8Array(readFileSync(join(folder, "guest.wasm")))).toEqual(GUEST);
  expect(readdirSync(folder)).toEqual(["guest.wasm"]);
  writeFileSync(join(folder, "bad.json"), "{}");
  const json = await keelson(["meter", "bad.json", "--json"], folder);
  expect(JSON.parse(json.stdout)).toMatchObject({
    type: "error",
    code: "INVALID_MANIFEST",
    hint: expect.any(String),
  });
});

test("meter -o writes through a link, and into a pipe, without replacing either", async () => {
  const folder = folderWith({ "guest.wasm": GUEST, "real.wasm": "old" });
  symlinkSync("real.wasm", join(folder, "link.wasm"));
  expect(await keelson(["meter", "guest.wasm", "-o", "link.wasm"], folder)).toMatchObject({ code: 0 });
  expect(lstatSync(join(folder, "link.wasm")).isSymbolicLink()).toBe(true);
  const written = readFileSync(join(folder, "real.wasm"));
  expect(WebAssembly.validate(new Uint8Array(written))).toBe(true);

  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const reader = spawn("timeout", ["10", "sh", "-c", 'cat "$0" > "$0.out"', pipe], { stdio: "ignore" });
  const read = new Promise((resolve) => reader.once("exit", resolve));
  expect(await keelson(["meter", "guest.wasm", "-o", "pipe"], folder)).toMatchObject({ code: 0 });
  expect(lstatSync(pipe).isFIFO()).toBe(true);
  expect(await read).toBe(0);
  expect(readFileSync(`${pipe}.out`)).toEqual(written);
});

test("what a file is called does not steer the terminal", async () => {
  const folder = folderWith({ "evil\u001b[2J.wasm": "no module" });
  const { code, stderr } = await keelson(["meter", "evil\u001b[2J.wasm"], folder);
  expect(code).toBe(1);
  expect(stderr).toContain("evil\\u001b[2J.wasm");
  expect(stderr).not.toContain("\u001b");
});

function damaged(): Uint8Array {
  const bytes = wat(`(module (func (export "f") (result i32) (i32.const 1)))`);
  bytes[bytes.length - 3] = 0x43;
  return bytes;
}

function component(): Uint8Array {
  return Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0);
}
