import type { Value } from "@keelson/core";
import { createTestPlatform } from "@keelson/core/testing";
import { describe, expect, test } from "vitest";
import { suspending } from "../../src/index.ts";
import { failure } from "../support/errors.ts";
import { callOf, open } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

const GUEST = wat(`(module
  (import "host" "turn" (func $turn))
  (func (export "i32") (param i32) (result i32) (call $turn) (local.get 0))
  (func (export "i64") (param i64) (result i64) (call $turn) (local.get 0))
  (func (export "f32") (param f32) (result f32) (call $turn) (local.get 0))
  (func (export "f64") (param f64) (result f64) (call $turn) (local.get 0))
  (func (export "two") (param i32 i64) (result i64 i32) (call $turn) (local.get 1) (local.get 0))
  (func (export "three") (param i32 i32 i32) (result i32) (i32.sub (local.get 0) (i32.add (local.get 1) (local.get 2))))
  (func (export "none") (call $turn))
  (func (export "handle") (param externref) (result i32) (i32.const 1))
  (func (export "mixed") (result i32 externref) (i32.const 1) (ref.null extern))
  (func (export "trap") (call $turn) unreachable))`);

const REFUSED = Symbol("refused");

/** What is answered, or refused without entering the guest. */
const CALLS: readonly (readonly [method: string, payload: Value, answer: Value | typeof REFUSED])[] = [
  ["i32", -(2 ** 31), -(2 ** 31)],
  ["i32", -(2 ** 31) - 1, REFUSED],
  ["i32", 2 ** 31, -(2 ** 31)],
  ["i32", 2 ** 32 - 1, -1],
  ["i32", 2 ** 32, REFUSED],
  ["i32", 0.5, REFUSED],
  ["i32", [7], 7],
  ["i32", 7n, REFUSED],
  ["i64", -(2n ** 63n), -(2n ** 63n)],
  ["i64", -(2n ** 63n) - 1n, REFUSED],
  ["i64", 2n ** 64n - 1n, -1n],
  ["i64", 2n ** 64n, REFUSED],
  ["i64", 7, REFUSED],
  ["f32", 1.5, 1.5],
  ["f32", 1n, REFUSED],
  ["f64", Number.NaN, Number.NaN],
  ["f64", "1", REFUSED],
  ["f64", true, REFUSED],
  ["two", [1, 2n], [2n, 1]],
  ["two", [2n, 1], REFUSED],
  ["two", [1, "2"], REFUSED],
  ["three", [10, 2, 3], 5],
  ["three", [10, 2], REFUSED],
  ["none", undefined, undefined],
  ["none", [], undefined],
  ["none", 1, REFUSED],
  ["handle", 1, REFUSED],
  ["handle", null, REFUSED],
  ["nothing", 1, REFUSED],
];

describe.each([
  ["at once", false],
  ["suspended", true],
])("numbers cross to a guest of the profile raw that is called %s", (_, suspended) => {
  const opened = async () => {
    const platform = createTestPlatform();
    const turn = suspended ? suspending(async () => undefined) : () => undefined;
    const { instance } = await open(
      { source: GUEST, imports: { host: { turn } } },
      { ...platform, supports: { ...platform.supports, jspi: true } },
    );
    return {
      instance,
      call: async (method: string, payload?: Value) => instance.call(callOf(method, payload)),
    };
  };

  test("within their types, and no others", async () => {
    const { call, instance } = await opened();
    for (const [method, payload, answer] of CALLS) {
      if (answer !== REFUSED) expect(await call(method, payload), method).toEqual(answer);
      else
        await failure(method === "nothing" ? "UNKNOWN_METHOD" : "INVALID_PAYLOAD", () =>
          call(method, payload),
        );
      expect(instance.dead).toBe(false);
    }
  });

  test("and no reference comes back, not beside a number either", async () => {
    const { call } = await opened();
    await failure("INVALID_PAYLOAD", () => call("mixed"));
  });

  test("and what was never entered is not blamed for what was given to it", async () => {
    const { call, instance } = await opened();
    expect(await call("i32", 1)).toBe(1);
    await failure("INVALID_PAYLOAD", () => call("i32", "no"));
    expect(instance.dead).toBe(false);
    await failure("WASM_TRAP", () => call("trap"));
    expect(instance.dead).toBe(true);
  });
});

test("a module given compiled, whose types are not known, is given numbers and bigints alone", async () => {
  const imports = { host: { turn: () => undefined } };
  const { call, instance } = await open({ source: await WebAssembly.compile(GUEST), imports });
  expect(call("i32", 2 ** 32 + 1)).toBe(1);
  expect(call("two", [1, 2n])).toEqual([2n, 1]);
  expect(call("three", [10, 2, 3])).toBe(5);
  for (const payload of ["1", null, true, {}, [1, 2], ["1"], [null]])
    await failure("INVALID_PAYLOAD", () => call("i32", payload));
  expect(instance.dead).toBe(false);
  expect((await failure("INVALID_PAYLOAD", () => call("i64", 1))).cause).toBeInstanceOf(TypeError);
  expect(instance.dead).toBe(true);
});
