// Modules that exercise what the meter treats in a way of its own: control flow, calls, exceptions, bulk operations,
// growth, objects. Each is run plain and metered and has to agree with itself.
import { wat, watGc } from "./wat.ts";

export interface CorpusCase {
  readonly name: string;
  readonly text: string;
  /** Which assembler knows its features. */
  readonly assembler?: "wabt" | "binaryen";
  readonly calls: readonly (readonly [name: string, ...args: unknown[]])[];
}

export async function assemble({ text, assembler }: CorpusCase): Promise<Uint8Array<ArrayBuffer>> {
  return assembler === "binaryen" ? await watGc(text) : wat(text);
}

/** What the modules may import: functions that answer, that throw, and that call back. */
export function hostImports(): { imports: WebAssembly.Imports; bind(exports: WebAssembly.Exports): void } {
  let exports: WebAssembly.Exports | undefined;
  return {
    imports: {
      host: {
        double: (value: number): number => (value * 2) | 0,
        fail: (): never => {
          throw new Error("the host failed");
        },
        back: (value: number): number => {
          const back = exports?.["back"] as unknown as (value: number) => number;
          return back(value);
        },
        pair: (value: number): number[] => [value, value + 1],
        log: (): void => {},
      } as never,
    },
    bind(found) {
      exports = found;
    },
  };
}

const ints = [0, 1, 2, 3, 5, 10, 100];
const each = (name: string, values: readonly unknown[] = ints): [string, ...unknown[]][] =>
  values.map((value) => [name, value]);

export const corpus: readonly CorpusCase[] = [
  {
    name: "code that cannot be reached: behind branches, and behind blocks that never end",
    text: `(module (memory (export "m") 1) (func $g (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1))))
      (func (export "typed") (param i32) (result i32)
        (block $a (block $b (block $c
          (drop (loop (result i32) (block (br $b)) (i32.const 0) (br_if $a) (i32.const 1)))))
          (return (i32.const 5)))
        (call $g) (i32.const 6))
      (func (export "operands") (param i32) (result i32)
        (call $g)
        (block $out (result i32)
          (loop $l (result i32)
            (i32.const 9) (local.get 0) (br_if $out) (drop)
            (local.set 0 (i32.const 1))
            (i32.const 7)
            (block (result i32) (br $l))
            (i32.lt_u) (br_if $l) (i32.const 5) (br $out))))
      (func (export "arms") (param i32) (result i32)
        (loop $l (result i32)
          (if (result i32) (local.get 0)
            (then (local.set 0 (i32.const 0)) (br $l))
            (else (call $g) (return (i32.const 3))))
          (i32.const 1) (i32.add) (drop) (br $l)))
      (func (export "endless") (param i32) (result i32)
        (block $out
          (loop $l
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br_if $out (i32.lt_s (local.get 0) (i32.const 0)))
            (br $l))
          (loop $never (br_if $never (i32.const 1)) (br $out)))
        (local.get 0))
      (func (export "caught") (param i32) (result i32)
        (loop $l (result i32)
          (try (result i32) (do (br_if $l (i32.eqz (local.tee 0 (i32.eqz (local.get 0))))) (unreachable) (call $g) (i32.const 1))
            (catch_all (call $g) (br $l)))
          (i32.const 2) (i32.mul))))`,
    calls: [...each("typed"), ...each("operands"), ...each("arms"), ...each("endless"), ...each("caught")],
  },
  {
    name: "an empty module",
    text: "(module)",
    calls: [],
  },
  {
    name: "recursion: fib and ackermann",
    text: `(module
      (func $fib (export "fib") (param i32) (result i32)
        (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
          (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
      (func $ack (export "ack") (param i32 i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.add (local.get 1) (i32.const 1)))))
        (if (i32.eqz (local.get 1)) (then (return (call $ack (i32.sub (local.get 0) (i32.const 1)) (i32.const 1)))))
        (call $ack (i32.sub (local.get 0) (i32.const 1)) (call $ack (local.get 0) (i32.sub (local.get 1) (i32.const 1))))))`,
    calls: [...each("fib", [0, 1, 5, 15]), ["ack", 2, 3], ["ack", 1, 50]],
  },
  {
    name: "ways out of a function before it calls or loops, and ways past the place where it does",
    text: `(module (memory (export "m") 1) (table funcref (elem $br $arm))
      (type $f (func (param i32) (result i32)))
      (func $note (param i32) (loop (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (local.get 0)))))
      (func $br (export "br") (param i32) (result i32)
        (block $out
          (br_if $out (i32.eqz (local.get 0)))
          (br_if $out (i32.eq (local.get 0) (i32.const 2)))
          (call $note (local.get 0))
          (local.set 0 (call $br (i32.sub (local.get 0) (i32.const 1)))))
        (i32.add (local.get 0) (i32.const 1)))
      (func $arm (export "arm") (param i32) (result i32)
        (if (result i32) (i32.lt_s (local.get 0) (i32.const 3))
          (then (i32.mul (local.get 0) (i32.const 5)))
          (else (i32.add (call $arm (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))))
      (func $then (export "then") (param i32) (result i32)
        (if (local.get 0) (then (call $note (i32.const 1)) (return (call $then (i32.sub (local.get 0) (i32.const 1))))))
        (if (i32.load (i32.const 8)) (then (return (i32.const 4))))
        (i32.const 9))
      (func (export "operands") (param i32) (result i32 i64)
        (i32.const 3) (i64.const 4)
        (br_if 0 (i32.eqz (local.get 0)))
        (if (param i32 i64) (result i32 i64) (i32.eq (local.get 0) (i32.const 1))
          (then) (else (call $note (local.get 0)) (drop) (drop) (i32.const 8) (i64.const 9))))
      (func (export "stale") (param i32) (result i32)
        (block $x
          (block $b
            (br_if $b (i32.eq (local.get 0) (i32.const 1)))
            (br_if $x (i32.eq (local.get 0) (i32.const 2))))
          (br_if $x (i32.eq (local.get 0) (i32.const 3)))
          (call $note (local.get 0)))
        (i32.load (i32.const 8)))
      (func (export "both") (param i32) (result i32)
        (block $x
          (block $b
            (br_if $b (i32.eq (local.get 0) (i32.const 1)))
            (call $note (local.get 0))
            (br $x))
          (br_if $x (i32.load (i32.const 8)))
          (call $note (i32.const 100)))
        (i32.load (i32.const 8)))
      (func (export "table") (param i32) (result i32)
        (block $a (block $b (block $c
          (br_table $a $b $c 0 (local.get 0)))
          (call $note (i32.const 2)) (br $a))
          (local.set 0 (i32.const 31)))
        (local.get 0))
      (func (export "loops") (param i32) (result i32) (local i32)
        (block $out
          (br_if $out (i32.eqz (local.get 0)))
          (if (i32.eq (local.get 0) (i32.const 1)) (then (return (i32.const 17))))
          (loop $l
            (br_if $out (i32.gt_s (local.get 1) (i32.const 50)))
            (local.set 1 (i32.add (local.get 1) (local.get 0)))
            (br_if $l (i32.lt_s (local.get 1) (i32.const 40))))
          (call $note (local.get 1)))
        (local.get 1))
      (func $tail (export "tail") (param i32) (result i32)
        (block $out
          (br_if $out (i32.eqz (local.get 0)))
          (return_call $tail (i32.sub (local.get 0) (i32.const 1))))
        (i32.const 6))
      (func (export "indirect") (param i32) (result i32)
        (call_indirect (type $f) (local.get 0) (i32.and (local.get 0) (i32.const 1)))))`,
    calls: [
      ...["br", "arm", "then", "operands", "stale", "both", "table", "loops", "tail", "indirect"].flatMap(
        (name) => each(name, [0, 1, 2, 3, 4, 5, 10]),
      ),
    ],
  },
  {
    name: "exceptions thrown through functions that have a way out before they call",
    text: `(module (memory (export "m") 1) (tag $t (param i32))
      (func $note (param i32) (loop (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (local.get 0)))))
      (func $thrower (export "thrower") (param i32) (result i32)
        (block $out
          (br_if $out (i32.eqz (local.get 0)))
          (call $note (i32.const 3))
          (if (i32.eq (local.get 0) (i32.const 5)) (then (throw $t (local.get 0))))
          (local.set 0 (call $thrower (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 0))
      (func (export "caught") (param i32) (result i32)
        (block $out
          (br_if $out (i32.eqz (local.get 0)))
          (local.set 0 (try (result i32) (do (call $thrower (local.get 0))) (catch $t) (catch_all (i32.const 1)))))
        (local.get 0))
      (func (export "early") (param i32) (result i32)
        (block $out
          (br_if $out (i32.eqz (local.get 0)))
          (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $t (local.get 0))))
          (call $note (i32.const 3)))
        (local.get 0)))`,
    calls: [
      ...each("thrower", [0, 1, 4, 5, 10]),
      ...each("caught", [0, 1, 4, 5, 10]),
      ...each("early", [0, 1, 2]),
      ...each("caught", [5, 4, 0]),
    ],
  },
  {
    name: "loops with exits in the middle, nested, with continue",
    text: `(module (memory (export "m") 1)
      (func (export "sum") (param i32) (result i32) (local i32 i32)
        (block $out
          (loop $next
            (br_if $out (i32.ge_s (local.get 1) (local.get 0)))
            (local.set 1 (i32.add (local.get 1) (i32.const 1)))
            (br_if $next (i32.and (local.get 1) (i32.const 1)))
            (local.set 2 (i32.add (local.get 2) (local.get 1)))
            (br $next)))
        (local.get 2))
      (func (export "nest") (param i32) (result i32) (local i32 i32 i32)
        (loop $i
          (local.set 2 (i32.const 0))
          (block $skip
            (loop $j
              (br_if $skip (i32.gt_s (local.get 2) (local.get 1)))
              (local.set 3 (i32.add (local.get 3) (i32.mul (local.get 1) (local.get 2))))
              (i32.store (i32.shl (local.get 2) (i32.const 2)) (local.get 3))
              (if (i32.gt_u (local.get 3) (i32.const 100000)) (then (return (i32.const -1))))
              (local.set 2 (i32.add (local.get 2) (i32.const 1)))
              (br $j)))
          (br_if $i (i32.lt_s (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0))))
        (local.get 3))
      (func (export "value") (param i32) (result i32)
        (i32.add (i32.const 1000)
          (loop $l (result i32)
            (local.set 0 (i32.sub (local.get 0) (i32.const 3)))
            (br_if $l (i32.gt_s (local.get 0) (i32.const 0)))
            (local.get 0))))
      (func (export "deep") (param i32) (result i32) (local i32)
        (loop $a (loop $b (loop $c (loop $d
          (local.set 1 (i32.add (local.get 1) (i32.const 1)))
          (br_if $d (i32.rem_u (local.get 1) (i32.const 3)))
          (br_if $c (i32.rem_u (local.get 1) (i32.const 5)))
          (br_if $b (i32.rem_u (local.get 1) (i32.const 7)))
          (br_if $a (i32.lt_u (local.get 1) (local.get 0)))))))
        (local.get 1)))`,
    calls: [
      ...each("sum"),
      ...each("nest", [0, 1, 5, 40, 200]),
      ...each("value"),
      ...each("deep", [0, 10, 300]),
    ],
  },
  {
    name: "small loops, left in every way",
    text: `(module (memory (export "m") 1)
      (func (export "fill") (param $n i32) (local $i i32)
        (block $done (loop $l
          (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
          (i32.store8 (local.get $i) (local.get $n))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $l))))
      (func (export "fall") (param $n i32) (result i32) (local $i i32)
        (loop $l (result i32)
          (i32.store (i32.const 128) (local.get $i))
          (br_if $l (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))
          (i32.mul (local.get $i) (i32.const 3))))
      (func (export "return") (param $n i32) (result i32) (local $i i32)
        (loop $l
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $l (i32.rem_u (local.get $i) (i32.const 7)))
          (return (i32.add (local.get $i) (local.get $n))))
        (unreachable))
      (func (export "value") (param $n i32) (result i32)
        (block $out (result i32) (loop $l
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (br_if $l (i32.gt_s (local.get $n) (i32.const 4)))
          (br $out (local.get $n)))
          (unreachable)))
      (func (export "two") (param $n i32) (result i32) (local $i i32)
        (block $b (block $a (loop $l
          (br_if $a (i32.eq (local.get $i) (local.get $n)))
          (br_if $b (i32.eq (i32.mul (local.get $i) (local.get $i)) (local.get $n)))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $l)))
          (return (i32.const -1)))
        (local.get $i))
      (func (export "nested") (param $n i32) (result i32) (local $i i32) (local $j i32) (local $s i32)
        (loop $outer
          (local.set $j (local.get $i))
          (loop $inner
            (local.set $s (i32.add (i32.mul (local.get $s) (i32.const 31)) (local.get $j)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $outer (i32.eq (local.get $i) (i32.const 5)))
            (br_if $inner (i32.gt_s (local.tee $j (i32.sub (local.get $j) (i32.const 1))) (i32.const 0))))
          (br_if $outer (i32.lt_u (local.get $i) (local.get $n))))
        (local.get $s))
      (func (export "trap") (param $n i32) (result i32) (local $i i32)
        (loop $l
          (local.set $i (i32.add (local.get $i) (i32.div_u (i32.const 8) (local.get $n))))
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (br_if $l (i32.lt_s (local.get $i) (i32.const 30))))
        (local.get $i)))`,
    calls: ["fill", "fall", "return", "value", "two", "nested", "trap"].flatMap((name) => each(name)),
  },
  {
    name: "loops with parameters and several results",
    text: `(module
      (func (export "f") (param i32) (result i32 i64)
        (local.get 0) (i64.const 1)
        (loop $l (param i32 i64) (result i32 i64)
          (i64.const 3) (i64.mul)
          (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
          (br_if $l (i32.gt_s (local.get 0) (i32.const 0)))))
      (func (export "g") (param i32) (result i32)
        (local.get 0)
        (block (param i32) (result i32)
          (loop (param i32) (result i32)
            (i32.const 1) (i32.sub) (local.tee 0)
            (br_if 1 (i32.lt_s (local.get 0) (i32.const 3)))
            (br 0))))
      (func (export "h") (param i32) (result i32 i32) (local i32)
        (block $b (result i32 i32)
          (loop $l (result i32 i32)
            (local.set 1 (i32.add (local.get 1) (i32.const 7)))
            (i32.const 1) (local.get 1)
            (br_if $b (i32.gt_s (local.get 1) (local.get 0)))
            (drop) (drop)
            (br $l)))))`,
    calls: [...each("f"), ...each("g"), ...each("h")],
  },
  {
    name: "if, else, select, early return, dead code",
    text: `(module
      (func (export "f") (param i32) (result i32)
        (if (result i32) (local.get 0)
          (then (if (i32.eq (local.get 0) (i32.const 1)) (then (return (i32.const 11)))) (i32.const 5))
          (else (return (i32.const 3)) (i32.const 9) (block (drop (i32.const 1)) (loop (br 0))) (drop))))
      (func (export "g") (param i32) (result i32) (local i32)
        (block $a (block $b (block $c
          (br_if $a (i32.eq (local.get 0) (i32.const 1)))
          (br_if $b (i32.eq (local.get 0) (i32.const 2)))
          (local.set 1 (i32.const 100)) (br $c) (unreachable))
          (local.set 1 (i32.add (local.get 1) (i32.const 10))))
          (local.set 1 (i32.add (local.get 1) (i32.const 1))))
        (select (local.get 1) (i32.const -1) (local.get 0)))
      (func (export "trap") (param i32) (if (local.get 0) (then unreachable)))
      (func (export "s") (param i32) (result f64) (select (result f64) (f64.const 1) (f64.const 2) (local.get 0)))
      (func (export "empty") (nop)))`,
    calls: [...each("f"), ...each("g"), ...each("trap", [0, 1]), ...each("s", [0, 1]), ["empty"]],
  },
  {
    name: "br_table in and out of loops",
    text: `(module
      (func (export "f") (param i32) (result i32) (local i32)
        (block $done
          (loop $again
            (block $two (block $one (block $zero
              (br_table $zero $one $two $done $again $two (local.get 0)))
              (local.set 0 (i32.const 3)) (local.set 1 (i32.add (local.get 1) (i32.const 1))) (br $again))
              (local.set 0 (i32.const 0)) (local.set 1 (i32.add (local.get 1) (i32.const 10))) (br $again))
              (local.set 0 (i32.const 1)) (local.set 1 (i32.add (local.get 1) (i32.const 100)))
              (br $again)))
        (local.get 1))
      (func (export "g") (param i32) (result i32)
        (block $o (result i32)
          (loop $l (result i32)
            (block $i (result i32)
              (i32.const 7)
              (br_table $i $o (local.get 0)))
            (br_if $o (i32.const 1))
            (drop) (br $l)))))`,
    calls: [...each("f", [0, 1, 2, 3, 5, 77]), ...each("g", [0, 1, 9])],
  },
  {
    name: "calls through tables and references, of host functions too",
    text: `(module
      (import "host" "double" (func $double (param i32) (result i32)))
      (import "host" "log" (func $log))
      (import "host" "pair" (func $pair (param i32) (result i32 i32)))
      (type $u (func (param i32) (result i32)))
      (table (export "t") 4 funcref)
      (elem (i32.const 0) $double $inc $twice)
      (func $inc (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
      (func $twice (param i32) (result i32) (local i32)
        (loop (local.set 0 (call $inc (local.get 0)))
          (br_if 0 (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 2))))
        (local.get 0))
      (func (export "f") (param i32 i32) (result i32) (call_indirect (type $u) (local.get 1) (local.get 0)))
      (func (export "g") (param i32) (result i32) (call $log) (i32.add (call $double (local.get 0)) (i32.add (call $pair (i32.const 3)))))
      (func (export "many") (param i32) (result i32) (local i32)
        (loop $l
          (local.set 1 (call_indirect (type $u) (local.get 1) (i32.rem_u (local.get 0) (i32.const 3))))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1))
      (func (export "mix") (param i32) (result i32) (local i32 i32)
        (loop $o
          (local.set 2 (i32.const 10))
          (loop $hot (br_if $hot (local.tee 2 (i32.sub (local.get 2) (i32.const 1)))))
          (local.set 1 (i32.add (local.get 1) (call $double (local.get 0))))
          (br_if $o (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1)))`,
    calls: [
      ...[0, 1, 2, 3, 9].map((index): [string, ...unknown[]] => ["f", index, 21]),
      ["g", 4],
      ["many", 20],
      ["mix", 7],
    ],
  },
  {
    name: "re-entry: the host calls back",
    text: `(module
      (import "host" "back" (func $back (param i32) (result i32)))
      (func $f (export "back") (param i32) (result i32)
        (if (result i32) (local.get 0)
          (then (i32.add (i32.const 1) (call $back (i32.sub (local.get 0) (i32.const 1)))))
          (else (i32.const 100)))))`,
    calls: each("back", [0, 1, 5, 20]),
  },
  {
    name: "tail calls, direct, indirect, mutual, of imports",
    text: `(module
      (import "host" "double" (func $double (param i32) (result i32)))
      (type $u (func (param i32) (result i32)))
      (table 3 funcref) (elem (i32.const 0) $even $odd $double)
      (func $even (export "even") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
        (return_call $odd (i32.sub (local.get 0) (i32.const 1))))
      (func $odd (export "odd") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
        (return_call $even (i32.sub (local.get 0) (i32.const 1))))
      (func $through (export "through") (param i32 i32) (result i32) (return_call_indirect (type $u) (local.get 1) (local.get 0)))
      (func (export "host") (param i32) (result i32) (return_call $double (local.get 0)))
      (func (export "around") (param i32) (result i32) (local i32)
        (loop (br_if 0 (i32.lt_s (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 5))))
        (i32.add (call $through (i32.const 2) (local.get 0)) (call $through (i32.const 0) (local.get 0)))))`,
    calls: [
      ["even", 10],
      ["even", 30_001],
      ["odd", 7],
      ["through", 0, 8],
      ["through", 2, 8],
      ["host", 9],
      ["around", 5],
    ],
  },
  {
    name: "exceptions of the first kind: try, catch, delegate, rethrow",
    text: `(module
      (import "host" "fail" (func $fail))
      (tag $e (param i32)) (tag $p (param i32 i64)) (tag $n)
      (func $throw (param i32) (if (local.get 0) (then (throw $e (local.get 0)))))
      (func (export "f") (param i32) (result i32)
        (try (result i32) (do (call $throw (local.get 0)) (i32.const 5))
          (catch $e (i32.const 100) (i32.add))))
      (func (export "all") (param i32) (result i32)
        (try (result i32)
          (do (if (local.get 0) (then (throw $p (i32.const 1) (i64.const 2)))) (throw $n))
          (catch $p (drop) (i32.const 40) (i32.add))
          (catch_all (i32.const -1))))
      (func (export "again") (param i32) (result i32)
        (try (result i32)
          (do (try $t (result i32) (do (call $throw (local.get 0)) (i32.const 1)) (catch $e (drop) (rethrow $t))))
          (catch $e (i32.const 7) (i32.mul))))
      (func (export "delegated") (param i32) (result i32)
        (try $outer (result i32)
          (do (try (result i32) (do (call $throw (local.get 0)) (i32.const 1)) (delegate $outer)))
          (catch_all (i32.const 77))))
      (func (export "host") (result i32) (try (result i32) (do (call $fail) (i32.const 1)) (catch_all (i32.const 2))))
      (func (export "loop") (param i32) (result i32) (local i32 i32)
        (loop $l
          (local.set 2 (i32.const 5))
          (loop $hot (br_if $hot (local.tee 2 (i32.sub (local.get 2) (i32.const 1)))))
          (try (do (call $throw (i32.and (local.get 0) (i32.const 1)))) (catch $e (local.set 1 (i32.add (local.get 1)))))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1))
      (func (export "hosts") (param i32) (result i32)
        (loop $l
          (try (do (call $fail)) (catch_all))
          (try (do (call $fail)) (catch_all (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))
        (local.get 0))
      (func (export "out") (param i32) (throw $e (local.get 0))))`,
    calls: [
      ...each("f", [0, 1]),
      ...each("all", [0, 1]),
      ...each("again", [0, 3]),
      ...each("delegated", [0, 3]),
      ["host"],
      ["loop", 9],
      ["hosts", 4],
      ["out", 3],
    ],
  },
  {
    name: "exceptions of the second kind: try_table, throw_ref",
    text: `(module
      (import "host" "fail" (func $fail))
      (tag $e (param i32)) (tag $n)
      (func $throw (param i32) (if (local.get 0) (then (throw $e (local.get 0)))))
      (func (export "f") (param i32) (result i32)
        (block $h (result i32) (try_table (catch $e $h) (call $throw (local.get 0))) (i32.const -5)))
      (func (export "ref") (param i32) (result i32) (local exnref)
        (block $done (result i32)
          (block $h (result i32 exnref)
            (try_table (catch_ref $e $h) (call $throw (local.get 0)))
            (br $done (i32.const 0)))
          (local.set 1)
          (drop)
          (block $all (result exnref)
            (try_table (catch_all_ref $all) (throw_ref (local.get 1)))
            (unreachable))
          (drop)
          (i32.const 9)))
      (func (export "loop") (param i32) (result i32) (local i32)
        (loop $l
          (local.set 1 (i32.add (local.get 1) (i32.const 1)))
          (if (i32.lt_s (local.get 1) (local.get 0)) (then
            (try_table (catch_all $l) (call $throw (i32.const 1))))))
        (local.get 1))
      (func (export "hosts") (param i32) (result i32) (local i32)
        (block $out
          (loop $l
            (br_if $out (i32.ge_s (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0)))
            (try_table (catch_all $l) (call $fail))))
        (local.get 1))
      (func (export "both") (param i32) (result i32) (local i32 i32)
        (loop $o
          (block $c
            (local.set 2 (i32.const 5))
            (loop $h (br_if $h (local.tee 2 (i32.sub (local.get 2) (i32.const 1)))))
            (br_if $c (i32.and (local.get 0) (i32.const 1)))
            (try_table (catch_all $c)
              (call $throw (i32.and (local.get 0) (i32.const 2)))
              (if (i32.eq (local.get 0) (i32.const 8)) (then (throw $n)))
              (local.set 1 (i32.add (local.get 1) (i32.const 100))))
            (local.set 1 (i32.add (local.get 1) (i32.const 1000))))
          (local.set 2 (i32.const 3))
          (loop $h (br_if $h (local.tee 2 (i32.sub (local.get 2) (i32.const 1)))))
          (local.set 1 (i32.add (local.get 1) (i32.const 1)))
          (br_if $o (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1))
      (func (export "direct") (param i32) (result i32)
        (try_table (result i32) (catch $e 0) (call $throw (local.get 0)) (i32.const 1))))`,
    calls: [
      ...each("f", [0, 3]),
      ...each("ref", [0, 3]),
      ...each("loop", [0, 5]),
      ...each("hosts", [0, 6]),
      ...each("direct", [0, 4]),
      ...each("both", [1, 2, 20, 100]),
    ],
  },
  {
    name: "bulk memory and tables",
    text: `(module
      (memory (export "m") 2 4) (memory (export "n") 1)
      (table $t 10 20 funcref) (table $u 5 funcref)
      (elem $e func $a $b) (data $d "hello, world")
      (func $a (result i32) (i32.const 1)) (func $b (result i32) (i32.const 2))
      (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
      (func (export "small") (memory.fill (i32.const 7) (i32.const 9) (i32.const 32)) (memory.copy (i32.const 100) (i32.const 0) (i32.const 64)))
      (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
      (func (export "copies") (param i32 i32 i32) (loop (memory.copy (local.get 0) (local.get 1) (local.get 2)) (br_if 0 (local.tee 2 (i32.shr_u (local.get 2) (i32.const 1))))))
      (func (export "init") (param i32 i32 i32) (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
      (func (export "drop") (data.drop $d) (elem.drop $e))
      (func (export "tinit") (param i32 i32 i32) (table.init $t $e (local.get 0) (local.get 1) (local.get 2)))
      (func (export "tcopy") (param i32 i32 i32) (table.copy $t $t (local.get 0) (local.get 1) (local.get 2)))
      (func (export "tfill") (param i32 i32) (table.fill $t (local.get 0) (ref.func $a) (local.get 1)))
      (func (export "tget") (param i32) (result i32) (ref.is_null (table.get $t (local.get 0))))
      (func (export "tset") (param i32) (table.set $t (local.get 0) (ref.null func)))
      (func (export "tcall") (param i32) (result i32) (call_indirect $t (result i32) (local.get 0)))
      (func (export "tgrow") (param i32) (result i32) (table.grow $t (ref.func $b) (local.get 0)))
      (func (export "tsize") (result i32) (table.size $t))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "size") (result i32) (memory.size)))`,
    calls: [
      ["fill", 0, 0xaa, 70_000],
      ["fill", 131_000, 1, 1000],
      ["small"],
      ["copy", 10, 20, 65_536],
      ["copies", 0, 40_000, 30_000],
      ["copy", 0, 131_070, 16],
      ["init", 5, 0, 12],
      ["init", 5, 7, 12],
      ["tinit", 0, 0, 2],
      ["tcopy", 3, 0, 2],
      ["tfill", 5, 3],
      ["tfill", 5, 30],
      ...each("tget", [0, 5, 9]),
      ["tset", 5],
      ...each("tcall", [0, 1, 3, 5]),
      ["tgrow", 3],
      ["tgrow", 30],
      ["tsize"],
      ["drop"],
      ["init", 5, 0, 1],
      ["tinit", 0, 0, 1],
      ["grow", 1],
      ["grow", 5],
      ["grow", -1],
      ["size"],
    ],
  },
  {
    name: "start, data and exported globals",
    text: `(module
      (memory (export "m") 1) (data (i32.const 4) "abc")
      (global $g (export "g") (mut i32) (i32.const 3))
      (global $c i32 (i32.add (i32.const 1) (i32.mul (i32.const 2) (i32.const 3))))
      (func $start (i32.store (i32.const 0) (global.get $c)) (global.set $g (i32.const 9)))
      (start $start)
      (func (export "f") (result i32) (i32.add (global.get $g) (i32.load (i32.const 0)))))`,
    calls: [["f"]],
  },
  {
    name: "leaves that their callers pay for",
    text: `(module (memory (export "m") 1)
      (func $add (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
      (func $load (param i32) (result i32) (i32.load (local.get 0)))
      (func (export "f") (param i32) (result i32) (local i32)
        (loop $l
          (local.set 1 (call $add (local.get 1) (call $load (local.get 0))))
          (i32.store (local.get 0) (local.get 1))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1))
      (func (export "trap") (result i32) (call $load (i32.const -1))))`,
    calls: [["f", 50], ["trap"]],
  },
  {
    name: "several memories",
    text: `(module (memory $a (export "a") 1 3) (memory $b (export "b") 1 3)
      (func (export "f") (param i32) (result i32)
        (i32.store $b offset=4 (i32.const 0) (local.get 0))
        (memory.copy $a $b (i32.const 0) (i32.const 4) (local.get 0))
        (memory.fill $b (i32.const 100) (i32.const 1) (local.get 0))
        (i32.load $a (i32.const 0)))
      (func (export "grow") (param i32) (result i32 i32) (memory.grow $a (local.get 0)) (memory.grow $b (local.get 0))))`,
    calls: [
      ["f", 4],
      ["f", 1000],
      ["grow", 1],
      ["grow", 9],
    ],
  },
  {
    name: "64-bit memory",
    text: `(module (memory (export "m") i64 1 3)
      (func (export "f") (param i64 i64) (result i64)
        (memory.fill (local.get 0) (i32.const 7) (local.get 1))
        (memory.copy (i64.const 8) (local.get 0) (local.get 1))
        (i64.load offset=0x10 (i64.const 0)))
      (func (export "loop") (param i64) (result i64) (local i64)
        (loop (local.set 1 (i64.add (local.get 1) (local.get 0)))
          (memory.fill (i64.const 0) (i32.const 1) (i64.const 8))
          (br_if 0 (i64.ne (i64.const 0) (local.tee 0 (i64.sub (local.get 0) (i64.const 1))))))
        (local.get 1))
      (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0))))`,
    calls: [
      ["f", 0n, 100n],
      ["f", 0n, 70_000n],
      ["f", 0n, 0x1_0000_0000_0000n],
      ["loop", 9n],
      ["grow", 1n],
      ["grow", 9n],
      ["grow", -1n],
    ],
  },
  {
    name: "large fills and copies, which are done in pieces",
    text: `(module (memory $a (export "a") 80) (memory $b (export "b") 80)
      (func (export "set") (param i32 i32) (local i32)
        (loop (i32.store (i32.add (local.get 0) (local.get 2)) (i32.mul (local.get 2) (i32.const 0x01234567)))
          (br_if 0 (i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 4))) (local.get 1)))))
      (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
      (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
      (func (export "over") (param i32 i32 i32) (memory.copy $b $a (local.get 0) (local.get 1) (local.get 2)))
      (func (export "hot") (param i32) (result i32) (local i32)
        (loop $hot (local.set 1 (i32.add (local.get 1) (i32.const 3))) (br_if $hot (i32.lt_u (local.get 1) (i32.const 100))))
        (memory.fill (i32.const 7) (i32.const 5) (local.get 0))
        (loop $hot (local.set 1 (i32.add (local.get 1) (i32.const 3))) (br_if $hot (i32.lt_u (local.get 1) (i32.const 200))))
        (local.get 1)))`,
    calls: [
      ["set", 0, 3_000_000],
      ["copy", 5, 0, 2_900_000],
      ["copy", 0, 9, 2_500_001],
      ["copy", 1_048_576, 0, 1_048_577],
      ["copy", 2_000_000, 100, 3_242_880],
      ["copy", 2_000_000, 100, 3_242_881],
      ["copy", 100, 4_000_000, 1_242_881],
      ["copy", -100, 4_000_000, 1_242_881],
      ["over", 1, 2, 3_000_000],
      ["fill", 3, 200, 1_048_576],
      ["fill", 3, 201, 5_242_877],
      ["fill", 3, 202, 5_242_878],
      ["fill", -5, 202, -1],
      ["hot", 2_000_000],
    ],
  },
  {
    name: "64-bit memory in pieces",
    text: `(module (memory $a (export "a") i64 80)
      (func (export "set") (param i64 i64) (local i64)
        (loop (i64.store (i64.add (local.get 0) (local.get 2)) (i64.mul (local.get 2) (i64.const 0x0123456789)))
          (br_if 0 (i64.lt_u (local.tee 2 (i64.add (local.get 2) (i64.const 8))) (local.get 1)))))
      (func (export "fill") (param i64 i32 i64) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
      (func (export "copy") (param i64 i64 i64) (memory.copy (local.get 0) (local.get 1) (local.get 2))))`,
    calls: [
      ["set", 0n, 3_000_000n],
      ["copy", 5n, 0n, 2_900_000n],
      ["copy", 0n, 9n, 2_500_001n],
      ["copy", 2_000_000n, 100n, 3_242_880n],
      ["copy", 2_000_000n, 100n, 3_242_881n],
      ["copy", -1n, 100n, 3_242_881n],
      ["fill", 3n, 201, 5_242_877n],
      ["fill", 3n, 202, 5_242_878n],
      ["fill", 5_000_000n, 202, -1n],
    ],
  },
  {
    name: "waiting on shared memory",
    text: `(module (memory (export "m") 1 2 shared)
      (func (export "wait32") (param i32 i64) (result i32) (memory.atomic.wait32 (i32.const 0) (local.get 0) (local.get 1)))
      (func (export "wait64") (param i64 i64) (result i32) (memory.atomic.wait64 offset=8 (i32.const 0) (local.get 0) (local.get 1)))
      (func (export "notify") (result i32) (atomic.fence) (memory.atomic.notify (i32.const 0) (i32.const 1)))
      (func (export "add") (result i32) (i32.atomic.rmw.add (i32.const 16) (i32.const 4))))`,
    calls: [
      ["wait32", 1, 1000n],
      ["wait32", 0, 0n],
      ["wait32", 0, 3_500_000n],
      ["wait64", 5n, -1n],
      ["wait64", 0n, 10n],
      ["notify"],
      ["add"],
    ],
  },
  {
    name: "typed function references",
    assembler: "binaryen",
    text: `(module
      (type $u (func (param i32) (result i32)))
      (import "host" "double" (func $double (type $u)))
      (elem declare func $inc $double)
      (func $inc (type $u) (i32.add (local.get 0) (i32.const 1)))
      (func $pick (param i32) (result (ref null $u))
        (if (i32.eqz (local.get 0)) (then (return (ref.null $u))))
        (if (i32.eq (local.get 0) (i32.const 1)) (then (return (ref.func $inc))))
        (ref.func $double))
      (func (export "f") (param i32) (result i32) (call_ref $u (i32.const 20) (call $pick (local.get 0))))
      (func (export "tail") (param i32) (result i32) (return_call_ref $u (i32.const 20) (call $pick (local.get 0))))
      (func $t (param i32) (result i32) (return_call_ref $u (i32.const 20) (call $pick (local.get 0))))
      (func (export "around") (param i32) (result i32) (i32.add (call $t (local.get 0)) (call $t (i32.const 1))))
      (func (export "null") (param i32) (result i32)
        (block $null
          (return (call_ref $u (i32.const 1) (br_on_null $null (call $pick (local.get 0))))))
        (i32.const -7))
      (func (export "nonnull") (param i32) (result i32)
        (block $some (result (ref $u))
          (br_on_non_null $some (call $pick (local.get 0)))
          (return (i32.const -8)))
        (drop) (i32.const 8))
      (func (export "as") (param i32) (result i32) (drop (ref.as_non_null (call $pick (local.get 0)))) (i32.const 1)))`,
    calls: ["f", "tail", "around", "null", "nonnull", "as"].flatMap((name) => each(name, [0, 1, 2])),
  },
  {
    name: "structures and arrays",
    assembler: "binaryen",
    text: `(module
      (type $node (struct (field $value (mut i32)) (field $next (mut (ref null $node)))))
      (type $small (struct (field $b (mut i8)) (field $s (mut i16)) (field f64)))
      (type $ints (array (mut i32))) (type $bytes (array (mut i8))) (type $refs (array (mut (ref null eq))))
      (type $sub (sub (struct (field i32)))) (type $subsub (sub $sub (struct (field i32) (field i32))))
      (data $d "0123456789abcdef") (elem $e (ref null eq) (item (ref.i31 (i32.const 1))) (item (ref.i31 (i32.const 2))) (item (ref.null eq)))
      (global $kept (ref $ints) (array.new $ints (i32.const 4) (i32.const 10)))
      (global $fixed (ref $node) (struct.new $node (i32.const 4) (ref.null $node)))
      (func (export "list") (param i32) (result i32) (local (ref null $node)) (local i32)
        (loop $l
          (local.set 1 (struct.new $node (local.get 0) (local.get 1)))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (loop $s
          (local.set 2 (i32.add (local.get 2) (struct.get $node $value (local.get 1))))
          (local.set 1 (struct.get $node $next (local.get 1)))
          (br_if $s (i32.eqz (ref.is_null (local.get 1)))))
        (local.get 2))
      (func (export "small") (param i32) (result i32) (local (ref $small))
        (local.set 1 (struct.new_default $small))
        (struct.set $small $b (local.get 1) (local.get 0))
        (struct.set $small $s (local.get 1) (local.get 0))
        (i32.add (struct.get_s $small $b (local.get 1)) (struct.get_u $small $s (local.get 1))))
      (func (export "array") (param i32) (result i32) (local (ref $ints)) (local i32)
        (local.set 1 (array.new $ints (i32.const 3) (local.get 0)))
        (array.fill $ints (local.get 1) (i32.const 0) (i32.const 5) (i32.const 1))
        (array.copy $ints $ints (local.get 1) (i32.const 1) (global.get $kept) (i32.const 0) (i32.const 2))
        (array.set $ints (local.get 1) (i32.const 3) (i32.const 1000))
        (loop $l
          (local.set 2 (i32.add (local.get 2) (array.get $ints (local.get 1) (i32.sub (local.get 0) (i32.const 1)))))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (i32.add (array.len (local.get 1)) (local.get 2)))
      (func (export "bytes") (param i32) (result i32) (local (ref $bytes))
        (local.set 1 (array.new_data $bytes $d (i32.const 2) (local.get 0)))
        (array.init_data $bytes $d (local.get 1) (i32.const 1) (i32.const 0) (i32.const 2))
        (i32.add (array.get_u $bytes (local.get 1) (i32.const 0)) (array.get_s $bytes (local.get 1) (i32.const 2))))
      (func (export "refs") (param i32) (result i32) (local (ref $refs))
        (local.set 1 (array.new_elem $refs $e (i32.const 0) (local.get 0)))
        (array.init_elem $refs $e (local.get 1) (i32.const 0) (i32.const 1) (i32.const 1))
        (i31.get_s (ref.cast (ref i31) (array.get $refs (local.get 1) (i32.const 0)))))
      (func (export "more") (result i32) (local (ref $ints))
        (local.set 0 (array.new_fixed $ints 3 (i32.const 1) (i32.const 2) (i32.const 3)))
        (drop (array.new_default $bytes (i32.const 100)))
        (i32.add (array.get $ints (local.get 0) (i32.const 2)) (i31.get_u (ref.i31 (i32.const -1)))))
      (func $make (param i32) (result (ref null $sub))
        (if (i32.eqz (local.get 0)) (then (return (ref.null $sub))))
        (if (i32.eq (local.get 0) (i32.const 1)) (then (return (struct.new $sub (i32.const 1)))))
        (struct.new $subsub (i32.const 2) (i32.const 3)))
      (func (export "cast") (param i32) (result i32)
        (block $yes (result (ref $subsub))
          (drop (br_on_cast $yes (ref null $sub) (ref $subsub) (call $make (local.get 0))))
          (return (i32.const 0)))
        (struct.get $subsub 1))
      (func (export "castfail") (param i32) (result i32)
        (block $no (result (ref null $sub))
          (return (struct.get $subsub 1 (br_on_cast_fail $no (ref null $sub) (ref $subsub) (call $make (local.get 0))))))
        (ref.is_null))
      (func (export "test") (param i32) (result i32)
        (i32.add (ref.test (ref $subsub) (call $make (local.get 0))) (ref.test (ref null $sub) (call $make (local.get 0)))))
      (func (export "must") (param i32) (result i32) (drop (ref.cast (ref null $subsub) (call $make (local.get 0)))) (i32.const 1))
      (func (export "same") (result i32) (ref.eq (global.get $fixed) (global.get $fixed)))
      (func (export "extern") (param externref) (result externref) (extern.convert_any (any.convert_extern (local.get 0)))))`,
    calls: [
      ...each("list", [1, 10, 1000]),
      ...each("small", [1, 200, -1, 70_000]),
      ...each("array", [4, 100, 2]),
      ...each("bytes", [3, 14, 15]),
      ...each("refs", [1, 3, 4]),
      ["more"],
      ...["cast", "castfail", "test", "must"].flatMap((name) => each(name, [0, 1, 2])),
      ["same"],
      ["extern", 5],
    ],
  },
  {
    name: "exceptions that carry references",
    assembler: "binaryen",
    text: `(module
      (tag $r (param anyref))
      (func (export "f") (param i32) (result i32)
        (block $h (result anyref)
          (try_table (catch $r $h) (throw $r (ref.i31 (local.get 0))))
          (unreachable))
        (i31.get_s (ref.cast (ref i31)))))`,
    calls: each("f", [0, 4]),
  },
];
