import { describe, expect, test } from "vitest";
import { bookKeepers, openBooks, type BookKeeper } from "../support/books.ts";
import { failure } from "../support/errors.ts";
import { ECHO, on } from "../support/guests.ts";

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
});
