/**
 * A guest of the profile keelson in text form: a bump allocator that remembers what it gave back, and the methods
 * echo (same kind, same bytes), fail, fail-json, and some that break the protocol. Reads the method's first byte alone.
 */
export function keelsonGuest(body: string, extra = ""): string {
  return `(module
  (import "keelson" "log" (func $log (param i32 i32 i32)))
  (import "keelson" "panic" (func $panic (param i32 i32)))
  (memory (export "memory") 1)
  (global $top (mut i32) (i32.const 4096))
  (global $frees (mut i32) (i32.const 0))
  (data (i32.const 64) "it broke")
  (data (i32.const 96) "{\\"message\\":\\"no luck\\",\\"code\\":\\"E7\\"}")
  (data (i32.const 160) "{oops")
  (data (i32.const 176) "[\\"echo\\",\\"fail\\"]")
  (data (i32.const 200) "\\ff\\fe")
  (func (export "keelson_alloc") (param $size i32) (result i32) (local $at i32)
    (local.set $at (global.get $top))
    (global.set $top (i32.add (global.get $top) (local.get $size)))
    (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
      (then (drop (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get $size) (i32.const 65536)))))))
    (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))) (then (return (i32.const 0))))
    (local.get $at))
  (func (export "keelson_free") (param i32 i32) (global.set $frees (i32.add (global.get $frees) (i32.const 1))))
  (func (export "frees") (result i32) (global.get $frees))
  (func $answer (param $status i32) (param $kind i32) (param $ptr i32) (param $len i32) (result i32)
    (i32.store (i32.const 16) (local.get $status))
    (i32.store (i32.const 20) (local.get $kind))
    (i32.store (i32.const 24) (local.get $ptr))
    (i32.store (i32.const 28) (local.get $len))
    (i32.const 16))
  ${extra}
  (func (export "keelson_call") (param $method i32) (param $method_len i32) (param $kind i32) (param $ptr i32) (param $len i32) (result i32)
    (local $first i32)
    (if (local.get $method_len) (then (local.set $first (i32.load8_u (local.get $method)))))
    ${body}
    (call $answer (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0))))`;
}

/** When the method begins with `letter`, do `then`. */
export function on(letter: string, then: string): string {
  return `(if (i32.eq (local.get $first) (i32.const ${letter.charCodeAt(0)})) (then ${then}))`;
}

/** Answer with four numbers. */
export function answer(
  status: number,
  kind: number | string,
  ptr: number | string,
  len: number | string,
): string {
  const parts = [status, kind, ptr, len].map((part) =>
    typeof part === "number" ? `(i32.const ${part})` : part,
  );
  return `(return (call $answer ${parts.join(" ")}))`;
}

export const ECHO: string = on("e", answer(0, "(local.get $kind)", "(local.get $ptr)", "(local.get $len)"));

/** A guest of the profile oxide: echo, and ways to misbehave. */
export function oxideGuest(body: string): string {
  return `(module
  (memory (export "memory") 1)
  (global $top (mut i32) (i32.const 4096))
  (global $allocs (mut i32) (i32.const 0))
  (global $frees (mut i32) (i32.const 0))
  (func (export "alloc") (param $size i32) (result i32) (local $at i32)
    (global.set $allocs (i32.add (global.get $allocs) (i32.const 1)))
    (if (i32.gt_u (local.get $size) (i32.const 40000)) (then (return (i32.const 0))))
    (local.set $at (global.get $top))
    (global.set $top (i32.add (global.get $top) (local.get $size)))
    (local.get $at))
  (func (export "free") (param i32 i32) (global.set $frees (i32.add (global.get $frees) (i32.const 1))))
  (data (i32.const 64) "{bad")
  (func $pack (param $ptr i32) (param $len i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $len))))
  (func (export "oxide_invoke") (param $m i32) (param $ml i32) (param $p i32) (param $pl i32) (result i64)
    (local $first i32)
    (local.set $first (i32.load8_u (local.get $m)))
    ${body}
    unreachable))`;
}

/** A guest of the profile gonext. */
export function gonextGuest(body: string): string {
  return `(module
  (import "env" "gn_panic" (func $panic (param i32 i32)))
  (import "env" "gn_log" (func $log (param i32 i32 i32)))
  (import "env" "gn_time_ms" (func $time (result i64)))
  (memory (export "memory") 40)
  (global $top (mut i32) (i32.const 4096))
  (global $frees (mut i32) (i32.const 0))
  (func (export "gn_alloc") (param $size i32) (result i32) (local $at i32)
    (local.set $at (global.get $top))
    (global.set $top (i32.add (global.get $top) (local.get $size)))
    (local.get $at))
  (func (export "gn_free") (param i32 i32) (global.set $frees (i32.add (global.get $frees) (i32.const 1))))
  (data (i32.const 64) "{\\"value\\":\\"changed\\"}")
  (data (i32.const 96) "no more")
  (data (i32.const 128) "{\\"val\\":1}")
  (func $pack (param $ptr i32) (param $len i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $len))))
  (func (export "gn_handle_hook") (param $m i32) (param $ml i32) (param $p i32) (param $pl i32) (result i64)
    (local $first i32)
    (local.set $first (i32.load8_u (local.get $m)))
    ${body}
    (call $pack (i32.const 0) (i32.const -4))))`;
}
