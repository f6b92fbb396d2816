import { describe, expect, test } from "vitest";
import { failure } from "../support/errors.ts";
import { gonextGuest, on } from "../support/guests.ts";
import { open } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

const pack = (ptr: string | number, len: string | number): string => {
  const [p, l] = [ptr, len].map((part) => (typeof part === "number" ? `(i32.const ${part})` : part));
  return `(return (call $pack ${p} ${l}))`;
};

const GUEST = wat(
  gonextGuest(
    [
      on("e", pack("(local.get $p)", "(local.get $pl)")),
      on("v", pack(64, 19)),
      on("0", pack(0, 0)),
      on("1", pack(0, -1)),
      on("2", pack(0, -2)),
      on("3", pack(0, -3)),
      on("5", pack(0, -5)),
      on("6", pack(0, 6)),
      on("x", pack(128, 9)),
      on("o", pack(-8, 64)),
      on("b", pack(64, 1_048_577)),
      on(
        "f",
        `(i32.store8 (i32.const 73) (i32.const 34)) (i32.store8 (i32.const 74) (i32.add (i32.const 48) (global.get $frees)))
        (i32.store8 (i32.const 75) (i32.const 34)) (i32.store8 (i32.const 76) (i32.const 125)) ${pack(64, 13)}`,
      ),
      on("p", "(call $panic (i32.const 96) (i32.const 7))"),
      on("l", `(call $log (i32.const 3) (i32.const 96) (i32.const 7)) ${pack(0, 0)}`),
      on("t", `(i64.store (i32.const 8) (call $time)) ${pack(0, 0)}`),
    ].join("\n"),
  ),
);

const filter = { kind: "filter", value: "given", args: [] } as const;

describe("the profile gonext", () => {
  test("a filter answers the value that takes the place of the given one", async () => {
    const { call } = await open(GUEST);
    expect(call("value", filter)).toBe("changed");
    expect(call("0", filter)).toBe("given");
    // The payload itself has a "value", so an echo shows what went over the wire.
    expect(call("echo", { kind: "filter", value: { a: [1] }, args: [2] })).toEqual({ a: [1] });
    expect(call("echo", { kind: "filter", value: undefined })).toBe(null);
  });

  test("an action answers undefined, whatever its body", async () => {
    const { call } = await open(GUEST);
    expect(call("0", { kind: "action" })).toBe(undefined);
    expect(call("value", { kind: "action", args: [1] })).toBe(undefined);
  });

  test("the body is given back; the inputs are not", async () => {
    const { call } = await open(GUEST);
    call("value", filter);
    call("value", { kind: "action" });
    expect(call("frees", filter)).toBe("2");
  });

  test.each([
    ["1", "GUEST_ERROR", false],
    ["3", "GUEST_ERROR", false],
    ["4", "UNKNOWN_METHOD", false],
    ["2", "OUT_OF_MEMORY", true],
    ["5", "GUEST_ERROR", true],
    ["6", "GUEST_ERROR", true],
    ["o", "OUT_OF_BOUNDS", true],
    ["b", "INVALID_PAYLOAD", true],
    ["x", "INVALID_PAYLOAD", false],
  ] as const)("%s is %s; dead afterwards: %s", async (method, code, dead) => {
    const { call, instance } = await open(GUEST);
    await failure(code, () => call(method, filter));
    expect(instance.dead).toBe(dead);
  });

  test("gn_panic is a trap that carries the text, gn_log writes a record, gn_time_ms tells the time", async () => {
    const { call, instance, platform } = await open(GUEST);
    call("log", { kind: "action" });
    expect(platform.log.records[0]).toMatchObject({ level: "error", message: "no more" });
    call("time", { kind: "action" });
    const error = await failure("WASM_TRAP", () => call("panic", filter));
    expect(error.details).toMatchObject({ kind: "panic", text: "no more" });
    expect(instance.dead).toBe(true);
  });

  test("a name over 256 bytes, a payload over 1 MiB, and a payload that is neither filter nor action are refused before the guest", async () => {
    const { call, instance } = await open(GUEST);
    await failure("INVALID_PAYLOAD", () => call("e".repeat(257), filter));
    await failure("INVALID_PAYLOAD", () => call("e", { kind: "filter", value: "x".repeat(1_048_576) }));
    for (const payload of [undefined, null, 1, {}, { kind: "other" }, { kind: "filter", args: 1 }]) {
      await failure("INVALID_PAYLOAD", () => call("e", payload));
    }
    expect(instance.dead).toBe(false);
    expect(call("e".repeat(256), filter)).toBe("given");
  });
});
