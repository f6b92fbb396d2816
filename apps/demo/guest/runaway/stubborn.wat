;; A plugin that loops for ever inside a handler which catches whatever is thrown, and tries again: an exception would not stop it.
(module
  (global $retries (mut i32) (i32.const 0))
  (func (export "run")
    (loop $again
      (try
        (do (loop $for_ever (br $for_ever)))
        (catch_all (global.set $retries (i32.add (global.get $retries) (i32.const 1)))))
      (br $again)))
  (func (export "ping") (result i32) (i32.const 42)))
