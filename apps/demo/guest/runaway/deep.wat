;; A plugin that calls itself for ever.
(module
  (func $deep (export "run") (result i32) (i32.add (call $deep) (i32.const 1)))
  (func (export "ping") (result i32) (i32.const 42)))
