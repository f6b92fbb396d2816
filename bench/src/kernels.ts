// Seven kernels of the kind that guests spend their time in. Each exports "run" (i32 size) → i32 or f64.

export interface Kernel {
  readonly name: string;
  /** Takes some tens of milliseconds when it is not metered. */
  readonly size: number;
  readonly text: string;
}

export const kernels: readonly Kernel[] = [
  {
    name: "matrix product",
    size: 220,
    text: `(module (memory 64)
      (func (export "run") (param $n i32) (result f64) (local $i i32) (local $j i32) (local $k i32) (local $s f64) (local $b i32) (local $c i32)
        (local.set $b (i32.mul (i32.mul (local.get $n) (local.get $n)) (i32.const 8)))
        (local.set $c (i32.mul (local.get $b) (i32.const 2)))
        (loop $fill
          (f64.store (i32.mul (local.get $i) (i32.const 8)) (f64.convert_i32_s (i32.and (local.get $i) (i32.const 15))))
          (f64.store (i32.add (local.get $b) (i32.mul (local.get $i) (i32.const 8))) (f64.convert_i32_s (i32.and (local.get $i) (i32.const 7))))
          (br_if $fill (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.mul (local.get $n) (local.get $n)))))
        (local.set $i (i32.const 0))
        (loop $rows
          (local.set $j (i32.const 0))
          (loop $columns
            (local.set $k (i32.const 0))
            (local.set $s (f64.const 0))
            (loop $sum
              (local.set $s (f64.add (local.get $s) (f64.mul
                (f64.load (i32.mul (i32.add (i32.mul (local.get $i) (local.get $n)) (local.get $k)) (i32.const 8)))
                (f64.load (i32.add (local.get $b) (i32.mul (i32.add (i32.mul (local.get $k) (local.get $n)) (local.get $j)) (i32.const 8)))))))
              (br_if $sum (i32.lt_s (local.tee $k (i32.add (local.get $k) (i32.const 1))) (local.get $n))))
            (f64.store (i32.add (local.get $c) (i32.mul (i32.add (i32.mul (local.get $i) (local.get $n)) (local.get $j)) (i32.const 8))) (local.get $s))
            (br_if $columns (i32.lt_s (local.tee $j (i32.add (local.get $j) (i32.const 1))) (local.get $n))))
          (br_if $rows (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
        (f64.load (i32.add (local.get $c) (i32.const 80)))))`,
  },
  {
    name: "sieve",
    size: 3_000_000,
    text: `(module (memory 64)
      (func (export "run") (param $n i32) (result i32) (local $i i32) (local $j i32) (local $count i32)
        (memory.fill (i32.const 0) (i32.const 1) (local.get $n))
        (local.set $i (i32.const 2))
        (block $done (loop $next
          (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
          (if (i32.load8_u (local.get $i)) (then
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (local.set $j (i32.shl (local.get $i) (i32.const 1)))
            (block $struck (loop $strike
              (br_if $struck (i32.ge_u (local.get $j) (local.get $n)))
              (i32.store8 (local.get $j) (i32.const 0))
              (local.set $j (i32.add (local.get $j) (local.get $i)))
              (br $strike)))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $next)))
        (local.get $count)))`,
  },
  {
    name: "fib",
    size: 31,
    text: `(module
      (func $fib (export "run") (param i32) (result i32)
        (if (i32.lt_s (local.get 0) (i32.const 2)) (then (return (local.get 0))))
        (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2))))))`,
  },
  {
    name: "crc32",
    size: 8_000_000,
    text: `(module (memory 2)
      (func $table (local $i i32) (local $c i32) (local $k i32)
        (loop $each
          (local.set $c (local.get $i)) (local.set $k (i32.const 8))
          (loop $bit
            (local.set $c (select (i32.xor (i32.const 0xedb88320) (i32.shr_u (local.get $c) (i32.const 1))) (i32.shr_u (local.get $c) (i32.const 1)) (i32.and (local.get $c) (i32.const 1))))
            (br_if $bit (local.tee $k (i32.sub (local.get $k) (i32.const 1)))))
          (i32.store (i32.shl (local.get $i) (i32.const 2)) (local.get $c))
          (br_if $each (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 256)))))
      (func $step (param $c i32) (param $byte i32) (result i32)
        (i32.xor (i32.load (i32.shl (i32.and (i32.xor (local.get $c) (local.get $byte)) (i32.const 255)) (i32.const 2))) (i32.shr_u (local.get $c) (i32.const 8))))
      (func (export "run") (param $n i32) (result i32) (local $c i32) (local $i i32)
        (call $table)
        (local.set $c (i32.const -1))
        (loop $bytes
          (local.set $c (call $step (local.get $c) (i32.load8_u (i32.add (i32.const 1024) (i32.and (local.get $i) (i32.const 0xffff))))))
          (br_if $bytes (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
        (i32.xor (local.get $c) (i32.const -1))))`,
  },
  {
    name: "copy loop",
    size: 700,
    text: `(module (memory 4)
      (func (export "run") (param $rounds i32) (result i32) (local $i i32)
        (loop $round
          (local.set $i (i32.const 0))
          (loop $words
            (i32.store (i32.add (local.get $i) (i32.const 131072)) (i32.add (i32.load (local.get $i)) (local.get $rounds)))
            (br_if $words (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 131072))))
          (memory.copy (i32.const 0) (i32.const 131072) (i32.const 4096))
          (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
        (i32.load (i32.const 4))))`,
  },
  {
    name: "n bodies",
    size: 100_000,
    text: `(module (memory 1)
      (func $at (param $body i32) (param $field i32) (result i32) (i32.add (i32.mul (local.get $body) (i32.const 56)) (i32.mul (local.get $field) (i32.const 8))))
      (func $advance (local $i i32) (local $j i32) (local $p i32) (local $q i32) (local $dx f64) (local $dy f64) (local $dz f64) (local $d f64) (local $m f64)
        (loop $outer
          (local.set $p (call $at (local.get $i) (i32.const 0)))
          (local.set $j (i32.add (local.get $i) (i32.const 1)))
          (block $last (loop $inner
            (br_if $last (i32.ge_s (local.get $j) (i32.const 5)))
            (local.set $q (call $at (local.get $j) (i32.const 0)))
            (local.set $dx (f64.sub (f64.load (local.get $p)) (f64.load (local.get $q))))
            (local.set $dy (f64.sub (f64.load offset=8 (local.get $p)) (f64.load offset=8 (local.get $q))))
            (local.set $dz (f64.sub (f64.load offset=16 (local.get $p)) (f64.load offset=16 (local.get $q))))
            (local.set $d (f64.add (f64.const 0.01) (f64.add (f64.mul (local.get $dx) (local.get $dx)) (f64.add (f64.mul (local.get $dy) (local.get $dy)) (f64.mul (local.get $dz) (local.get $dz))))))
            (local.set $m (f64.div (f64.const 0.001) (f64.mul (local.get $d) (f64.sqrt (local.get $d)))))
            (f64.store offset=24 (local.get $p) (f64.sub (f64.load offset=24 (local.get $p)) (f64.mul (local.get $dx) (local.get $m))))
            (f64.store offset=32 (local.get $p) (f64.sub (f64.load offset=32 (local.get $p)) (f64.mul (local.get $dy) (local.get $m))))
            (f64.store offset=40 (local.get $p) (f64.sub (f64.load offset=40 (local.get $p)) (f64.mul (local.get $dz) (local.get $m))))
            (f64.store offset=24 (local.get $q) (f64.add (f64.load offset=24 (local.get $q)) (f64.mul (local.get $dx) (local.get $m))))
            (f64.store offset=32 (local.get $q) (f64.add (f64.load offset=32 (local.get $q)) (f64.mul (local.get $dy) (local.get $m))))
            (f64.store offset=40 (local.get $q) (f64.add (f64.load offset=40 (local.get $q)) (f64.mul (local.get $dz) (local.get $m))))
            (local.set $j (i32.add (local.get $j) (i32.const 1)))
            (br $inner)))
          (f64.store (local.get $p) (f64.add (f64.load (local.get $p)) (f64.mul (f64.const 0.001) (f64.load offset=24 (local.get $p)))))
          (f64.store offset=8 (local.get $p) (f64.add (f64.load offset=8 (local.get $p)) (f64.mul (f64.const 0.001) (f64.load offset=32 (local.get $p)))))
          (f64.store offset=16 (local.get $p) (f64.add (f64.load offset=16 (local.get $p)) (f64.mul (f64.const 0.001) (f64.load offset=40 (local.get $p)))))
          (br_if $outer (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5)))))
      (func (export "run") (param $n i32) (result f64) (local $i i32)
        (loop $init
          (f64.store (i32.mul (local.get $i) (i32.const 8)) (f64.convert_i32_s (i32.rem_s (i32.mul (local.get $i) (i32.const 7)) (i32.const 11))))
          (br_if $init (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 35))))
        (loop $steps (call $advance) (br_if $steps (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (f64.load (i32.const 0))))`,
  },
  {
    name: "quicksort",
    size: 300_000,
    text: `(module (memory 32)
      (func $sort (param $lo i32) (param $hi i32) (local $i i32) (local $j i32) (local $pivot i32) (local $t i32)
        (if (i32.ge_s (local.get $lo) (local.get $hi)) (then (return)))
        (local.set $i (local.get $lo)) (local.set $j (local.get $hi))
        (local.set $pivot (i32.load (i32.shl (i32.shr_u (i32.add (local.get $lo) (local.get $hi)) (i32.const 1)) (i32.const 2))))
        (block $parted (loop $part
          (br_if $parted (i32.gt_s (local.get $i) (local.get $j)))
          (block $a (loop $up (br_if $a (i32.ge_s (i32.load (i32.shl (local.get $i) (i32.const 2))) (local.get $pivot))) (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $up)))
          (block $b (loop $down (br_if $b (i32.le_s (i32.load (i32.shl (local.get $j) (i32.const 2))) (local.get $pivot))) (local.set $j (i32.sub (local.get $j) (i32.const 1))) (br $down)))
          (if (i32.le_s (local.get $i) (local.get $j)) (then
            (local.set $t (i32.load (i32.shl (local.get $i) (i32.const 2))))
            (i32.store (i32.shl (local.get $i) (i32.const 2)) (i32.load (i32.shl (local.get $j) (i32.const 2))))
            (i32.store (i32.shl (local.get $j) (i32.const 2)) (local.get $t))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (local.set $j (i32.sub (local.get $j) (i32.const 1)))))
          (br $part)))
        (call $sort (local.get $lo) (local.get $j))
        (call $sort (local.get $i) (local.get $hi)))
      (func (export "run") (param $n i32) (result i32) (local $i i32) (local $x i32)
        (local.set $x (i32.const 12345))
        (loop $fill
          (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1103515245)) (i32.const 12345)))
          (i32.store (i32.shl (local.get $i) (i32.const 2)) (i32.shr_u (local.get $x) (i32.const 8)))
          (br_if $fill (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
        (call $sort (i32.const 0) (i32.sub (local.get $n) (i32.const 1)))
        (i32.load (i32.shl (i32.shr_u (local.get $n) (i32.const 1)) (i32.const 2)))))`,
  },
];
