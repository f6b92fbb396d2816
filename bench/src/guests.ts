import loadWabt from "wabt";

const wabt = await loadWabt();

function assemble(text: string): Uint8Array<ArrayBuffer> {
  const module = wabt.parseWat("guest.wat", text);
  const bytes = new Uint8Array(module.toBinary({}).buffer);
  module.destroy();
  return bytes;
}

/** Exports `add`. */
export const ADD: Uint8Array<ArrayBuffer> = assemble(`(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))`);

/** A guest of the keelson ABI that answers what it was given. */
export const ECHO: Uint8Array<ArrayBuffer> = assemble(`(module
  (memory (export "memory") 4)
  (global $top (mut i32) (i32.const 4096))
  (func (export "keelson_alloc") (param i32) (result i32) (local $at i32)
    (local.set $at (global.get $top))
    (global.set $top (i32.add (global.get $top) (local.get 0)))
    (local.get $at))
  (func (export "keelson_free") (param i32 i32))
  (func (export "keelson_call") (param i32 i32 i32 i32 i32) (result i32)
    (i32.store (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (local.get 2))
    (i32.store (i32.const 24) (local.get 3))
    (i32.store (i32.const 28) (local.get 4))
    (i32.const 16)))`);

// `echo` hands the host's own block back unread, the cheapest thing a plugin can do; `copy` brings the bytes into its memory and out
// again, as Extism's kits for authors do. A Keelson guest has them in its memory from the start.
export const EXTISM_ECHO: Uint8Array<ArrayBuffer> = assemble(`(module
  (import "extism:host/env" "input_offset" (func $offset (result i64)))
  (import "extism:host/env" "input_length" (func $length (result i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (import "extism:host/env" "input_load_u64" (func $load (param i64) (result i64)))
  (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (memory (export "memory") 4)
  (func (export "echo") (result i32)
    (call $output (call $offset) (call $length))
    (i32.const 0))
  (func (export "copy") (result i32) (local $at i64) (local $length i64) (local $out i64)
    (local.set $length (call $length))
    (local.set $out (call $alloc (local.get $length)))
    (loop $in
      (i64.store (i32.wrap_i64 (local.get $at)) (call $load (local.get $at)))
      (br_if $in (i64.lt_u (local.tee $at (i64.add (local.get $at) (i64.const 8))) (local.get $length))))
    (local.set $at (i64.const 0))
    (loop $back
      (call $store (i64.add (local.get $out) (local.get $at)) (i64.load (i32.wrap_i64 (local.get $at))))
      (br_if $back (i64.lt_u (local.tee $at (i64.add (local.get $at) (i64.const 8))) (local.get $length))))
    (call $output (local.get $out) (local.get $length))
    (i32.const 0)))`);
