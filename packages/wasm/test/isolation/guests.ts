import { RUNAWAYS, wat } from "../support/wat.ts";

/** Numbers of all kinds, traps, loops without end, and guests that take too much. */
export const GUEST: Uint8Array<ArrayBuffer> = wat(`(module
  (memory (export "memory") 1)
  (table $t 1 funcref)
  (tag $e)
  (global $calls (mut i32) (i32.const 0))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "same") (param f64) (result f64) (local.get 0))
  (func (export "long") (param i64) (result i64) (local.get 0))
  (func (export "two") (result i32 f64) (i32.const 7) (f64.const -0.0))
  (func (export "nothing"))
  (func (export "count") (result i32) (global.set $calls (i32.add (global.get $calls) (i32.const 1))) (global.get $calls))
  (func (export "boom") unreachable)
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "peek") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "call-nothing") (call_indirect (i32.const 0)))
  (func (export "throw") (throw $e))
  ${RUNAWAYS}
  (func (export "bomb") (result i32) (local $grown i32)
    (loop $more (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then (local.set $grown (i32.add (local.get $grown) (i32.const 1))) (br $more))))
    (local.get $grown))
  (func (export "hog") (drop (memory.grow (i32.const 3200))) (memory.fill (i32.const 0) (i32.const 1) (i32.const 209715200)) (loop br 0))
  (func (export "table-bomb") (loop $more (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))))`);

/** Methods that never end by themselves. */
export const ENDLESS = ["spin", "spin-br-table", "spin-memory", "spin-calls", "spin-catch"] as const;
