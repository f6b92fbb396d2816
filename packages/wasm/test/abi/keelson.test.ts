import type { Usage, Value } from "@keelson/core";
import { describe, expect, test } from "vitest";
import { failure, rejection } from "../support/errors.ts";
import { answer, ECHO, keelsonGuest, on } from "../support/guests.ts";
import { open } from "../support/instance.ts";
import { startGuest } from "../support/kernels.ts";
import { wat } from "../support/wat.ts";

const GUEST = wat(
  keelsonGuest(
    [
      ECHO,
      on("k", `(i32.store8 (i32.const 8) (i32.add (i32.const 48) (local.get $kind))) ${answer(0, 3, 8, 1)}`),
      on("p", answer(0, 2, "(i32.const 8)", "(call $decimal (local.get $ptr))")),
      on("m", answer(0, 2, "(i32.const 8)", "(call $decimal (local.get $method))")),
      on("f", answer(1, 3, 64, 8)),
      on("j", answer(1, 2, 96, 33)),
      on("n", answer(1, 0, 0, 0)),
      on("o", answer(0, 2, 160, 5)),
      on("u", answer(0, 3, 200, 2)),
      on("s", answer(9, 0, 0, 0)),
      on("q", answer(0, 9, 0, 0)),
      on("b", answer(0, 1, -16, 64)),
      on("l", answer(0, 1, 0, -1)),
      on("r", "(return (i32.const -8))"),
      on("g", `(call $log (i32.const 2) (i32.const 64) (i32.const 8)) ${answer(0, 0, 0, 0)}`),
      on("h", `(call $log (i32.const 9) (i32.const -4) (i32.const 80000)) ${answer(0, 0, 0, 0)}`),
      on("d", "(call $panic (i32.const 64) (i32.const 8))"),
      on("c", `(try (do (call $panic (i32.const 64) (i32.const 8))) (catch_all)) ${answer(0, 0, 0, 0)}`),
      on("t", "unreachable"),
      on(
        "w",
        `(drop (memory.grow (i32.const 3))) ${answer(0, "(local.get $kind)", "(local.get $ptr)", "(local.get $len)")}`,
      ),
    ].join("\n"),
    `(func (export "keelson_methods") (result i32) (call $answer (i32.const 0) (i32.const 2) (i32.const 176) (i32.const 15)))
     (func $decimal (param $n i32) (result i32) (local $at i32) (local $digits i32) (local $rest i32)
       (local.set $rest (local.get $n))
       (loop $count (local.set $digits (i32.add (local.get $digits) (i32.const 1)))
         (br_if $count (local.tee $rest (i32.div_u (local.get $rest) (i32.const 10)))))
       (local.set $at (i32.add (i32.const 8) (local.get $digits)))
       (loop $write (local.set $at (i32.sub (local.get $at) (i32.const 1)))
         (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
         (br_if $write (local.tee $n (i32.div_u (local.get $n) (i32.const 10)))))
       (local.get $digits))`,
  ),
);

describe("the profile keelson", () => {
  test("carries bytes as bytes, text as text, other data as JSON, and nothing as nothing", async () => {
    const { call } = await open(GUEST);
    const bytes = Uint8Array.of(0, 255, 10);
    expect(call("echo", bytes)).toEqual(bytes);
    expect(call("echo", new Uint8Array(0))).toEqual(new Uint8Array(0));
    expect(call("echo", undefined)).toBe(undefined);
    const values: Value[] = [
      "",
      "hé𝄞lo",
      "x".repeat(49),
      "ä".repeat(48),
      null,
      0,
      -1.5,
      true,
      [],
      [1, [2]],
      { a: { b: "c" } },
      12n,
      "\uFEFFbom",
    ];
    for (const value of values) expect(call("echo", value)).toEqual(value);
    const kinds = [undefined, bytes, { a: 1 }, "text", null, 1].map((payload) => call("kind", payload));
    expect(kinds).toEqual(["0", "1", "2", "3", "2", "2"]);
  });

  test("bytes and bigint inside plain data survive", async () => {
    const { call } = await open(GUEST);
    for (const length of [0, 1, 2, 3, 4, 5, 300]) {
      const bytes = Uint8Array.from({ length }, (_, at) => at * 7);
      expect(call("echo", { bytes, big: [-(2n ** 70n)], text: "$bytes" })).toEqual({
        bytes,
        big: [-(2n ** 70n)],
        text: "$bytes",
      });
    }
  });

  test("payloads of every size pass, across growing memories and buffers", async () => {
    const { call } = await open(GUEST);
    for (const length of [1, 255, 256, 257, 65_536, 200_000, 3, 2_000_000]) {
      const bytes = Uint8Array.from({ length }, (_, at) => at % 251);
      // Not toEqual: it takes seconds over millions of elements.
      expect(Buffer.compare(call("echo", bytes) as Uint8Array, bytes)).toBe(0);
      const text = "é".repeat(length);
      expect(call("echo", text)).toBe(text);
    }
  });

  test("an answer that is written after the memory grew is read from the grown memory", async () => {
    const { call, instance } = await open(GUEST);
    expect(call("w", "before and after")).toBe("before and after");
    expect(instance.memoryBytes).toBe(4 * 65_536);
  });

  test("an answer is a copy: the next call does not change it", async () => {
    const { call } = await open(GUEST);
    const first = call("echo", Uint8Array.of(1, 2, 3));
    call("echo", Uint8Array.of(9, 9, 9));
    expect(first).toEqual(Uint8Array.of(1, 2, 3));
  });

  test("the input buffer and method names are allocated once, and an outgrown buffer is given back", async () => {
    const { call } = await open(GUEST);
    const pointer = call("pointer", "abc");
    const name = call("method", undefined);
    expect(call("pointer", "abcd")).toBe(pointer);
    expect(call("method", undefined)).toBe(name);
    expect(call("pointer", "y".repeat(5000))).not.toBe(pointer);
    expect(call("method", undefined)).toBe(name);
  });

  test("callers who invent method names without end do not fill the guest's memory", async () => {
    const { call, instance } = await open(GUEST);
    for (let count = 0; count < 1000; count++) call(`echo ${count}`, "x");
    expect(instance.dead).toBe(false);
  });

  test("the guest's own error is GUEST_ERROR with its message and facts, and the instance lives", async () => {
    const { call, instance } = await open(GUEST);
    expect((await failure("GUEST_ERROR", () => call("fail"))).details).toMatchObject({
      message: "it broke",
      method: "fail",
    });
    expect((await failure("GUEST_ERROR", () => call("json"))).details).toMatchObject({
      message: "no luck",
      code: "E7",
    });
    await failure("GUEST_ERROR", () => call("none"));
    expect(instance.dead).toBe(false);
    expect(call("echo", "on")).toBe("on");
  });

  test("an error of the guest's own cannot tell what the call used: that is the host's to say", async () => {
    const lie = '{"message":"no","usage":{"fuel":0,"cpuMs":0},"record":{"version":1}}';
    const data = `(data (i32.const 1024) ${JSON.stringify(lie)})`;
    const source = wat(keelsonGuest(on("l", answer(1, 2, 1024, lie.length)), data));
    const kernel = await startGuest({ source, abi: "keelson" });
    const plain = await rejection(kernel.invoke("guest", "lie"));
    expect(plain).toMatchObject({ code: "GUEST_ERROR", details: { message: "no" } });
    expect(plain.details).not.toHaveProperty("usage");
    expect(plain.details).not.toHaveProperty("record");
    const measured = await rejection(kernel.measure("guest", "lie"));
    expect((measured.details as { usage: Usage }).usage.fuel).toBeGreaterThan(0);
    expect(measured.details).not.toHaveProperty("record");
  });

  test("a method that the guest does not know is UNKNOWN_METHOD, with what it has as the hint", async () => {
    const { call, instance } = await open(GUEST);
    const error = await failure("UNKNOWN_METHOD", () => call("zap"));
    expect(error.hint).toContain("echo, fail");
    await failure("UNKNOWN_METHOD", () => call(""));
    expect(instance.dead).toBe(false);
  });

  test("an answer that is not JSON, or not UTF-8, is INVALID_PAYLOAD", async () => {
    const { call, instance } = await open(GUEST);
    await failure("INVALID_PAYLOAD", () => call("oops"));
    await failure("INVALID_PAYLOAD", () => call("utf8"));
    expect(instance.dead).toBe(false);
  });

  test.each([
    ["s", "GUEST_ERROR", "a status that does not exist"],
    ["q", "GUEST_ERROR", "a kind that does not exist"],
    ["b", "OUT_OF_BOUNDS", "a pointer outside memory"],
    ["l", "OUT_OF_BOUNDS", "a length outside memory"],
    ["r", "OUT_OF_BOUNDS", "a record outside memory"],
    ["t", "WASM_TRAP", "a trap"],
  ] as const)("%s: %s for %s, and the instance is dead", async (method, code, _why) => {
    const { call, instance } = await open(GUEST);
    await failure(code, () => call(method));
    expect(instance.dead).toBe(true);
  });

  test("log writes a record at its level; a wild pointer writes what can be read and harms nobody", async () => {
    const { call, platform } = await open(GUEST);
    call("g");
    call("h");
    expect(platform.log.records[0]).toMatchObject({ level: "warn", message: "it broke" });
    expect(platform.log.records[1]).toMatchObject({ level: "info" });
  });

  test("panic is a trap that carries the text, even when the guest catches what is thrown", async () => {
    for (const method of ["d", "c"]) {
      const { call, instance } = await open(GUEST);
      const error = await failure("WASM_TRAP", () => call(method));
      expect(error.details).toMatchObject({ kind: "panic", text: "it broke" });
      expect(instance.dead).toBe(true);
    }
  });

  test("a payload that is no plain data is INVALID_PAYLOAD before the guest is entered", async () => {
    const { call, instance } = await open(GUEST);
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    const bad = [
      () => 1,
      Symbol("s"),
      new Map(),
      new Date(0),
      new (class Own {})(),
      { deep: [() => 1] },
      cycle,
      [cycle],
    ];
    for (const payload of bad) await failure("INVALID_PAYLOAD", () => call("echo", payload as never));
    expect(instance.dead).toBe(false);
    expect(call("echo", Object.assign(Object.create(null), { a: 1 }))).toEqual({ a: 1 });
  });

  test("no room for the payload is OUT_OF_MEMORY", async () => {
    const { call, instance } = await open({ source: GUEST, limits: { memory: 2 * 65_536 } });
    await failure("OUT_OF_MEMORY", () => call("echo", new Uint8Array(300_000)));
    expect(instance.dead).toBe(true);
    expect(instance.memoryBytes).toBeLessThanOrEqual(2 * 65_536);
  });

  test("a shared memory is read and written like any other, grown or not", async () => {
    const shared = keelsonGuest(
      `${ECHO} ${on("w", `(drop (memory.grow (i32.const 3))) ${answer(0, "(local.get $kind)", "(local.get $ptr)", "(local.get $len)")}`)}`,
    ).replace('(memory (export "memory") 1)', '(memory (export "memory") 1 64 shared)');
    const { call, instance } = await open(wat(shared));
    const long = "ä long text beyond what is copied by hand ".repeat(5);
    for (const value of ["short", long, { json: [1] }, Uint8Array.of(1, 2)])
      expect(call("echo", value)).toEqual(value);
    expect(call("w", "grown")).toBe("grown");
    const bytes = Uint8Array.from({ length: 150_000 }, (_, at) => at);
    expect(call("echo", bytes)).toEqual(bytes);
    expect(instance.dead).toBe(false);
  });

  test("an allocator that answers outside memory is OUT_OF_BOUNDS, of this module and method", async () => {
    const { call, instance } = await open(
      wat(`(module (memory (export "memory") 1)
        (func (export "keelson_alloc") (param i32) (result i32) (i32.const 65530))
        (func (export "keelson_free") (param i32 i32))
        (func (export "keelson_call") (param i32 i32 i32 i32 i32) (result i32) (i32.const 0)))`),
    );
    const { message, details } = await failure("OUT_OF_BOUNDS", () => call("a long method name", "x"));
    expect(message).toContain("guest: what keelson_alloc(");
    expect(details).toMatchObject({ module: "guest", method: "a long method name" });
    expect(instance.dead).toBe(true);
  });
});
