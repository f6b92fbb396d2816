import type { Value } from "@keelson/core";
import { suspending } from "../../src/index.ts";
import { gonextGuest, keelsonGuest, oxideGuest } from "./guests.ts";
import { callOf, open } from "./instance.ts";
import { createTestPlatform } from "@keelson/core/testing";
import { wat } from "./wat.ts";

/** Blocks that a guest has handed out and not got back, and their sizes together. */
export interface Books {
  readonly blocks: number;
  readonly bytes: number;
}

/** A guest whose allocator keeps books: to give back what it did not hand out, or with another size, is a trap. */
export interface BookKeeper {
  call(method: string, payload?: Value): Promise<Value>;
  /** As they were when the guest was entered last. */
  readonly books: Books;
  readonly dead: () => boolean;
}

const ALLOCATOR = (alloc: string, free: string): string => `
  (global $next (mut i32) (i32.const 131072))
  (global $blocks (mut i32) (i32.const 0))
  (func $alloc (export "${alloc}") (param $size i32) (result i32) (local $at i32) (local $row i32)
    (local.set $at (global.get $next))
    (global.set $next (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 8)))
    (loop $more (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
      (then (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (return (i32.const 0)))) (br $more))))
    (local.set $row (i32.add (i32.const 65536) (i32.mul (global.get $blocks) (i32.const 8))))
    (i32.store (local.get $row) (local.get $at))
    (i32.store offset=4 (local.get $row) (local.get $size))
    (global.set $blocks (i32.add (global.get $blocks) (i32.const 1)))
    (local.get $at))
  (func $free (export "${free}") (param $at i32) (param $size i32) (local $row i32) (local $last i32)
    (local.set $last (i32.add (i32.const 65536) (i32.mul (i32.sub (global.get $blocks) (i32.const 1)) (i32.const 8))))
    (local.set $row (i32.const 65536))
    (loop $look
      (if (i32.gt_u (local.get $row) (local.get $last)) (then unreachable))
      (if (i32.ne (i32.load (local.get $row)) (local.get $at))
        (then (local.set $row (i32.add (local.get $row) (i32.const 8))) (br $look))))
    (if (i32.ne (i32.load offset=4 (local.get $row)) (local.get $size)) (then unreachable))
    (i64.store (local.get $row) (i64.load (local.get $last)))
    (global.set $blocks (i32.sub (global.get $blocks) (i32.const 1))))
  (func $books (local $row i32) (local $sum i32)
    (local.set $row (i32.add (i32.const 65536) (i32.mul (global.get $blocks) (i32.const 8))))
    (block $done (loop $next
      (br_if $done (i32.eq (local.get $row) (i32.const 65536)))
      (local.set $row (i32.sub (local.get $row) (i32.const 8)))
      (local.set $sum (i32.add (local.get $sum) (i32.load offset=4 (local.get $row))))
      (br $next)))
    (call $tell (global.get $blocks) (local.get $sum)))`;

/** Takes the allocator of a guest of `guests.ts` out and puts the one with books in its place. */
function keepingBooks(text: string, alloc: string, free: string): string {
  return text
    .replace("(module", `(module (import "host" "tell" (func $tell (param i32 i32)))`)
    .replace(new RegExp(`\\(func \\(export "${alloc}"\\)[^]*?\\(local\\.get \\$at\\)\\)\n`), "")
    .replace(new RegExp(`\\(func \\(export "${free}"\\).*\n`), ALLOCATOR(alloc, free))
    .replace(/\(memory \(export "memory"\) \d+\)/, '(memory (export "memory") 40)');
}

/** Guests with books, one a profile that allocates; each tells its books when it is entered, then does `body`. */
export const bookKeepers: Readonly<Record<"keelson" | "oxide" | "gonext", (body: string) => string>> = {
  keelson: (body) =>
    keepingBooks(
      keelsonGuest(
        `(call $books) ${body}`,
        `(func (export "keelson_methods") (result i32) (call $answer (i32.const 0) (i32.const 2) (i32.const 176) (i32.const 15)))`,
      ),
      "keelson_alloc",
      "keelson_free",
    ),
  oxide: (body) => keepingBooks(oxideGuest(`(call $books) ${body}`), "alloc", "free"),
  gonext: (body) => keepingBooks(gonextGuest(`(call $books) ${body}`), "gn_alloc", "gn_free"),
};

/** Opens such a guest; `suspended`: as one whose host functions may answer later, which goes another way inside. */
export async function openBooks(text: string, suspended: boolean): Promise<BookKeeper> {
  let books: Books = { blocks: 0, bytes: 0 };
  const tell = (blocks: number, bytes: number): number => {
    books = { blocks, bytes };
    return 0;
  };
  const platform = createTestPlatform();
  const { instance } = await open(
    {
      source: wat(text),
      imports: {
        host: { tell: suspended ? suspending(async (a: number, b: number) => void tell(a, b)) : tell },
      },
    },
    { ...platform, supports: { ...platform.supports, jspi: true } },
  );
  return {
    call: async (method, payload) => instance.call(callOf(method, payload)),
    get books() {
      return books;
    },
    dead: () => instance.dead,
  };
}
