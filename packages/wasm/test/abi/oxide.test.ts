import { describe, expect, test } from "vitest";
import { createTestPlatform } from "@keelson/core/testing";
import { suspending } from "../../src/suspension/suspending.ts";
import { failure } from "../support/errors.ts";
import { on, oxideGuest } from "../support/guests.ts";
import { callOf, open } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

const pack = (ptr: string | number, len: string | number): string => {
  const [p, l] = [ptr, len].map((part) => (typeof part === "number" ? `(i32.const ${part})` : part));
  return `(return (call $pack ${p} ${l}))`;
};

const COUNTS = `(i32.store8 (i32.const 8) (i32.add (i32.const 48) (global.get $allocs)))
  (i32.store8 (i32.const 9) (i32.const 46))
  (i32.store8 (i32.const 10) (i32.add (i32.const 48) (global.get $frees)))`;

const GUEST = wat(
  oxideGuest(
    [
      on("e", pack("(local.get $p)", "(local.get $pl)")),
      on("n", pack("(local.get $m)", "(local.get $ml)")),
      on("c", `${COUNTS} ${pack(8, 3)}`),
      on("b", pack(64, 4)),
      on("o", pack(-8, 64)),
      on("l", pack(64, -1)),
      on("0", pack(0, 0)),
    ].join("\n"),
  ),
);

describe("the profile oxide", () => {
  test("hands over method and JSON, and reads JSON back", async () => {
    const { call } = await open(GUEST);
    for (const value of [null, 1, "té", [1, { a: true }]]) expect(call("echo", value)).toEqual(value);
    expect(call("echo", undefined)).toBe(null);
    expect((await failure("INVALID_PAYLOAD", () => call("name é", 1))).message).toContain("name é");
  });

  test("the host frees method, input and answer", async () => {
    const { call } = await open(GUEST);
    call("echo", 1);
    // Within the second call: four allocations made, three buffers of the first call given back.
    expect(call("count")).toBe(4.3);
  });

  test("an answer that is not JSON is given back all the same, and the instance lives", async () => {
    const { call, instance } = await open(GUEST);
    await failure("INVALID_PAYLOAD", () => call("bad"));
    await failure("INVALID_PAYLOAD", () => call("0"));
    expect(instance.dead).toBe(false);
    expect(call("count")).toBe(6.5);
  });

  test("pointers and lengths outside memory are OUT_OF_BOUNDS", async () => {
    for (const method of ["o", "l"]) {
      const { call, instance } = await open(GUEST);
      await failure("OUT_OF_BOUNDS", () => call(method));
      expect(instance.dead).toBe(true);
    }
  });

  test("an allocation that answers 0 is OUT_OF_MEMORY; a trap is WASM_TRAP", async () => {
    const first = await open(GUEST);
    await failure("OUT_OF_MEMORY", () => first.call("echo", "x".repeat(50_000)));
    expect(first.instance.dead).toBe(true);
    const second = await open(GUEST);
    await failure("WASM_TRAP", () => second.call("zap"));
  });

  test.each([
    ["at once", false],
    ["suspended", true],
  ])("an allocation that answers outside memory is OUT_OF_MEMORY, of a guest called %s", async (_, later) => {
    // Where the method's name is to lie; the last byte of memory has room for one.
    for (const [at, method, code] of [
      [65_535, "m", "INVALID_PAYLOAD"],
      [65_535, "mm", "OUT_OF_MEMORY"],
      [-4, "m", "OUT_OF_MEMORY"],
    ] as const) {
      const tell = later ? suspending(async () => 1) : (): number => 1;
      const platform = createTestPlatform();
      const { instance } = await open(
        {
          source: wat(`(module (import "host" "tell" (func $tell (result i32))) (memory (export "memory") 1)
            (func (export "alloc") (param i32) (result i32)
              (select (i32.const ${at}) (i32.const 64) (i32.eq (local.get 0) (i32.const ${method.length}))))
            (func (export "free") (param i32 i32))
            (func (export "oxide_invoke") (param i32 i32 i32 i32) (result i64) (drop (call $tell)) (i64.const 0)))`),
          imports: { host: { tell } },
        },
        { ...platform, supports: { ...platform.supports, jspi: true } },
      );
      await failure(code, async () => instance.call(callOf(method)));
      expect(instance.dead).toBe(code === "OUT_OF_MEMORY");
    }
  });
});
