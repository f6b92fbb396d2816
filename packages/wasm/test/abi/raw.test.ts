import { describe, expect, test } from "vitest";
import { raw } from "../../src/abi/raw.ts";
import type { GuestHost } from "../../src/instance/guest-host.ts";
import { failure } from "../support/errors.ts";
import { open } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

const MATH = wat(`(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "inc") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func (export "wide") (param i64) (result i64) (i64.add (local.get 0) (i64.const 1)))
  (func (export "half") (param f64) (result f64) (f64.div (local.get 0) (f64.const 2)))
  (func (export "nothing"))
  (func (export "swap") (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
  (func (export "ref") (result externref) (ref.null extern))
  (func (export "trap") unreachable)
  (global (export "g") i32 (i32.const 1)))`);

describe("the profile raw", () => {
  test("a number, a bigint, an array or nothing goes in; a number, a bigint, an array or undefined comes out", async () => {
    const { call } = await open(MATH);
    expect(call("inc", 41)).toBe(42);
    expect(call("add", [40, 2])).toBe(42);
    expect(call("wide", 2n ** 53n)).toBe(2n ** 53n + 1n);
    expect(call("half", 5)).toBe(2.5);
    expect(call("nothing")).toBe(undefined);
    expect(call("nothing", [])).toBe(undefined);
    expect(call("swap", [1, 2n])).toEqual([2n, 1]);
  });

  test("methods called in turn are each the one that was named, and one that is not known leaves no trace", async () => {
    const { call } = await open(MATH);
    for (let round = 0; round < 3; round++) {
      expect(call("inc", 1)).toBe(2);
      expect(call("half", 1)).toBe(0.5);
      await failure("UNKNOWN_METHOD", () => call("absent", 1));
      await failure("UNKNOWN_METHOD", () => call("absent", 1));
    }
  });

  test("a profile of the host's own may ask which call its guest works on", async () => {
    let asked: GuestHost | undefined;
    const curious = {
      ...raw,
      imports: (host: GuestHost) => ({ env: { ask: () => Number((asked = host).call?.payload) } }),
    };
    const source = wat(`(module (import "env" "ask" (func $ask (result i32)))
      (func (export "run") (param i32) (result i32) (i32.add (call $ask) (local.get 0))))`);
    const { call } = await open({ source, abi: curious });
    expect(call("run", 21)).toBe(42);
    expect(asked?.call).toBe(undefined);
  });

  test("a wrong count or kind of arguments is INVALID_PAYLOAD, says what is wanted, and leaves the instance alive", async () => {
    const { call, instance } = await open(MATH);
    const misfits: [string, never][] = [
      ["add", 1],
      ["add", [1]],
      ["add", [1, 2, 3]],
      ["add", [1, 2n]],
      ["add", undefined],
      ["inc", 1.5],
      ["inc", 2 ** 32],
      ["inc", Number.NaN],
      ["inc", "1"],
      ["inc", { a: 1 }],
      ["inc", null],
      ["inc", new Uint8Array(1)],
      ["wide", 1],
      ["wide", 2n ** 64n],
      ["half", 1n],
      ["nothing", 1],
    ] as [string, never][];
    for (const [method, payload] of misfits) {
      const error = await failure("INVALID_PAYLOAD", () => call(method, payload));
      expect(error.details?.["method"]).toBe(method);
    }
    expect((await failure("INVALID_PAYLOAD", () => call("wide", 1))).details?.["params"]).toEqual(["i64"]);
    expect(instance.dead).toBe(false);
    expect(call("inc", 1)).toBe(2);
  });

  test("an export that is missing, no function, or a name of Object.prototype is UNKNOWN_METHOD", async () => {
    const { call, instance } = await open(MATH);
    for (const method of ["sub", "g", "", "__proto__", "constructor", "toString"]) {
      await failure("UNKNOWN_METHOD", () => call(method));
    }
    expect(instance.dead).toBe(false);
  });

  test("a reference does not leave the guest", async () => {
    const { call } = await open(MATH);
    await failure("INVALID_PAYLOAD", () => call("ref"));
  });

  test("a module given compiled has no types: the engine's refusal is INVALID_PAYLOAD too", async () => {
    const { call } = await open({ source: await WebAssembly.compile(MATH) });
    expect(call("add", [40, 2])).toBe(42);
    await failure("INVALID_PAYLOAD", () => call("add", [1]));
    const other = await open({ source: await WebAssembly.compile(MATH) });
    await failure("INVALID_PAYLOAD", () => other.call("wide", 1));
    expect(other.instance.dead).toBe(true);
  });

  test("a trap ends the instance, and a later call to it is refused", async () => {
    const { call, instance } = await open(MATH);
    await failure("WASM_TRAP", () => call("trap"));
    expect(instance.dead).toBe(true);
    await failure("WASM_TRAP", () => call("inc", 1));
  });

  test("AssemblyScript's abort carries its text", async () => {
    const { call, instance } = await open(
      wat(`(module
        (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
        (memory (export "memory") 1)
        (data (i32.const 16) "\\04\\00\\00\\00h\\00i\\00")
        (func (export "fail") (call $abort (i32.const 20) (i32.const 0) (i32.const 3) (i32.const 4)))
        (func (export "wild") (call $abort (i32.const -8) (i32.const 2) (i32.const 0) (i32.const 0))))`),
    );
    const error = await failure("WASM_TRAP", () => call("fail"));
    expect(error.details).toMatchObject({ kind: "panic", text: "hi" });
    expect(instance.dead).toBe(true);
  });
});
