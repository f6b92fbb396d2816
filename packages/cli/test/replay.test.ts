import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isKeelsonError, type Value } from "@keelson/core";
import {
  parseRecord,
  printRecord,
  wasmModule,
  type CallRecording,
  type WasmModuleOptions,
} from "@keelson/wasm";
import { createKernel } from "#runtime";
import { wat } from "../../wasm/test/support/wat.ts";
import { here } from "./here.ts";
import { bin, folderWith, keelson, Program, runtime } from "./program.ts";

const GUEST = wat(`(module
  (import "host" "next" (func $next (result i32)))
  (memory (export "memory") 1)
  (func (export "sum") (param $times i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (call $next)))
      (i32.store (i32.const 0) (local.get $sum))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br_if $again (local.get $times)))
    (local.get $sum))
  (func (export "spin") (param i32) (loop $again (br $again)))
  (func (export "none") (param i32) (result f64) (f64.const nan))
  (func (export "odd") (param i32) (result f64 f64 f64 i32) (f64.const -0) (f64.const -inf) (f64.const 0) (i32.const 7))
  (func (export "trap") (param i32) unreachable))`);

/** A guest that answers something else than the one above. */
const OTHER = wat(`(module
  (import "host" "next" (func $next (result i32)))
  (memory (export "memory") 1)
  (func (export "sum") (param i32) (result i32) (drop (call $next)) (i32.const 1)))`);

/** Records one call in a folder of its own, beside the module. */
async function recorded(
  method: string,
  limits: NonNullable<WasmModuleOptions["limits"]> = {},
): Promise<string> {
  await using kernel = await createKernel({ platform: { log: { level: "silent" } } });
  let count = 0;
  const imports = { host: { next: () => ++count } };
  await kernel.register(wasmModule({ id: "guest", source: GUEST, abi: "raw", imports, limits }));
  await kernel.start();
  let record: Value;
  try {
    ({ record } = await kernel.measure("guest", method, [5], { record: true }));
  } catch (error) {
    if (!isKeelsonError(error)) throw error;
    record = error.details?.["record"] as Value;
  }
  return folderWith({
    "call.json": printRecord(record as CallRecording),
    "guest.wasm": GUEST,
    "other.wasm": OTHER,
  });
}

test.each([
  ["sum", {}, "answered"],
  ["sum", { fuel: 300 }, "FUEL_EXHAUSTED"],
  ["spin", { cpuMs: 5 }, "DEADLINE_EXCEEDED"],
  ["trap", {}, "WASM_TRAP"],
])("replay of %s under %j ends as before, with %s, and exits with 0", async (method, limits, outcome) => {
  const folder = await recorded(method, limits);
  const { code, stdout, stderr } = await keelson(["replay", "call.json"], folder);
  expect([stderr, code]).toEqual(["", 0]);
  const fuel = String.raw`after [\d,]+ units of fuel`;
  expect(stdout).toMatch(new RegExp(`^recorded +${outcome}, ${fuel}$`, "m"));
  expect(stdout).toMatch(new RegExp(`^now +${outcome}, ${fuel}$`, "m"));
  expect(stdout).toContain("The same: ");
  expect(stdout).not.toContain("\u001b");
});

const OTHERS = [
  { name: "node", args: [] },
  { name: "deno", args: ["run", "-A"] },
  { name: "bun", args: ["--bun"] },
].filter(({ name }) => name !== runtime);

test.each(OTHERS)(
  "a call that was stopped by its time here ends at the same instruction on $name",
  async ({ name, args }) => {
    const folder = await recorded("spin", { cpuMs: 5 });
    const command = fileURLToPath(new URL(`../../../node_modules/.bin/${name}`, import.meta.url));
    const there = new Program(command, [...args, bin, "replay", "call.json"], { cwd: folder });
    const { code, stdout, stderr } = await there.ended;
    expect([stderr, code]).toEqual(["", 0]);
    expect(stdout).toContain("The same: ");
  },
);

test("replay finds the module beside the record by its hash, or takes the one that is named", async () => {
  const folder = await recorded("sum");
  const json = await keelson(["replay", join(folder, "call.json"), "--json"]);
  expect(json.code).toBe(0);
  const told = JSON.parse(json.stdout) as {
    readonly recorded: unknown;
    readonly replayed: { readonly fuel: number };
  };
  expect(told).toMatchObject({
    wasm: join(folder, "guest.wasm"),
    module: "guest",
    method: "sum",
    equal: true,
    differences: [],
    recorded: { outcome: "answered", fuel: told.replayed.fuel },
    replayed: { outcome: "answered", value: 15 },
  });
});

test("replay --json writes numbers that JSON does not know as records do", async () => {
  const { code, stdout } = await keelson(["replay", "call.json", "--json"], await recorded("none"));
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ replayed: { value: { $number: "NaN" } } });
  const odd = await here("replay", "--json", join(await recorded("odd"), "call.json"));
  expect(JSON.parse(odd.stdout)).toMatchObject({
    replayed: { value: [{ $number: "-0" }, { $number: "-Infinity" }, 0, 7] },
  });
});

test("replay --json tells with what a call failed again, and no value", async () => {
  const { code, stdout } = await here("replay", "--json", join(await recorded("trap"), "call.json"));
  expect(code).toBe(0);
  const { replayed } = JSON.parse(stdout) as { readonly replayed: object };
  expect(replayed).toMatchObject({ outcome: "WASM_TRAP", message: expect.stringContaining("guest") });
  expect(replayed).not.toHaveProperty("value");
});

test("replay with another module, or of a record that was changed, says what differs and exits with 1", async () => {
  const folder = await recorded("sum");
  const other = await keelson(["replay", "call.json", "--wasm", "other.wasm"], folder);
  expect([other.stderr, other.code]).toEqual(["", 1]);
  expect(other.stdout).toContain("the module is another one");
  expect(other.stdout).toContain("It went another way.");
  const record = parseRecord(readFileSync(join(folder, "call.json"), "utf8"));
  const changed = { ...record, outcome: { ...record.outcome, fuel: record.outcome.fuel + 1 } };
  writeFileSync(join(folder, "changed.json"), printRecord(changed));
  const { code, stdout } = await keelson(["replay", "changed.json", "--json"], folder);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ equal: false, differences: [expect.stringContaining("fuel")] });
});

test("replay gives up a record that asks for more work than there is time", async () => {
  const folder = await recorded("spin", { cpuMs: 5 });
  const record = parseRecord(readFileSync(join(folder, "call.json"), "utf8"));
  const forged = { ...record, outcome: { ...record.outcome, fuel: 2 ** 52 } };
  writeFileSync(join(folder, "forged.json"), printRecord(forged));
  const { code, stdout, stderr } = await keelson(["replay", "forged.json", "--timeout", "0.2"], folder);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^DEADLINE_EXCEEDED: The call of guest\.spin was run again for 200 ms/);
  expect(stderr).toContain("if you trust the record");
  for (const bad of ["0", "-1", "soon", ""]) {
    const refused = await keelson(["replay", "call.json", `--timeout=${bad}`], folder);
    expect([refused.code, refused.stderr.includes("--timeout")], bad).toEqual([2, true]);
  }
});

test("replay refuses what is no record, and says where to look for a module that it does not find", async () => {
  const folder = folderWith({ "call.json": "{}", "text.json": "hello" });
  for (const name of ["call.json", "text.json"]) {
    const { code, stdout, stderr } = await keelson(["replay", name], folder);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^INVALID_RECORD: /);
  }
  expect((await keelson(["replay", "none.json"], folder)).stderr).toMatch(/^NOT_FOUND: /);
  const alone = await recorded("sum");
  const elsewhere = folderWith({ "call.json": readFileSync(join(alone, "call.json"), "utf8") });
  const { code, stderr } = await keelson(["replay", "call.json"], elsewhere);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^NOT_FOUND: The module guest of call\.json is not beside it/);
  expect(stderr).toContain("--wasm");
});
