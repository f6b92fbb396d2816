import { wat, watGc } from "./wat.ts";

/** A guest that never returns. */
export interface Shape {
  readonly name: string;
  readonly text: string;
  readonly gc?: true;
  /** The guest runs for ever in its start function. */
  readonly atStart?: true;
  /** It runs out of stack instead of time. */
  readonly stack?: true;
  /** It runs out of memory instead of time. */
  readonly memory?: true;
}

/** Guests that never return. Each exports "f", or is already running when it starts. */
export const shapes: readonly Shape[] = [
  { name: "an empty loop", text: `(module (func (export "f") (loop (br 0))))` },
  {
    name: "a loop that counts",
    text: `(module (func (export "f") (local i64) (loop (local.set 0 (i64.add (local.get 0) (i64.const 1))) (br_if 0 (i32.const 1)))))`,
  },
  {
    name: "nested loops",
    text: `(module (func (export "f") (local i32) (loop $o (local.set 0 (i32.const 9)) (loop $i (br_if $i (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (br $o))))`,
  },
  {
    name: "a loop with parameters",
    text: `(module (func (export "f") (i32.const 1) (loop (param i32) (br 0)) unreachable))`,
  },
  {
    name: "br_table",
    text: `(module (func (export "f") (loop $a (loop $b (br_table $a $b $a (i32.const 1))))))`,
  },
  { name: "recursion", stack: true, text: `(module (func $f (export "f") (call $f) (call $f)))` },
  {
    name: "indirect recursion",
    stack: true,
    text: `(module (table 1 funcref) (elem (i32.const 0) $f) (func $f (export "f") (call_indirect (i32.const 0)) (call_indirect (i32.const 0))))`,
  },
  {
    name: "recursion that returns, without end",
    text: `(module (func $f (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1)))))) (func (export "f") (call $f (i32.const 60))))`,
  },
  { name: "a tail call of itself", text: `(module (func $f (export "f") (return_call $f)))` },
  {
    name: "mutual tail calls",
    text: `(module (func $f (export "f") (return_call $g)) (func $g (return_call $f)))`,
  },
  {
    name: "indirect tail calls",
    text: `(module (table 1 funcref) (elem (i32.const 0) $f) (func $f (export "f") (return_call_indirect (i32.const 0))))`,
  },
  {
    name: "catch_all around a trap-free throw",
    text: `(module (tag $e) (func (export "f") (loop $l (try (do (throw $e)) (catch_all (br $l))))))`,
  },
  {
    name: "catch_all around the stop itself",
    text: `(module (func $spin (loop (br 0))) (func (export "f") (loop $l (try (do (call $spin)) (catch_all (br $l))))))`,
  },
  {
    name: "try_table around the stop itself",
    text: `(module (func $spin (loop (br 0))) (func (export "f") (loop $l (try_table (catch_all $l) (call $spin)))))`,
  },
  {
    name: "a loop around a host call",
    text: `(module (import "h" "nothing" (func $h)) (func (export "f") (loop (call $h) (br 0))))`,
  },
  {
    name: "a loop around a host call that fails",
    text: `(module (import "h" "fail" (func $h)) (func (export "f") (loop $l (try (do (call $h)) (catch_all (br $l))))))`,
  },
  {
    name: "a loop around a host call that fails, second kind",
    text: `(module (import "h" "fail" (func $h)) (func (export "f") (loop $l (try_table (catch_all $l) (call $h))))) `,
  },
  {
    name: "the host calling back",
    stack: true,
    text: `(module (import "h" "back" (func $h)) (func (export "f") (call $h)))`,
  },
  {
    name: "the host calling back, each call caught and repeated",
    text: `(module (import "h" "back" (func $h)) (func (export "f") (loop $l (try (do (call $h)) (catch_all (br $l))))))`,
    stack: true,
  },
  {
    name: "memory.fill",
    text: `(module (memory 100) (func (export "f") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 6000000)) (br 0))))`,
  },
  {
    name: "memory.copy",
    text: `(module (memory 100) (func (export "f") (loop (memory.copy (i32.const 0) (i32.const 100) (i32.const 6000000)) (br 0))))`,
  },
  {
    name: "memory.init",
    text: `(module (memory 1) (data $d "abcdefgh") (func (export "f") (loop (memory.init $d (i32.const 0) (i32.const 0) (i32.const 8)) (br 0))))`,
  },
  {
    name: "table.fill",
    text: `(module (table 50000 funcref) (func (export "f") (loop (table.fill (i32.const 0) (ref.null func) (i32.const 50000)) (br 0))))`,
  },
  {
    name: "table.copy",
    text: `(module (table 50000 funcref) (func (export "f") (loop (table.copy (i32.const 0) (i32.const 1) (i32.const 49999)) (br 0))))`,
  },
  {
    name: "memory.grow by nothing",
    text: `(module (memory 1) (func (export "f") (loop (drop (memory.grow (i32.const 0))) (br 0))))`,
  },
  {
    name: "memory.grow for ever",
    text: `(module (memory 1) (func (export "f") (loop (drop (memory.grow (i32.const 1))) (br 0))))`,
  },
  {
    name: "table.grow for ever",
    text: `(module (table 1 funcref) (func (export "f") (loop (drop (table.grow (ref.null func) (i32.const 100))) (br 0))))`,
  },
  {
    name: "array.fill",
    gc: true,
    text: `(module (type $a (array (mut i32))) (func (export "f") (local (ref $a)) (local.set 0 (array.new_default $a (i32.const 100000))) (loop (array.fill $a (local.get 0) (i32.const 0) (i32.const 1) (i32.const 100000)) (br 0))))`,
  },
  {
    name: "array.copy",
    gc: true,
    text: `(module (type $a (array (mut i32))) (func (export "f") (local (ref $a)) (local.set 0 (array.new_default $a (i32.const 100000))) (loop (array.copy $a $a (local.get 0) (i32.const 0) (local.get 0) (i32.const 1) (i32.const 99999)) (br 0))))`,
  },
  {
    name: "objects for ever",
    gc: true,
    memory: true,
    text: `(module (type $s (struct (field (ref null $s)))) (func (export "f") (local (ref null $s)) (loop (local.set 0 (struct.new $s (local.get 0))) (br 0))))`,
  },
  {
    name: "arrays for ever",
    gc: true,
    memory: true,
    text: `(module (type $s (array (mut i64))) (func (export "f") (loop (drop (array.new_default $s (i32.const 1000))) (br 0))))`,
  },
  {
    name: "exceptions that hold one another",
    gc: true,
    memory: true,
    text: `(module (tag $t (param exnref)) (func (export "f") (local exnref) (loop $l (block $h (result exnref exnref) (try_table (catch_ref $t $h) (throw $t (local.get 0))) (unreachable)) (local.set 0) (drop) (br $l))))`,
  },
  {
    name: "exceptions that a table keeps",
    gc: true,
    memory: true,
    text: `(module (tag $t (param ${"i64 ".repeat(8)})) (table $kept 1 exnref) (func (export "f") (loop $l (table.set $kept (i32.const 0) (block $h (result exnref) (try_table (catch_all_ref $h) (throw $t ${"(i64.const 1)".repeat(8)})) unreachable)) (br $l))))`,
  },
  {
    name: "large exceptions, which the stack keeps",
    memory: true,
    text: `(module (tag $t (param ${"i64 ".repeat(100)})) (func (export "f") (loop $l (try (do (throw $t ${"(i64.const 1)".repeat(100)})) (catch_all (br $l))))))`,
  },
  {
    name: "typed references calling each other",
    gc: true,
    text: `(module (type $t (func)) (elem declare func $f) (func $f (export "f") (type $t) (return_call_ref $t (ref.func $f))))`,
  },
  {
    name: "atomics wait",
    text: `(module (memory 1 1 shared) (func (export "f") (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))`,
  },
  {
    name: "atomics wait in a loop",
    text: `(module (memory 1 1 shared) (func (export "f") (loop (drop (memory.atomic.wait64 (i32.const 0) (i64.const 0) (i64.const 1000))) (br 0))))`,
  },
  { name: "the start function", atStart: true, text: `(module (func $s (loop (br 0))) (start $s))` },
  {
    name: "recursion in the start function",
    atStart: true,
    stack: true,
    text: `(module (func $s (call $s) (call $s)) (start $s))`,
  },
  {
    name: "a frame of 400 locals",
    stack: true,
    text: `(module (func $f (export "f") (local ${"i64 ".repeat(400)}) (call $f) (local.set 0 (local.get 399))))`,
  },
  {
    name: "a frame of 100 parameters",
    stack: true,
    text: `(module (func $f (export "g") (param ${"i64 ".repeat(100)}) (call $f ${Array.from({ length: 100 }, (_, i) => `(local.get ${i})`).join(" ")}) (drop (local.get 99))) (func (export "f") (call $f ${"(i64.const 1)".repeat(100)})))`,
  },
  {
    name: "a frame of 1,000 vectors",
    stack: true,
    text: `(module (func $v (result v128) (v128.const i64x2 1 2)) (func $f (result v128) ${"(call $v)".repeat(1000)} (call $f) ${"i32x4.add ".repeat(1000)}) (func (export "f") (drop (call $f))))`,
  },
  {
    name: "a frame of 300 vector locals",
    stack: true,
    text: `(module (func $f (export "f") (local ${"v128 ".repeat(300)}) (call $f) (local.set 0 (local.get 299))))`,
  },
  {
    name: "a frame of 1,000 operands",
    stack: true,
    text: `(module (func $f (export "f") (result i32) ${"(i32.const 1)".repeat(1000)} (call $f) ${"i32.add ".repeat(1000)}))`,
  },
];

/** A shape in binary. */
export async function assembleShape({ text, gc }: Shape): Promise<Uint8Array<ArrayBuffer>> {
  return gc ? await watGc(text) : wat(text);
}
