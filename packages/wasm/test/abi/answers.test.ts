import type { Value } from "@keelson/core";
import { expect, test } from "vitest";
import { failure } from "../support/errors.ts";
import { answer, gonextGuest, keelsonGuest, on } from "../support/guests.ts";
import { open } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

test.each<[Value, string, Record<string, Value>]>([
  ["text", "text", {}],
  [null, "null", {}],
  [7, "7", {}],
  [[1, "a"], '[1,"a"]', {}],
  [{ message: "said", code: "E1" }, "said", { code: "E1" }],
  [{ message: 5, why: "none" }, '{"message":5,"why":"none"}', { why: "none" }],
])("a guest's own error may be any data: %j", async (body, message, facts) => {
  const source = wat(
    keelsonGuest(on("x", answer(1, "(local.get $kind)", "(local.get $ptr)", "(local.get $len)"))),
  );
  const { call, instance } = await open(source);
  const error = await failure("GUEST_ERROR", () => call("x", body));
  expect(error.details).toEqual({ ...facts, module: "guest", method: "x", message });
  expect(error.message).toContain(`guest: x failed: ${message}`);
  expect(instance.dead).toBe(false);
});

test.each([
  ["names", 0, 2, '["a", 1, null, "b"]', "it has a, b"],
  [
    "too many of them",
    0,
    2,
    JSON.stringify([..."abcdefghijklmno"]),
    "it has a, b, c, d, e, f, g, h, i, j, k, l and 3 more",
  ],
  [
    "as many as are told",
    0,
    2,
    JSON.stringify([..."abcdefghijkl"]),
    "it has a, b, c, d, e, f, g, h, i, j, k, l",
  ],
  ["a long one", 0, 2, JSON.stringify(["x".repeat(300)]), `it has ${"x".repeat(200)}`],
  ["no list", 0, 2, '{"a": 1}', undefined],
  ["an empty list", 0, 2, "[]", undefined],
  ["text", 0, 3, '["a"]', undefined],
  ["its own error", 1, 2, '["a"]', undefined],
] as const)(
  "what a guest says of its methods is shown as far as it makes sense: %s",
  async (_, status, kind, text, hint) => {
    const data = [...new TextEncoder().encode(text)].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`);
    const methods = `(data (i32.const 512) "${data.join("")}")
    (func (export "keelson_methods") (result i32) (call $answer (i32.const ${status}) (i32.const ${kind}) (i32.const 512) (i32.const ${data.length})))`;
    const { call, instance } = await open(wat(keelsonGuest("", methods)));
    const error = await failure("UNKNOWN_METHOD", () => call("zap"));
    expect(error.hint?.slice(0, hint?.length)).toBe(hint);
    expect(instance.dead).toBe(false);
  },
);

const MIB = 1_048_576;
const pack = (ptr: string | number, len: string | number): string => {
  const [p, l] = [ptr, len].map((part) => (typeof part === "number" ? `(i32.const ${part})` : part));
  return `(return (call $pack ${p} ${l}))`;
};
const HOOKS = wat(
  gonextGuest(
    [
      on("n", `(i32.store (i32.const 8) (i32.const 0x6c6c756e)) ${pack(8, 4)}`),
      on("a", `(i32.store16 (i32.const 8) (i32.const 0x5d5b)) ${pack(8, 2)}`),
      on("s", `(i32.store (i32.const 8) (i32.const 0x22787822)) ${pack(8, 4)}`),
      on("m", `(memory.fill (i32.const 83) (i32.const 32) (i32.const ${MIB})) ${pack(64, MIB)}`),
      on("b", `(memory.fill (i32.const 83) (i32.const 32) (i32.const ${MIB})) ${pack(64, MIB + 1)}`),
      on("l", `(call $log (i32.const 1) (local.get $p) (local.get $pl)) ${pack(0, 0)}`),
      ...[1, 2, 3, 5, 6].map((status) => on(String(status), pack(0, -status))),
    ].join("\n"),
  ),
);

test("a hook's answer of 1 MiB is read, a larger one is not; one without a value is INVALID_PAYLOAD", async () => {
  const filter = { kind: "filter", value: 1 } as const;
  const { call, instance } = await open(HOOKS);
  expect(call("m", filter)).toBe("changed");
  for (const method of ["n", "a", "s"]) await failure("INVALID_PAYLOAD", () => call(method, filter));
  for (const payload of [null, "x", 1, []]) await failure("INVALID_PAYLOAD", () => call("m", payload));
  expect(instance.dead).toBe(false);
  const error = await failure("INVALID_PAYLOAD", () => call("b", filter));
  expect(error.details).toEqual({ bytes: MIB + 1, max: MIB });
  expect(instance.dead).toBe(true);
});

test("a hook is given what it was called with, and says by a number how it failed", async () => {
  const { call, platform } = await open(HOOKS);
  expect(call("l", { kind: "action", args: [1] })).toBeUndefined();
  expect(call("l", { kind: "filter", value: undefined, args: ["a"] })).toBe(null);
  expect(call("l", { kind: "filter", value: "v" })).toBe("v");
  expect(platform.log.records.map(({ message }) => message)).toEqual([
    '{"kind":"action","args":[1]}',
    '{"kind":"filter","value":null,"args":["a"]}',
    '{"kind":"filter","value":"v","args":[]}',
  ]);
  const words = [
    [1, "GUEST_ERROR", "an error", false],
    [2, "OUT_OF_MEMORY", "out of memory", true],
    [3, "GUEST_ERROR", "a payload it cannot read", false],
    [5, "GUEST_ERROR", "a trap", true],
    [6, "GUEST_ERROR", "a status that is not defined", true],
  ] as const;
  for (const [status, code, text, dead] of words) {
    const other = await open(HOOKS);
    const error = await failure(code, () => other.call(String(status), { kind: "action" }));
    expect(error.message).toContain(`guest: ${status} answered ${text} (-${status})`);
    expect(error.details).toMatchObject({ module: "guest", method: String(status), status: -status });
    expect(other.instance.dead).toBe(dead);
  }
});

/** Of AssemblyScript: UTF-16, its length in bytes before it. "hi" at 20, "ä" and half a unit at 44, nothing at 68, more than there is at 84. */
const ABORTS = wat(`(module
  (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\02\\00\\00\\00!\\00")
  (data (i32.const 16) "\\04\\00\\00\\00h\\00i\\00")
  (data (i32.const 40) "\\03\\00\\00\\00\\e4\\00x")
  (data (i32.const 80) "\\ff\\ff\\ff\\ff")
  (data (i32.const 65528) "\\00\\00\\00\\00\\02\\00\\00\\00")
  (func (export "fail") (param i32 i32 i32 i32) (call $abort (local.get 0) (local.get 1) (local.get 2) (local.get 3))))`);

test.each([
  [20, 0, "hi"],
  [20, 20, "hi (hi:3:4294967295)"],
  [44, 0, "ä"],
  [68, 0, ""],
  [4, 0, "!"],
  [3, 0, "abort"],
  [0, 20, "abort (hi:3:4294967295)"],
  [65_536, 0, ""],
  [65_537, 0, "abort"],
  [-8, -8, "abort"],
] as const)("a text at %i, of a file at %i, is told as %j", async (message, file, text) => {
  const { call } = await open({ source: ABORTS, abi: "raw" });
  const error = await failure("WASM_TRAP", () => call("fail", [message, file, 3, -1]));
  expect(error.details).toMatchObject({ kind: "panic", text });
});
