;; A plugin that loops for ever: the loop has no call in it, so nothing but the loop itself ever runs.
(module
  (func (export "run") (loop $for_ever (br $for_ever)))
  (func (export "ping") (result i32) (i32.const 42)))
