import type { Value } from "@keelson/core";
import { describe, expect, test } from "vitest";
import { Buffers } from "../../src/abi/buffers.ts";
import type { Guest } from "../../src/abi/profile.ts";
import type { GuestHost } from "../../src/instance/guest-host.ts";
import { bookKeepers, openBooks, type BookKeeper } from "../support/books.ts";
import { failure } from "../support/errors.ts";
import { answer, ECHO, on } from "../support/guests.ts";

const MIB = 2 ** 20;

/** What the books say inside a call. */
async function inside(guest: BookKeeper, method: string, payload?: Uint8Array): Promise<readonly number[]> {
  // Not toEqual: it takes seconds over millions of elements.
  const answer = (await guest.call(method, payload)) as Uint8Array | undefined;
  expect(answer?.length).toBe(payload?.length);
  return [guest.books.blocks, guest.books.bytes];
}

const ways = [
  ["at once", false],
  ["suspended", true],
] as const;

describe.each(ways)("a guest that is called %s and counts what it hands out", (_, suspended) => {
  test("keeps one input buffer of powers of two and one copy of each method's name", async () => {
    const guest = await openBooks(bookKeepers.keelson(ECHO), suspended);
    expect(await inside(guest, "echo")).toEqual([1, 4]);
    expect(await inside(guest, "echo", new Uint8Array(0))).toEqual([1, 4]);
    // payload, buffer that it comes in
    for (const [size, buffer] of [
      [1, 256],
      [256, 256],
      [257, 512],
      [3, 512],
      [513, 1024],
      [MIB, MIB],
    ] as const)
      expect(await inside(guest, "echo", new Uint8Array(size)), String(size)).toEqual([2, 4 + buffer]);
    // One of 1 MiB is kept, a larger one is given back after the call, and has exactly the payload's size.
    expect(await inside(guest, "echo", new Uint8Array(1))).toEqual([2, 4 + MIB]);
    expect(await inside(guest, "echo", new Uint8Array(MIB + 1))).toEqual([2, 4 + MIB + 1]);
    expect(await inside(guest, "else")).toEqual([2, 8]);
    expect(guest.dead()).toBe(false);
  });

  test("gets all names back, and its first one anew, when there are 256", async () => {
    const guest = await openBooks(bookKeepers.keelson(ECHO), suspended);
    await failure("UNKNOWN_METHOD", () => guest.call(""));
    expect(guest.books).toEqual({ blocks: 1, bytes: 1 });
    for (let count = 2; count <= 256; count++) expect((await inside(guest, `e${count}`))[0]).toBe(count);
    expect(await inside(guest, "e2")).toEqual([256, 1 + 8 * 2 + 90 * 3 + 157 * 4]);
    expect(await inside(guest, "e257")).toEqual([1, 4]);
    expect(await inside(guest, "e2")).toEqual([2, 6]);
    expect(await inside(guest, "e257")).toEqual([2, 6]);
  });

  test("is asked for its methods when it does not know one", async () => {
    const guest = await openBooks(bookKeepers.keelson(ECHO), suspended);
    expect((await failure("UNKNOWN_METHOD", () => guest.call("zap"))).hint).toBe("it has echo, fail");
    expect(await inside(guest, "echo", new Uint8Array(9))).toEqual([3, 263]);
  });

  test("gets everything back after each call of the profile oxide", async () => {
    const body = `(return (call $pack (call $answer (local.get $pl)) (local.get $pl)))`;
    const text = bookKeepers.oxide(on("e", body)).replace(
      "(func $pack",
      `(func $answer (param $size i32) (result i32) (local $at i32)
          (local.set $at (call $alloc (local.get $size)))
          (memory.fill (local.get $at) (i32.const 0x39) (local.get $size))
          (local.get $at))
         (func $pack`,
    );
    const guest = await openBooks(text, suspended);
    for (const payload of [1, 12, 123, undefined]) {
      const length = String(payload ?? null).length;
      expect(await guest.call("e", payload)).toBe(Number("9".repeat(length)));
      expect(guest.books).toEqual({ blocks: 2, bytes: 1 + length });
    }
  });

  test("gets back what it answers, and keeps what it was given, in the profile gonext", async () => {
    const body = `
      (local.set $first (call $alloc (i32.const 19)))
      (memory.copy (local.get $first) (i32.const 64) (i32.const 19))
      (call $free (local.get $m) (local.get $ml))
      (call $free (local.get $p) (local.get $pl))
      (return (call $pack (local.get $first) (i32.const 19)))`;
    const guest = await openBooks(bookKeepers.gonext(body), suspended);
    for (const kind of ["filter", "action", "filter"] as const) {
      const answer = await guest.call("hook", { kind, value: 1 });
      expect(answer).toBe(kind === "filter" ? "changed" : undefined);
      expect(guest.books.blocks).toBe(2);
    }
  });

  test.each([
    ["keelson", "alloc", [1]],
    ["keelson", "free", [1, 300]],
    ["keelson", "run", [1]],
    ["keelson", "methods", [1]],
    ["oxide", "alloc", [1]],
    ["oxide", "free", [1]],
    ["oxide", "run", [1]],
    ["gonext", "alloc", [1]],
    ["gonext", "free", [1]],
    ["gonext", "run", [1]],
  ] as const)("is ended by a trap, in the profile %s in its %s as well", async (profile, place, sizes) => {
    const guest = await openBooks(trapping(profile, place), suspended);
    for (const [index, size] of sizes.entries()) {
      const payload = { keelson: new Uint8Array(size), oxide: 1, gonext: { kind: "filter", value: 1 } }[
        profile
      ];
      const call = (): Promise<Value> => guest.call("m", payload);
      if (index + 1 < sizes.length) await call();
      else await failure("WASM_TRAP", call);
    }
    expect(guest.dead()).toBe(true);
  });

  test("lives on when it answers what cannot be read", async () => {
    const oxide = await openBooks(
      bookKeepers.oxide("(return (call $pack (call $alloc (i32.const 1)) (i32.const 1)))"),
      suspended,
    );
    await failure("INVALID_PAYLOAD", () => oxide.call("m", 1));
    expect(oxide.dead()).toBe(false);
    const keelson = await openBooks(bookKeepers.keelson(on("m", answer(0, 2, 160, 5))), suspended);
    await failure("INVALID_PAYLOAD", () => keelson.call("m"));
    await failure("UNKNOWN_METHOD", () => keelson.call("zap"));
    expect(keelson.dead()).toBe(false);
  });
});

/** A guest whose every answer is nothing, or a block of its own, and which traps in one place. */
function trapping(profile: "keelson" | "oxide" | "gonext", place: string): string {
  const at = (here: string, otherwise: string): string => (here === place ? "unreachable" : otherwise);
  const [alloc, free] = {
    keelson: ["keelson_alloc", "keelson_free"],
    oxide: ["alloc", "free"],
    gonext: ["gn_alloc", "gn_free"],
  }[profile];
  const packed = "(i64.const 0x6400000013)";
  const unknown = place === "methods" ? 2 : 0;
  const run = {
    keelson: `(func (export "keelson_call") (param i32 i32 i32 i32 i32) (result i32) ${at("run", "(i32.const 16)")})
      (func (export "keelson_methods") (result i32) ${at("methods", "(i32.const 16)")})`,
    oxide: `(func (export "oxide_invoke") (param i32 i32 i32 i32) (result i64) ${at("run", packed)})`,
    gonext: `(func (export "gn_handle_hook") (param i32 i32 i32 i32) (result i64) ${at("run", packed)})`,
  }[profile];
  return `(module (import "host" "tell" (func (param i32 i32))) (memory (export "memory") 1)
    (data (i32.const 16) "\\0${unknown}") (data (i32.const 100) "{\\"value\\":\\"changed\\"}")
    (func (export "${alloc}") (param i32) (result i32) ${at("alloc", "(i32.const 4096)")})
    (func (export "${free}") (param i32 i32) ${at("free", "")})
    ${run})`;
}

test("a size that is no i32 is refused before the guest is asked for room", () => {
  const asked: number[] = [];
  const exports = { alloc: (size: number) => (asked.push(size), 0), free: () => undefined };
  const host = { id: "guest", memory: { size: 1 } } as unknown as GuestHost;
  const guest = { exports: exports as unknown as WebAssembly.Exports, host } as Guest;
  const buffers = new Buffers(guest, "alloc", "free");
  expect(() => buffers.allocate(2 ** 31)).toThrow(expect.objectContaining({ code: "INVALID_PAYLOAD" }));
  expect(() => buffers.allocate(2 ** 31 - 1)).toThrow(expect.objectContaining({ code: "OUT_OF_MEMORY" }));
  expect(asked).toEqual([2 ** 31 - 1]);
});
