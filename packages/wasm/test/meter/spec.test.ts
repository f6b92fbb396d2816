import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { meter } from "../../src/meter/index.ts";
import { runSpecFile, ways } from "./spec/runner.ts";
import { wat } from "./wat.ts";

const invoke = (field: string, ...args: [type: string, value: unknown][]): object => ({
  type: "invoke",
  field,
  args: args.map(([type, value]) => (type === "v128" ? { type, lane_type: "i32", value } : { type, value })),
});

describe("the runner for the specification's tests", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson-spec-"));
    const module = wat(`(module
      (import "spectest" "print_i32" (func $print (param i32)))
      (func (export "add") (param i32 i32) (result i32) (call $print (local.get 0)) (i32.add (local.get 0) (local.get 1)))
      (func (export "nan") (param f32) (result f32 f64) (local.get 0) (f64.const nan:0x123))
      (func (export "vector") (param v128) (result v128) (i32x4.add (local.get 0) (local.get 0)))
      (func (export "div") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
      (func $r (export "runaway") (call $r) (call $r)))`);
    writeFileSync(join(folder, "a.0.wasm"), module);
    writeFileSync(join(folder, "a.1.wasm"), module.slice(0, -3));
    const values = (...types: string[]): object[] => types.map((type) => ({ type }));
    const commands = [
      { type: "module", line: 1, filename: "a.0.wasm", name: "$m" },
      { type: "register", line: 2, name: "$m", as: "m" },
      {
        type: "assert_return",
        line: 3,
        action: invoke("add", ["i32", "1"], ["i32", "4294967295"]),
        expected: values("i32"),
      },
      {
        type: "assert_return",
        line: 4,
        action: invoke("nan", ["f32", "2143289345"]),
        expected: values("f32", "f64"),
      },
      {
        type: "assert_return",
        line: 5,
        action: invoke("vector", ["v128", ["1", "2", "3", "4"]]),
        expected: values("v128"),
      },
      { type: "assert_trap", line: 6, action: invoke("div", ["i32", "0"]), expected: values("i32") },
      { type: "assert_exhaustion", line: 7, action: invoke("runaway"), expected: [] },
      { type: "assert_malformed", line: 8, filename: "a.1.wasm", module_type: "binary" },
      { type: "assert_malformed", line: 9, filename: "a.2.wat", module_type: "text" },
      { type: "module", line: 10, filename: "a.1.wasm" },
      { type: "action", line: 11, action: invoke("add") },
      { type: "something_new", line: 12 },
    ];
    writeFileSync(join(folder, "a.json"), JSON.stringify({ source_filename: "a.wast", commands }));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("counts each command once: what ran on both sides, and what did not, with its reason", () => {
    const { agree, differ, skipped, commands } = runSpecFile(folder, "a.json");
    expect(differ).toEqual([]);
    expect(agree).toBe(8);
    expect([...skipped]).toEqual([
      ["a module in the text format", 1],
      ["the engine does not accept the module", 1],
      ["its module was not loaded", 1],
      ["the command something_new", 1],
    ]);
    expect(commands).toBe(12);
  });

  it("notices a rewriter that changes one instruction", () => {
    const { differ } = runSpecFile(folder, "a.json", ways[0], (bytes, options) => {
      const changed = bytes.slice();
      const at = changed.findLastIndex((byte, index) => byte === 0xae && changed[index - 1] === 0xfd);
      changed[at] = 0xb1; // i32x4.add becomes i32x4.sub
      return meter(changed, options);
    });
    expect(differ.map(({ line }) => line)).toEqual([5]);
  });
});

const given = process.env["KEELSON_SPECTEST_DIR"];
describe.skipIf(!given)("the specification's tests", () => {
  for (const file of given ? readdirSync(given).filter((name) => name.endsWith(".json")) : []) {
    it(`${file}: plain and metered agree`, () => {
      for (const way of ways) {
        const { agree, differ, skipped, commands } = runSpecFile(given!, file, way);
        expect(differ).toEqual([]);
        expect(agree + [...skipped.values()].reduce((sum, count) => sum + count, 0)).toBe(commands);
      }
    });
  }
});
