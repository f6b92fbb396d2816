import { describe, expect, test } from "vitest";
import type { WasmLimits } from "../../src/module/options.ts";
import { failure } from "../support/errors.ts";
import { open } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

const PAGE = 65_536;

describe("what a guest was refused is told apart", () => {
  const GREEDY = wat(`(module (memory (export "memory") 1) (table $t 1 funcref)
    (func (export "memory-then-trap") (loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable)
    (func (export "table-then-trap") (loop (br_if 0 (i32.ne (table.grow $t (ref.null func) (i32.const 10)) (i32.const -1)))) unreachable)
    (func (export "trap") unreachable)
    (func $deep (export "deep") (call $deep) (call $deep)))`);
  const limits: WasmLimits = { memory: 4 * PAGE, tableElements: 100 };

  test("memory: a trap after it says how often, and what to raise", async () => {
    const { call } = await open({ source: GREEDY, limits });
    const { details, hint } = await failure("WASM_TRAP", () => call("memory-then-trap"));
    expect(details).toMatchObject({ kind: "unreachable", refusedMemoryGrowths: 1 });
    expect(details).not.toHaveProperty("refusedTableGrowths");
    expect(hint).toContain("limits.memory");
  });

  test("tables: likewise", async () => {
    const { call } = await open({ source: GREEDY, limits });
    const { details, hint } = await failure("WASM_TRAP", () => call("table-then-trap"));
    expect(details).toMatchObject({ kind: "unreachable", refusedTableGrowths: 1 });
    expect(details).not.toHaveProperty("refusedMemoryGrowths");
    expect(hint).toContain("limits.tableElements");
  });

  test("nothing: a trap says neither", async () => {
    const { call } = await open({ source: GREEDY, limits });
    const { details, hint } = await failure("WASM_TRAP", () => call("trap"));
    expect(details).not.toHaveProperty("refusedMemoryGrowths");
    expect(hint).not.toContain("limits");
  });

  test("stack: a code of its own", async () => {
    const { call } = await open({ source: GREEDY, limits });
    const { details } = await failure("STACK_EXHAUSTED", () => call("deep"));
    expect(details).toMatchObject({ limit: "stackBytes", value: 524_288 });
  });
});

test("a memory larger than any, as a limit, leaves a module that engines accept", async () => {
  const source = wat(
    `(module (memory (export "memory") 1) (func (export "grow") (result i32) (memory.grow (i32.const 3))))`,
  );
  for (const memory of [2 ** 32, 2 ** 35, 2 ** 50]) {
    const { call } = await open({ source, limits: { memory } });
    expect(call("grow")).toBe(1);
  }
});

test("a stack larger than any, as a limit, lets calls nest as deep as the engine does", async () => {
  const source = wat(`(module (func $r (export "r") (param i32) (result i32)
    (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $r (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0)))))`);
  for (const stack of [2 ** 31, 2 ** 32, 2 ** 40]) {
    const { call } = await open({ source, limits: { stack } });
    expect(call("r", 100)).toBe(100);
  }
});

describe("caps hold for the sum of an instance's tables", () => {
  const tables = (first: number, second: number): Uint8Array<ArrayBuffer> =>
    wat(`(module (table $a ${first} funcref) (table $b ${second} funcref)
      (func (export "a") (param i32) (result i32) (table.grow $a (ref.null func) (local.get 0))))`);

  test("declared minimums included", async () => {
    const { call } = await open({ source: tables(10, 20), limits: { tableElements: 40 } });
    expect(call("a", 11)).toBe(-1);
    expect(call("a", 10)).toBe(10);
    const error = await failure("OUT_OF_MEMORY", () =>
      open({ source: tables(10, 31), limits: { tableElements: 40 } }),
    );
    expect(error.details).toMatchObject({ minElements: 41, limitElements: 40 });
  });

  test("a million when nothing is said", async () => {
    const { call } = await open(tables(10, 20));
    expect(call("a", 999_971)).toBe(-1);
    expect(call("a", 999_970)).toBe(10);
  });
});

describe("caps on memories of other kinds", () => {
  test("64-bit memories are capped in the sum, and by requests of more than 32 bits", async (context) => {
    const source = wat(`(module (memory $a i64 1) (memory $b 1)
      (func (export "a") (param i64) (result i64) (memory.grow $a (local.get 0)))
      (func (export "b") (param i32) (result i32) (memory.grow $b (local.get 0))))`);
    if (!WebAssembly.validate(source)) return context.skip("this engine has no 64-bit memories");
    const { call } = await open({ source, limits: { memory: 6 * PAGE } });
    for (const pages of [5n, 2n ** 32n, 2n ** 40n + 1n, -1n]) expect(call("a", pages)).toBe(-1n);
    expect(call("a", 3n)).toBe(1n);
    expect(call("b", 2)).toBe(-1);
    expect(call("b", 1)).toBe(1);
  });

  test("shared memories are capped: their maximum is lowered, growth is counted, a minimum past it is refused", async () => {
    const source = (min: number): Uint8Array<ArrayBuffer> =>
      wat(`(module (memory (export "memory") ${min} 1000 shared)
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))`);
    const { call } = await open({ source: source(1), limits: { memory: 3 * PAGE } });
    expect(call("grow", 3)).toBe(-1);
    expect(call("grow", 2)).toBe(1);
    expect(call("grow", 1)).toBe(-1);
    await failure("OUT_OF_MEMORY", () => open({ source: source(4), limits: { memory: 3 * PAGE } }));
  });
});

describe("limits on the code itself", () => {
  const nested = (depth: number): string => "(block ".repeat(depth) + ")".repeat(depth);
  const source = wat(
    `(module (func (export "f") (local i32 i32 i32) (loop (br_if 0 (local.get 0)))) (func ${nested(10)}) (func))`,
  );

  test.each([
    "maxBytes",
    "maxMeteredBytes",
    "maxFunctions",
    "maxFunctionBytes",
    "maxLocals",
    "maxNesting",
    "maxMergedValues",
  ])(
    "%s: past it the start fails, and the error names the module, the limit, the value and what was found",
    async (option) => {
      const { details, message, hint } = await failure("WASM_TOO_LARGE", () =>
        open({ source, limits: { code: { [option]: 2 } } }),
      );
      expect(details).toMatchObject({ option, limit: 2 });
      expect(details?.["found"]).toBeGreaterThan(2);
      expect(message).toContain("the binary of guest: ");
      expect(message).toContain("the limit is 2");
      expect(hint).toContain(option);
    },
  );

  test.each([
    ["maxExports", `(func) ${[0, 1, 2].map((name) => `(export "${name}" (func 0))`).join(" ")}`],
    ["maxMemories", "(memory 0) (memory 0) (memory 0)"],
    ["maxTables", "(table 0 funcref) (table 0 funcref) (table 0 funcref)"],
    ["maxInitializers", "(table 1 funcref) (func $f) (elem (i32.const 0) $f) (elem func $f)"],
    ["maxInitializers", "(global i32 (i32.const 1)) (global i64 (i64.const 1)) (global f32 (f32.const 1))"],
  ])("%s: what each instance has to be given, used or not", async (option, fields) => {
    const module = wat(`(module ${fields} (func (export "f")))`);
    const { details } = await failure("WASM_TOO_LARGE", () =>
      open({ source: module, limits: { code: { [option]: 2 } } }),
    );
    expect(details).toMatchObject({ option, limit: 2 });
    expect((await open({ source: module })).call("f")).toBeUndefined();
  });

  test("memories, however small, are few when nothing is said: each takes gigabytes of address space", async () => {
    const module = wat(`(module ${"(memory 0)".repeat(17)} (func (export "f")))`);
    const { details } = await failure("WASM_TOO_LARGE", () => open(module));
    expect(details).toMatchObject({ option: "maxMemories", found: 17 });
  });

  test("elements are few enough when nothing is said: an instance of sixty million takes seconds, and nothing can stop it", async () => {
    const items = "$f ".repeat(50_001);
    const module = wat(`(module (table 60000 funcref) (func $f (export "f"))
      ${`(elem (i32.const 0) ${items})`.repeat(10)})`);
    const { details } = await failure("WASM_TOO_LARGE", () => open(module));
    expect(details).toMatchObject({ option: "maxInitializers", found: 500_020, limit: 500_000 });
  });

  /** More than what is never refused for its time. */
  const large = (): Uint8Array<ArrayBuffer> =>
    wat(`(module (memory 1) (func (export "f")) (data (i32.const 0) "${"a".repeat(20_000)}"))`);

  test("maxCompileMs: judged by how long the engine takes to validate, before anything is compiled", async () => {
    const { meter } = await import("../../src/meter/index.ts");
    let now = 0;
    const source = large();
    // each look at the clock is 100 ms later: 100 of validating, the first time and the second, 200 of compiling ahead
    const options = { mode: "exact", now: () => (now += 100), limits: { maxCompileMs: 299 } } as const;
    const { details } = await failure("WASM_TOO_LARGE", () => meter(source, options));
    expect(details).toMatchObject({ option: "maxCompileMs", limit: 299 });
    expect(meter(source, { ...options, limits: { maxCompileMs: 5000 } }).bytes.length).toBeGreaterThan(0);
    expect(meter(source, { ...options, now: () => 5 }).bytes.length).toBeGreaterThan(0);
  });

  test("maxCompileMs: a machine that stands still for a while makes no module slow", async () => {
    const { meter } = await import("../../src/meter/index.ts");
    const limits = { maxCompileMs: 299 };
    let looks = 0;
    // an hour passes while it is validated first
    const stalled = (): number => (++looks > 1 ? 3_600_000 : 0) + looks;
    expect(meter(large(), { mode: "exact", now: stalled, limits }).bytes.length).toBeGreaterThan(0);
    expect(looks).toBeGreaterThan(3);
    let now = 0;
    const slow = (): number => (now += 3_600_000);
    expect(meter(source, { mode: "exact", now: slow, limits }).bytes.length).toBeGreaterThan(0);
  });

  test("no fuel at all is INVALID_OPTIONS: a guest that does little would answer all the same", async () => {
    const source = wat(`(module (func (export "f") (result i32) (i32.const 7)))`);
    await failure("INVALID_OPTIONS", () => open({ source, limits: { fuel: 0 } }));
  });

  test("that are not known, or no numbers, are INVALID_OPTIONS", async () => {
    await failure("INVALID_OPTIONS", () => open({ source, limits: { code: { maxBites: 5 } as never } }));
    await failure("INVALID_OPTIONS", () => open({ source, limits: { code: { maxBytes: 0.5 } } }));
    await failure("INVALID_OPTIONS", () => open({ source, limits: { tableElements: -1 } }));
    for (const limits of [{ cpu: 4 }, { timeoutMs: 4 }, { memory: "1MiB" }])
      await failure("INVALID_OPTIONS", () => open({ source, limits: limits as never }));
    await failure("INVALID_OPTIONS", () => open({ source, pool: 5 as never }));
    await failure("INVALID_OPTIONS", () => open({ source, pool: null as never }));
  });
});
