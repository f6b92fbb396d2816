;; A plugin in text form for another system's convention, the GoNext hook ABI: puts "N words" before a page.
;;
;; The payload of a filter is JSON, {"kind":"filter","value":"<html>","args":[…]}; the answer is {"value":"<p…>N words</p>" and then the
;; payload from behind its first quotation mark of the value on: the page, still escaped, and the rest, which the host does not read.
;; What stands between @ signs is filled in by the build, which makes three versions: words, minutes, and a broken one.
(module
  (import "env" "gn_panic" (func $panic (param i32 i32)))
  (memory (export "memory") 2)

  (data (i32.const 64) "{\"kind\":\"filter\",\"value\":\"")
  (global $head_len i32 (i32.const 26))
  (data (i32.const 128) "{\"value\":\"<p class=\\\"reading\\\">")
  (global $open_len i32 (i32.const 31))
  (data (i32.const 192) "@LABEL@")
  (global $label_len i32 (i32.const @LABEL_LENGTH@))
  (data (i32.const 256) "</p>")
  (global $close_len i32 (i32.const 4))
  (data (i32.const 320) "this version of reading is broken on purpose")
  (global $broken_len i32 (i32.const 44))

  ;; A bump allocator: gn_handle_hook begins anew with each call, since nothing of a call outlives it. The host allocates the
  ;; name, then the payload, then calls; so the top goes back when the body has been read.
  (global $bottom i32 (i32.const 1024))
  (global $top (mut i32) (i32.const 1024))

  (func $alloc (export "gn_alloc") (param $size i32) (result i32) (local $at i32) (local $end i32)
    (local.set $at (global.get $top))
    (local.set $end (i32.add (local.get $at) (i32.and (i32.add (local.get $size) (i32.const 7)) (i32.const -8))))
    (if (i32.lt_u (local.get $end) (local.get $at)) (then (return (i32.const 0))))
    (block $fits
      (br_if $fits (i32.le_u (local.get $end) (i32.mul (memory.size) (i32.const 65536))))
      (br_if $fits (i32.ne (i32.const -1) (memory.grow (i32.add (i32.const 1)
        (i32.div_u (i32.sub (local.get $end) (i32.mul (memory.size) (i32.const 65536))) (i32.const 65536))))))
      (return (i32.const 0)))
    (global.set $top (local.get $end))
    (local.get $at))

  (func (export "gn_free") (param i32 i32) (global.set $top (global.get $bottom)))

  (func $fail (param $status i32) (result i64)
    (global.set $top (global.get $bottom))
    (i64.extend_i32_u (local.get $status)))

  ;; Whether the payload begins as a filter's does whose value is text.
  (func $is_text_filter (param $ptr i32) (param $len i32) (result i32) (local $i i32)
    (if (i32.lt_u (local.get $len) (global.get $head_len)) (then (return (i32.const 0))))
    (loop $next
      (if (i32.ne (i32.load8_u (i32.add (local.get $ptr) (local.get $i))) (i32.load8_u offset=64 (local.get $i)))
        (then (return (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (global.get $head_len))))
    (i32.const 1))

  ;; Words in JSON text up to its closing quotation mark: runs of non-spaces outside of tags, which end no word. A backslash and what follows it is one
  ;; character: a space, if it stands for a line end or a tab.
  (func $words (param $at i32) (param $end i32) (result i32)
    (local $char i32) (local $in_tag i32) (local $in_word i32) (local $count i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $char (i32.load8_u (local.get $at)))
        (br_if $done (i32.eq (local.get $char) (i32.const 0x22)))
        (if (i32.eq (local.get $char) (i32.const 0x5c))
          (then
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $char (i32.load8_u (local.get $at)))
            (if (i32.or (i32.eq (local.get $char) (i32.const 0x6e))
                  (i32.or (i32.eq (local.get $char) (i32.const 0x72)) (i32.eq (local.get $char) (i32.const 0x74))))
              (then (local.set $char (i32.const 0x20)))
              (else (local.set $char (i32.const 0x5c))))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (if (i32.eq (local.get $char) (i32.const 0x3c))
          (then (local.set $in_tag (i32.const 1)) (br $next)))
        (if (i32.eq (local.get $char) (i32.const 0x3e)) (then (local.set $in_tag (i32.const 0)) (br $next)))
        (br_if $next (local.get $in_tag))
        (if (i32.le_u (local.get $char) (i32.const 0x20)) (then (local.set $in_word (i32.const 0)) (br $next)))
        (br_if $next (local.get $in_word))
        (local.set $in_word (i32.const 1))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br $next)))
    (local.get $count))

  ;; Writes a number in decimal; answers the address behind it.
  (func $decimal (param $at i32) (param $number i32) (result i32) (local $power i32)
    (local.set $power (i32.const 1))
    (loop $grow
      (if (i32.le_u (local.get $power) (i32.div_u (local.get $number) (i32.const 10)))
        (then (local.set $power (i32.mul (local.get $power) (i32.const 10))) (br $grow))))
    (loop $digit
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $number) (local.get $power)) (i32.const 10))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $power (i32.div_u (local.get $power) (i32.const 10)))
      (br_if $digit (local.get $power)))
    (local.get $at))

  (func $copy (param $to i32) (param $from i32) (param $len i32) (result i32)
    (memory.copy (local.get $to) (local.get $from) (local.get $len))
    (i32.add (local.get $to) (local.get $len)))

  (func (export "gn_handle_hook") (param $name i32) (param $name_len i32) (param $ptr i32) (param $len i32) (result i64)
    (local $out i32) (local $at i32) (local $body i32) (local $body_len i32) (local $number i32)
    @BROKEN@
    (if (i32.eqz (call $is_text_filter (local.get $ptr) (local.get $len))) (then (return (call $fail (i32.const -3)))))
    (local.set $body (i32.add (local.get $ptr) (global.get $head_len)))
    (local.set $body_len (i32.sub (local.get $len) (global.get $head_len)))
    (local.set $out (call $alloc (i32.add (local.get $body_len) (i32.const 128))))
    (if (i32.eqz (local.get $out)) (then (return (call $fail (i32.const -2)))))
    (local.set $at (call $copy (local.get $out) (i32.const 128) (global.get $open_len)))
    (local.set $number (call $words (local.get $body) (i32.add (local.get $body) (local.get $body_len))))
    (local.set $number (i32.div_u (i32.add (local.get $number) (i32.const @ROUND@)) (i32.const @UNIT@)))
    (local.set $at (call $decimal (local.get $at) (local.get $number)))
    (local.set $at (call $copy (local.get $at) (i32.const 192) (global.get $label_len)))
    (local.set $at (call $copy (local.get $at) (i32.const 256) (global.get $close_len)))
    (local.set $at (call $copy (local.get $at) (local.get $body) (local.get $body_len)))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $out)) (i64.const 32))
      (i64.extend_i32_u (i32.sub (local.get $at) (local.get $out))))))
