;; A plugin that takes eight mebibytes of memory, and then one after the other, writes into each, and asks on when it is refused.
(module
  (memory (export "memory") 1)
  (func (export "run") (local $got i32)
    ;; All at once, so that it has most of what it may have however busy the machine is in its short life.
    (drop (memory.grow (i32.const 128)))
    (loop $more
      (local.set $got (memory.grow (i32.const 16)))
      (if (i32.ne (local.get $got) (i32.const -1))
        (then (i32.store (i32.mul (local.get $got) (i32.const 65536)) (i32.const 1))))
      (br $more)))
  (func (export "ping") (result i32) (i32.const 42)))
