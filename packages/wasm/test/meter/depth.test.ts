import { describe, expect, it } from "vitest";

import { FuelHost, modes, outcome, run, type Running } from "./harness.ts";
import { wat, watGc } from "./wat.ts";

const counting = modes.filter((options) => options.stackBytes);

/** A module whose import `back` is its own export `f`, called by the host. */
function start(bytes: Uint8Array, options: (typeof counting)[number], stackBytes: number): Running {
  const running: Running = run(
    bytes,
    { ...options, stackBytes },
    { h: { back: (...args: unknown[]) => running.exports["f"]!(...args) } as never },
    new FuelHost(1e12, 1_000_000),
  );
  return running;
}

const wide = Array.from({ length: 100 }, (_, index) => `(i64.const ${index})`).join(" ");
const parameters = `(param ${"i64 ".repeat(100)})`;

// Each function here is left by what it calls next in another way; the large ones stand where their frame could be forgotten.
const recursions: Readonly<Record<string, string>> = {
  "through a table and a frame of 400 locals": `
    (type $t (func)) (table funcref (elem $f))
    (func $big (local ${"i64 ".repeat(400)}) (call_indirect (type $t) (i32.const 0)) (drop (local.get 399)))
    (func $f (export "f") (call $big) (call $big))`,
  "through the host and a frame of 100 parameters": `
    (func $big ${parameters} (call $back) (drop (local.get 99)))
    (func (export "f") (call $big ${wide}) (call $big ${wide}))`,
  "through a tail call that a frame waits for": `
    (func $f (export "f") (call $on) (call $on))
    (func $on (return_call $f))`,
  "through a tail call of unknown target that a frame waits for": `
    (type $t (func)) (table funcref (elem $f))
    (func $f (export "f") (call $on) (call $on))
    (func $on (local ${"i64 ".repeat(400)}) (return_call_indirect (type $t) (i32.const 0)))`,
  "through a tail call of the host": `
    (func (export "f") (call $on) (call $on))
    (func $on (return_call $back))`,
  "each of whose frames catches all and goes on": `
    (func $f (export "f") (try (do (call $f)) (catch_all (call $f))) (call $f))`,
  "that goes on behind an exception thrown from fifty frames down": `
    (tag $e)
    (func $down (param i32)
      (if (i32.eqz (local.get 0)) (then (throw $e)))
      (call $down (i32.sub (local.get 0) (i32.const 1)))
      (call $nothing))
    (func $nothing (memory.fill (i32.const 0) (i32.const 0) (memory.size)))
    (func $f (export "f") (try (do (call $down (i32.const 50))) (catch $e)) (call $f) (call $f))`,
  "that begins in a loop, behind calls that end early": `
    (func $early (param i32) (if (local.get 0) (then (call $f))))
    (func $f (export "f") (loop (call $early (i32.const 0)) (call $early (i32.const 1)) (br 0)))`,
};

describe("a recursion without end ends at the guest's stack, not at the engine's", () => {
  for (const [name, text] of Object.entries(recursions)) {
    const bytes = wat(`(module (import "h" "back" (func $back)) (memory 1) ${text})`);
    it(name, () => {
      for (const options of counting) {
        const { exports, host } = start(bytes, options, 512 * 1024);
        expect(outcome(() => exports["f"]!())).not.toContain("RangeError");
        expect(host.stopped, JSON.stringify(options)).toBe("stack");
      }
    });
  }
});

/** `f(n)` throws from `n` frames down, `g(times)` catches that as often; a hundred frames take more than a quarter of the stack. */
const throwers: readonly [name: string, down: string, parse?: "binaryen"][] = [
  ["direct calls", `(call $f (local.get 0))`],
  ["direct calls, caught by try_table", `(call $f (local.get 0))`, "binaryen"],
  ["calls through a table", `(call_indirect (type $t) (local.get 0) (i32.const 0))`],
  [
    "the host",
    `(if (i32.rem_u (local.get 0) (i32.const 10)) (then (call $f (local.get 0))) (else (call $back (local.get 0))))`,
  ],
  ["tail calls in between", `(call $on (local.get 0))`],
];

function thrower(down: string, tryTable: boolean): string {
  const caught = tryTable
    ? `(block $h (try_table (catch $e $h) (call $f (i32.const 100))))`
    : `(try (do (call $f (i32.const 100))) (catch $e))`;
  return `(module
    (type $t (func (param i32)))
    (import "h" "back" (func $back (param i32)))
    (table 1 funcref) (elem (i32.const 0) $f)
    (tag $e)
    (func $on (param i32) (return_call $f (local.get 0)))
    (func $f (export "f") (param i32)
      (if (i32.eqz (local.get 0)) (then (throw $e)))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      ${down}
      (drop (i32.const 0)))
    (func (export "g") (param i32)
      (loop $l
        ${caught}
        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))`;
}

describe("frames that an exception passes are given back where it is caught", () => {
  for (const [name, down, parse] of throwers) {
    it(`thrown through ${name}`, async () => {
      const text = thrower(down, parse === "binaryen");
      const bytes = parse === "binaryen" ? await watGc(text) : wat(text);
      for (const options of counting) {
        const stackBytes = name === "the host" ? 64 * 1024 : 48 * 1024;
        const { attached, exports, host } = start(bytes, options, stackBytes);
        exports["g"]!(300);
        expect(host.stopped, JSON.stringify(options)).toBeUndefined();
        expect(attached.depth).toBe(stackBytes);
        // and they were taken: with a quarter of the stack it does not fit
        const small = start(bytes, options, stackBytes / 4);
        expect(() => small.exports["g"]!(1)).toThrow(WebAssembly.RuntimeError);
        expect(small.host.stopped).toBe("stack");
      }
    });
  }
});

describe("a tail call gives the frame back before it is made", () => {
  const calls: Readonly<Record<string, string>> = {
    "to a function": `(return_call $on (local.get 0))`,
    "of unknown target": `(return_call_indirect (type $t) (local.get 0) (i32.const 0))`,
    "out of a loop": `(loop (return_call $on (local.get 0)))`,
  };
  for (const [name, call] of Object.entries(calls)) {
    it(`${name}: a hundred thousand take no more stack than one`, () => {
      const bytes = wat(`(module (type $t (func (param i32))) (table 1 funcref) (elem (i32.const 0) $on)
        (func $on (param i32) (return_call $f (i32.sub (local.get 0) (i32.const 1))))
        (func $f (export "f") (param i32) (if (local.get 0) (then ${call}))))`);
      for (const options of counting) {
        const { attached, exports, host } = run(bytes, { ...options, stackBytes: 2048 });
        exports["f"]!(100_000);
        expect(host.stopped, JSON.stringify(options)).toBeUndefined();
        expect(attached.depth).toBe(2048);
      }
    });
  }
});
