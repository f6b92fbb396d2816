import type { Shape } from "./shapes.ts";

const many = (count: number, text: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => text(n)).join(" ");

/** Guests that never return, in ways that are rarer than those of {@link shapes}. Each exports "f". */
export const moreShapes: readonly Shape[] = [
  {
    name: "br_table of 1,000 labels to loops that share them",
    text: `(module (func (export "f") (local i32) (loop $a (loop $b (loop $c (local.set 0 (i32.add (local.get 0) (i32.const 7))) (br_table ${many(1_000, (n) => ["$a", "$b", "$c"][n % 3] as string)} $a (i32.rem_u (local.get 0) (i32.const 1001))))))))`,
  },
  {
    name: "loops in the handlers of try_table",
    text: `(module (tag $e) (func (export "f") (loop $l (block $h (try_table (catch $e $h) (loop (throw $e)))) (loop $n (br_if $n (i32.const 0))) (br $l))))`,
  },
  {
    name: "exceptions rethrown in each of 1,000 frames",
    text: `(module (tag $e) (func $d (param i32) (if (i32.eqz (local.get 0)) (then (throw $e))) (try (do (call $d (i32.sub (local.get 0) (i32.const 1)))) (catch_all (rethrow 0)))) (func (export "f") (loop $l (try (do (call $d (i32.const 1000))) (catch_all)) (br $l))))`,
  },
  {
    name: "one exception thrown again and again by reference",
    gc: true,
    text: `(module (tag $e) (func (export "f") (local $x exnref) (local.set $x (block $h (result exnref) (try_table (catch_all_ref $h) (throw $e)) unreachable)) (loop $l (block $c (try_table (catch_all $c) (throw_ref (local.get $x)))) (br $l))))`,
  },
  {
    name: "recursion by reference that returns, without end",
    gc: true,
    text: `(module (type $t (func (param i32))) (elem declare func $f) (func $f (type $t) (param i32) (if (local.get 0) (then (call_ref $t (i32.sub (local.get 0) (i32.const 1)) (ref.func $f)) (call_ref $t (i32.sub (local.get 0) (i32.const 1)) (ref.func $f))))) (func (export "f") (call_ref $t (i32.const 60) (ref.func $f))))`,
  },
  {
    name: "tail calls by reference from one table entry to another",
    gc: true,
    text: `(module (type $t (func (param i32))) (table $k 2 (ref null $t)) (elem (table $k) (i32.const 0) (ref null $t) (ref.func $a) (ref.func $b)) (func $a (type $t) (param i32) (return_call_ref $t (local.get 0) (table.get $k (i32.const 1)))) (func $b (type $t) (param i32) (return_call_ref $t (local.get 0) (table.get $k (i32.const 0)))) (func (export "f") (call $a (i32.const 0))))`,
  },
  {
    name: "casts",
    gc: true,
    text: `(module (type $a (sub (struct (field i32)))) (type $b (sub $a (struct (field i32 i32)))) (func (export "f") (local $x (ref null $a)) (local.set $x (struct.new $b (i32.const 1) (i32.const 2))) (loop $l (drop (ref.test (ref $b) (local.get $x))) (drop (ref.cast (ref $b) (local.get $x))) (br $l))))`,
  },
  {
    name: "vectors",
    text: `(module (func (export "f") (local v128) (loop (local.set 0 (f64x2.sqrt (f64x2.div (local.get 0) (local.get 0)))) (local.set 0 (f32x4.relaxed_madd (local.get 0) (local.get 0) (local.get 0))) (br 0))))`,
  },
  {
    name: "table.init",
    text: `(module (table 40000 funcref) (func $g) (elem $e func ${"$g ".repeat(40_000)}) (func (export "f") (loop (table.init $e (i32.const 0) (i32.const 0) (i32.const 40000)) (br 0))))`,
  },
  {
    name: "table.grow by nothing",
    text: `(module (table 1 funcref) (func (export "f") (loop (drop (table.grow (ref.null func) (i32.const 0))) (br 0))))`,
  },
  {
    name: "a memory that is touched page by page",
    text: `(module (memory 1000) (func (export "f") (local i32) (loop (i32.store (local.get 0) (i32.const 1)) (local.set 0 (i32.rem_u (i32.add (local.get 0) (i32.const 4096)) (i32.const 65000000))) (br 0))))`,
  },
  {
    name: "5,000 functions called one after the other",
    text: `(module (table 5000 funcref) (elem (i32.const 0) func ${many(5_000, (n) => `$f${n}`)}) (global $n (mut i32) (i32.const 0)) (func (export "f") (loop (call_indirect (i32.rem_u (global.get $n) (i32.const 5000))) (global.set $n (i32.add (global.get $n) (i32.const 1))) (br 0))) ${many(5_000, (n) => `(func $f${n} (loop (br_if 0 (i32.const 0))) (drop (i32.const ${n})))`)})`,
  },
];
