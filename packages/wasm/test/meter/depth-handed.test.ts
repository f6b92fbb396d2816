import { describe, expect, it } from "vitest";

import { DepthBy, findDepthBy } from "../../src/meter/scan/depth.ts";
import { readModule } from "../../src/meter/read/module.ts";
import { type Callable, FuelHost, modes, outcome, run, type Running } from "./harness.ts";
import { wat } from "./wat.ts";

// How functions come to know the stack that is left: those that only this module can call are handed it in a parameter,
// which takes the place of their first local; the others find it in a global, and leave that as it was.

const counting = modes.filter((options) => options.stackBytes);
const STACK = 64 * 1024;

interface Seen extends Running {
  /** The depth at each call of the import `look`. */
  readonly seen: number[];
}

function start(text: string, options: (typeof counting)[number], stackBytes = STACK): Seen {
  const seen: number[] = [];
  const host = {
    look: () => void seen.push(running.attached.depth),
    times: (count: number) => {
      for (let index = 0; index < count; index++) running.exports["again"]!(3);
    },
  };
  const bytes = wat(`(module
    (type $t (func)) (type $n (func (param i32)))
    (import "h" "look" (func $look)) (import "h" "times" (func $times (param i32)))
    (memory 1) ${text})`);
  const running: Running = run(
    bytes,
    { ...options, stackBytes },
    { h: host as never },
    new FuelHost(1e12, 1_000_000),
  );
  return { ...running, seen };
}

/** `$deep(n)` nests n calls and calls the host from there; `$g`, which the host can call, looks once. */
const helpers = `
  (func $deep (param i32) (local i32)
    (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))) (call $nothing))
  (func $nothing (memory.fill (i32.const 0) (i32.const 0) (memory.size)) (call $times (i32.const 0)))
  (func $g (export "g") (call $look))
  (table funcref (elem $g))`;

const look = "(call $look)";
const deep = "(call $deep (i32.const 20))";
const direct = "(call $g)";
const indirect = "(call_indirect (type $t) (i32.const 0))";

// What a function calls: each look of the same kind has to see the same.
const bodies: Readonly<Record<string, string>> = {
  "the host": `${look} ${deep} ${look} ${deep} ${deep} ${look}`,
  "a function that the host can call": `${direct} ${deep} ${direct} ${direct}`,
  "a function in a table": `${indirect} ${deep} ${indirect} ${indirect}`,
  "only functions that find the depth in its global": `${direct} ${indirect} ${direct}`,
  "in a loop": `(local.set 1 (i32.const 3))
    (loop ${direct} ${deep} ${indirect} ${deep} (br_if 0 (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))`,
  "behind what was caught": `${look} (try (do (call $throws (i32.const 20))) (catch_all)) ${look}`,
};

/** The same where local 1 has 64 bits, and what calls deeply is handed as many. */
function wide(body: string): string {
  return body.replaceAll("$deep", "$wide-deep").replaceAll(/(local\.(?:get|set|tee)) 1\b/g, "$1 2");
}

describe("a function tells what it calls the same depth, whatever was called before", () => {
  const throws = `(tag $e) (func $throws (param i32)
    (if (local.get 0) (then (call $throws (i32.sub (local.get 0) (i32.const 1))))) (call $nothing) (throw $e))`;
  for (const [name, body] of Object.entries(bodies)) {
    const text = `${helpers} ${throws} (func $body (export "body") (param i32) (local i32) ${body})
      (func $inner (param i32) (local i32) ${body})
      (func $early (param i32) (local i32) (if (i32.eqz (local.get 0)) (then (return))) ${body})
      (func (export "inside") (param i32) (call $inner (local.get 0)) (call $early (i32.const 0)) (call $early (local.get 0)))
      (func $wide-deep (param i32) (local i64)
        (if (local.get 0) (then (call $wide-deep (i32.sub (local.get 0) (i32.const 1))))) (call $nothing))
      (func $inner64 (param i32) (local i64 i32) ${wide(body)})
      (func $early64 (param i32) (local i64 i32) (if (i32.eqz (local.get 0)) (then (return))) ${wide(body)})
      (func (export "inside, 64 bits") (param i32)
        (call $inner64 (local.get 0)) (call $early64 (i32.const 0)) (call $early64 (local.get 0)))`;
    it(name, () => {
      for (const options of counting) {
        for (const entry of ["body", "inside", "inside, 64 bits"]) {
          const { attached, exports, seen } = start(text, options);
          exports[entry]!(1);
          expect(seen.length).toBeGreaterThan(1);
          expect(new Set(seen).size, `${entry} ${seen.join(" ")}`).toBe(1);
          expect(seen[0]).toBeLessThan(STACK - 1024 - 96);
          expect(attached.depth).toBe(STACK);
          exports[entry]!(1);
          expect(new Set(seen).size).toBe(1);
        }
      }
    });
  }
});

it("each frame in between takes as much, however it came to know the depth", () => {
  const text = `${helpers}
    (func $handed (param i32) (local i32)
      (if (local.get 0) (then (call $handed (i32.sub (local.get 0) (i32.const 1)))) (else (call $look))))
    (func $found (export "found") (param i32) (local i64)
      (if (local.get 0) (then (call $found (i32.sub (local.get 0) (i32.const 1)))) (else (call $look))))
    (func $wide (param i32) (local i64)
      (if (local.get 0) (then (call $wide (i32.sub (local.get 0) (i32.const 1)))) (else (call $look))))
    (func (export "wide") (param i32) (call $wide (local.get 0)))
    (func (export "handed") (param i32) (call $handed (local.get 0)))`;
  for (const options of counting) {
    for (const entry of ["handed", "wide", "found"]) {
      const { exports, seen } = start(text, options);
      for (const depth of [10, 11, 12, 30]) exports[entry]!(depth);
      const frame = seen[0]! - seen[1]!;
      expect(frame).toBeGreaterThanOrEqual(96);
      expect(frame).toBeLessThan(200);
      expect(seen[1]! - seen[2]!).toBe(frame);
      expect(seen[0]! - seen[3]!).toBe(20 * frame);
    }
  }
});

it("ten thousand calls back from within one import take no more stack than one", () => {
  const text = `${helpers} (func (export "again") (param i32) (call $deep (local.get 0)))
    (func $inner (param i32) (local i32) (call $times (local.get 0)) (call $look))
    (func (export "f") (param i32) (call $look) (call $inner (local.get 0)))`;
  for (const options of counting) {
    const { attached, exports, host } = start(text, options, 6 * 1024);
    exports["f"]!(10_000);
    expect(host.stopped).toBeUndefined();
    expect(attached.depth).toBe(6 * 1024);
  }
});

describe("a local whose place the depth takes is zero all the same", () => {
  const groups: Readonly<Record<string, readonly [locals: string, last: string]>> = {
    "one i32": ["(local i32)", "(i64.const 0)"],
    "three i32s": ["(local i32 i32 i32)", "(i64.extend_i32_s (local.get 3))"],
    "an i32 before others": ["(local i32 i64 f64)", "(i64.trunc_f64_s (local.get 3))"],
    "two i32s before others": ["(local i32 i32 i64)", "(local.get 3)"],
    "i32s before and behind": ["(local i32 i64 i32)", "(i64.extend_i32_s (local.get 3))"],
    "an i64 first": ["(local i64 i32)", "(i64.extend_i32_s (local.get 2))"],
    "one i64": ["(local i64)", "(i64.const 0)"],
    "three i64s": ["(local i64 i64 i64)", "(local.get 3)"],
    "two i64s before others": ["(local i64 i64 f64 i32)", "(i64.extend_i32_s (local.get 4))"],
    "i64s before and behind": ["(local i64 i32 i64)", "(local.get 3)"],
  };
  // Around what calls, and so takes the frame: at once, behind an early end, where it commits itself, in a loop, never.
  const shapes: Readonly<Record<string, string>> = {
    "at once": "(call $deep (i32.const 2)) READ",
    "behind an early end":
      "(if (i32.eqz (local.get 0)) (then (return READ))) (call $deep (i32.const 2)) READ",
    "where it commits itself":
      "(if (i32.gt_u (local.get 0) (i32.const 1)) (then (call $deep (i32.const 2)))) READ",
    "in a loop": "(loop (call $deep (i32.const 2)) (br_if 0 (i32.const 0))) READ",
    "in a loop without calls": "(loop (br_if 0 (i32.const 0))) READ",
    never: "(drop (memory.grow (i32.const 0))) READ",
  };
  for (const [name, [locals, last]] of Object.entries(groups)) {
    it(name, () => {
      const first = locals.startsWith("(local i64") ? "(local.get 1)" : "(i64.extend_i32_s (local.get 1))";
      const write = locals.startsWith("(local i64") ? "(i64.const 40)" : "(i32.const 40)";
      const read = `(i64.add ${first} ${last})`;
      const functions = Object.entries(shapes).map(([shape, code], index) => {
        const body = code.replaceAll("READ", read);
        return `(func $r${index} (param i32) (result i64) ${locals} ${body})
          (func $w${index} (param i32) (result i64) ${locals} (local.set 1 ${write}) ${body})
          (func (export "read ${shape}") (param i32) (result i64) (call $r${index} (local.get 0)))
          (func (export "written ${shape}") (param i32) (result i64) (call $w${index} (local.get 0)))`;
      });
      for (const options of counting) {
        const { exports } = start(`${helpers} ${functions.join("\n")}`, options);
        for (const shape of Object.keys(shapes)) {
          for (const way of [0, 1, 2]) {
            expect(exports[`read ${shape}`]!(way), `${shape} ${way}`).toBe(0n);
            expect(exports[`written ${shape}`]!(way), `${shape} ${way}`).toBe(40n);
          }
        }
      }
    });
  }
});

describe("a tail call passes on what its function was told", () => {
  const kinds: Readonly<Record<string, string>> = {
    "to a function that only this module calls": `(func $to (param i32) (local i32) (call $deep (i32.const 9)))
      (func $on (param i32) (return_call $to (local.get 0)))
      (func $f (export "f") (param i32) (call $look) (return_call $to (local.get 0)))`,
    "to one that is handed 64 bits": `(func $to (param i32) (local i64) (call $deep (i32.const 9)))
      (func $on (param i32) (local i64) (return_call $to (local.get 0)))
      (func $f (export "f") (param i32) (call $look) (call $on (local.get 0)) (return_call $to (local.get 0)))`,
    "to one that the host can call": `(func $to (export "to") (param i32) (call $deep (i32.const 9)))
      (func $on (param i32) (call $look) (return_call $to (local.get 0)))
      (func $f (export "f") (param i32) (call $on (local.get 0)) (return_call $to (local.get 0)))`,
    "of unknown target": `(table $u 1 funcref) (elem (table $u) (i32.const 0) $to)
      (func $to (param i32) (call $deep (i32.const 9)))
      (func $on (param i32) (call $look) (return_call_indirect $u (type $n) (local.get 0) (i32.const 0)))
      (func $f (export "f") (param i32) (call $on (local.get 0)) (return_call $on (local.get 0)))`,
    "to the host": `(func $on (param i32) (call $deep (i32.const 9)) (return_call $look))
      (func $f (export "f") (param i32) (call $on (local.get 0)) (return_call $look))`,
  };
  for (const [name, text] of Object.entries(kinds)) {
    it(name, () => {
      for (const options of counting) {
        const { attached, exports, host } = start(`${helpers} ${text}`, options, 6 * 1024);
        // called so often, a frame that was not given back would use the stack up
        for (let index = 0; index < 1000; index++) exports["f"]!(0);
        expect(host.stopped).toBeUndefined();
        expect(attached.depth).toBe(6 * 1024);
      }
    });
  }
});

it("a function that calls nothing is counted where its frame is large", () => {
  const operands = Array.from({ length: 300 }, () => "(local.get 0)").join(" ");
  const text = `${helpers}
    (func $large (param i32) (result i32) ${operands} ${"(i32.add) ".repeat(299)})
    (func (export "f") (param i32) (result i32) (call $large (local.get 0)))`;
  for (const options of counting) {
    expect(start(text, options, 4096).exports["f"]!(2)).toBe(600);
    const { exports, host } = start(text, options, 2048);
    expect(outcome(() => exports["f"]!(2))).toContain("throws RuntimeError");
    expect(host.stopped).toBe("stack");
  }
});

describe("functions of any shape are handed the depth, or find it", () => {
  const shapes: Readonly<Record<string, readonly [params: number, results: number]>> = {
    "no parameters": [0, 1],
    "many parameters": [900, 1],
    "more than are handed one more": [990, 1],
    "several results": [3, 4],
    "no results": [2, 0],
  };
  for (const [name, [params, results]] of Object.entries(shapes)) {
    it(name, () => {
      const values = Array.from({ length: results }, (_, index) => `(i32.const ${index})`).join(" ");
      const zeros = Array.from({ length: params }, () => "(i64.const 0)").join(" ");
      const type = `(param ${"i64 ".repeat(params)}) (result ${"i32 ".repeat(results)})`;
      const text = `${helpers} (func $s ${type} (call $look) ${values})
        (func (export "f") (result ${"i32 ".repeat(results)}) (call $deep (i32.const 2)) (call $s ${zeros}))`;
      for (const options of counting) {
        const { attached, exports, seen } = start(text, options);
        const answer = (exports["f"] as Callable)();
        const expected = Array.from({ length: results }, (_, index) => index);
        expect(answer).toEqual(results === 0 ? undefined : results === 1 ? 0 : expected);
        expect(seen[0]).toBeLessThan(STACK - 1024 - 2 * 96 - 16 * params);
        expect(attached.depth).toBe(STACK);
      }
    });
  }
});

describe("another module catches what this one's functions threw, again and again: they take no more stack", () => {
  const catching = wat(`(module (import "a" "tag" (tag $e)) (import "a" "throws" (func $throws))
    (func (export "f") (try (do (call $throws)) (catch_all))))`);
  const calls: Readonly<Record<string, string>> = {
    "called by a table": indirect,
    "called in another function's stead": "(call $instead)",
  };
  for (const [name, call] of Object.entries(calls)) {
    it(name, () => {
      for (const options of counting) {
        const { attached, exports, host } = start(
          `(tag $e (export "tag")) (table (export "table") 1 funcref)
          (func $look_and_throw (export "inner") (call $look) (throw $e))
          (func (export "throws") (call $look_and_throw))
          (func $instead (export "instead") ${name.startsWith("called by") ? "" : "(return_call_indirect (type $t) (i32.const 0))"})
          (func (export "f") (param i32)
            (loop ${call} ${call} (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))`,
          options,
        );
        const other = new WebAssembly.Instance(new WebAssembly.Module(catching), { a: exports as never });
        (exports["table"] as unknown as WebAssembly.Table).set(0, other.exports["f"]);
        expect(outcome(() => exports["f"]!(1000))).toBe("undefined");
        expect(host.stopped).toBeUndefined();
        expect(attached.depth).toBe(STACK);
      }
    });
  }
});

it("functions are handed nothing where their types could be more than engines accept", () => {
  const bytes = wat('(module (import "h" "f" (func $f)) (func (call $f)) (func (call $f)))');
  const module = readModule(bytes);
  const body = { from: bytes.length - 4, to: bytes.length };
  const handed = (types: number): Uint8Array =>
    findDepthBy(
      { ...module, types: Array.from({ length: types }, () => module.types[0]!) },
      [body, body],
      new Int32Array(3).fill(-1),
    );
  expect([...handed(998_998)]).toEqual([DepthBy.global, DepthBy.parameter, DepthBy.parameter]);
  expect([...handed(998_999)]).toEqual([DepthBy.global, DepthBy.global, DepthBy.global]);
});
