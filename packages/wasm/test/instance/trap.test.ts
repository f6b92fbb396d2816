import { KeelsonError, type Usage } from "@keelson/core";
import { describe, expect, test } from "vitest";
import { failure } from "../support/errors.ts";
import { open } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

const TRAPS = wat(`(module
  (import "host" "fail" (func $fail))
  (import "host" "refuse" (func $refuse))
  (memory (export "memory") 1)
  (table 2 funcref)
  (type $none (func)) (type $one (func (param i64)))
  (tag $tag (param i32))
  (func $f) (elem (i32.const 0) $f)
  (func (export "unreachable") unreachable)
  (func (export "load") (drop (i32.load (i32.const 70000))))
  (func (export "copy") (memory.copy (i32.const 0) (i32.const 65535) (i32.const 9)))
  (func (export "div") (drop (i32.div_s (i32.const 1) (i32.const 0))))
  (func (export "rem") (drop (i64.rem_u (i64.const 1) (i64.const 0))))
  (func (export "quotient") (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))
  (func (export "float") (drop (i32.trunc_f32_s (f32.const 1e20))))
  (func (export "nan") (drop (i64.trunc_f64_s (f64.const nan))))
  (func (export "index") (call_indirect (type $none) (i32.const 9)))
  (func (export "null") (call_indirect (type $none) (i32.const 1)))
  (func (export "signature") (call_indirect (type $one) (i64.const 1) (i32.const 0)))
  (func (export "table") (drop (table.get 0 (i32.const 9))))
  (func (export "throw") (throw $tag (i32.const 1)))
  (func $deep (export "deep") (call $deep))
  (func (export "host") (call $fail))
  (func (export "refuse") (call $refuse)))`);

const imports = {
  host: {
    fail: () => {
      throw undefined;
    },
    refuse: () => {
      throw new KeelsonError("DENIED", "no");
    },
  },
};

describe("a trap", () => {
  test.each([
    ["unreachable", "unreachable"],
    ["load", "out-of-bounds"],
    ["copy", "out-of-bounds"],
    ["div", "divide-by-zero"],
    ["rem", "divide-by-zero"],
    ["quotient", "overflow"],
    ["float", "overflow"],
    ["nan", "overflow"],
    ["index", "indirect-call"],
    ["null", "indirect-call"],
    ["signature", "indirect-call"],
    ["table", "indirect-call"],
    ["throw", "exception"],
  ])("by %s has the kind %s on every engine", async (method, kind) => {
    const { call, instance } = await open({ source: TRAPS, imports });
    const error = await failure("WASM_TRAP", () => call(method));
    expect(error.details).toMatchObject({ kind, module: "guest", method });
    expect(instance.dead).toBe(true);
  });

  test("by endless recursion is STACK_EXHAUSTED", async () => {
    const { call, instance } = await open({ source: TRAPS, imports });
    const error = await failure("STACK_EXHAUSTED", () => call("deep"));
    expect(error.details?.["kind"]).toBe("stack");
    expect(instance.dead).toBe(true);
  });

  test("a host function that throws undefined is CALL_FAILED and ends the instance, which was left half-way", async () => {
    const { call, instance } = await open({ source: TRAPS, imports });
    await failure("CALL_FAILED", () => call("host"));
    expect(instance.dead).toBe(true);
  });

  test("a KeelsonError of a host function passes through the guest as it is", async () => {
    const { call, instance } = await open({ source: TRAPS, imports });
    await failure("DENIED", () => call("refuse"));
    expect(instance.dead).toBe(true);
  });
});

describe("a start function", () => {
  test("that traps fails the instantiation with WASM_TRAP", async () => {
    const error = await failure("WASM_TRAP", () =>
      open(wat(`(module (func $s unreachable) (start $s) (func (export "f")))`)),
    );
    expect(error.details).toMatchObject({ kind: "unreachable", method: "start" });
  });

  test("is told as that, and not as a call whose next one gets another instance; a method of that name is a method", async () => {
    const start = wat(`(module (func $s unreachable) (start $s) (func (export "f")))`);
    const failed = await failure("WASM_TRAP", () => open(start));
    expect(failed.hint).not.toContain("next call");
    const { call } = await open(wat(`(module (func (export "start") unreachable))`));
    expect((await failure("WASM_TRAP", () => call("start"))).hint).toContain("next call");
  });

  test("a data segment outside memory is WASM_TRAP of the kind out-of-bounds", async () => {
    const error = await failure("WASM_TRAP", () =>
      open(wat(`(module (memory 1) (data (i32.const 65536) "aa") (func (export "f")))`)),
    );
    expect(error.details?.["kind"]).toBe("out-of-bounds");
  });

  test("_initialize is run before the first call", async () => {
    const { call } = await open(
      wat(`(module (global $g (mut i32) (i32.const 1))
        (func (export "_initialize") (global.set $g (i32.const 7)))
        (func (export "get") (result i32) (global.get $g)))`),
    );
    expect(call("get")).toBe(7);
  });
});

test("a stop is told by one error: what the engine threw is its cause, and it says all that is known", async () => {
  const spin = wat(`(module (memory (export "memory") 1) (func (export "spin") (loop br 0)))`);
  const { call } = await open({ source: spin, limits: { fuel: 10_000 } });
  const error = await failure("FUEL_EXHAUSTED", () => call("spin"));
  expect(error.cause).toBeInstanceOf(WebAssembly.RuntimeError);
  expect(error.message).toMatch(/^\S+: spin was stopped: the guest used up its fuel of 10000\n {2}hint: \S/);
  expect(error.hint).toBe("raise limits.fuel, or give the guest less to do in one call");
  const { module, usage, ...rest } = error.details ?? {};
  expect(module).toBe(error.message.split(":")[0]);
  expect(rest).toEqual({
    limit: "fuel",
    value: 10_000,
    method: "spin",
    memoryBytes: 65_536,
    at: { function: 0 },
  });
  const { fuel, cpuMs, memoryPeakBytes } = usage as Usage;
  expect(fuel).toBeGreaterThan(10_000);
  expect(fuel).toBeLessThan(10_100);
  // The test platform's clock stands still.
  expect(cpuMs).toBe(0);
  expect(memoryPeakBytes).toBe(65_536);
});
