import type { KeelsonError } from "@keelson/core";
import { describe, expect, test } from "vitest";
import type { WasmModuleOptions } from "../../src/module/options.ts";
import { failure } from "../support/errors.ts";
import { open, type TestInstance } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

const many = (count: number, text: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => text(index)).join(" ");

/** Guests that call themselves for ever in "f"; some go around by the host. */
const SHAPES: Readonly<Record<string, string>> = {
  plain: `(func $f (export "f") (call $f) (call $f))`,
  "through the host": `(import "h" "back" (func $h)) (func (export "f") (call $h) (call $h))`,
  "through the host, 100 parameters in between": `(import "h" "back" (func $h))
    (func $w (param ${many(100, () => "i64")}) (call $h) (drop (local.get 99)))
    (func (export "f") (call $w ${many(100, () => "(i64.const 1)")}))`,
  "with 100 parameters": `(func $w (param ${many(100, () => "i64")}) (call $w ${many(100, (at) => `(local.get ${at})`)}) (drop (local.get 99)))
    (func (export "f") (call $w ${many(100, () => "(i64.const 1)")}))`,
  "with 400 locals": `(func $f (export "f") (local ${many(400, () => "i64")}) (call $f)
    ${many(400, (at) => `(local.set ${at} (i64.add (local.get ${at}) (local.get ${(at + 1) % 400})))`)})`,
  "with 400 locals through the host": `(import "h" "back" (func $h)) (func (export "f") (local ${many(400, () => "f64")}) (call $h)
    ${many(400, (at) => `(local.set ${at} (f64.add (local.get ${at}) (local.get ${(at + 1) % 400})))`)})`,
  "with 200 vectors": `(func $f (export "f") (local ${many(200, () => "v128")}) (call $f)
    ${many(200, (at) => `(local.set ${at} (i32x4.add (local.get ${at}) (local.get ${(at + 1) % 200})))`)})`,
  "of two, by a table": `(table funcref (elem $f $g)) (func $f (export "f") (call_indirect (i32.const 1)) (call $g))
    (func $g (call_indirect (i32.const 0)) (call $f))`,
  "in a loop that catches all": `(func $f (export "f") (loop $l (try (do (call $f)) (catch_all)) (br $l)))`,
  "through the host in a loop that catches all": `(import "h" "back" (func $h)) (func (export "f") (loop $l (try (do (call $h)) (catch_all)) (br $l)))`,
};

async function recursing(text: string, options: Partial<WasmModuleOptions> = {}): Promise<TestInstance> {
  let again: TestInstance | undefined;
  const guest = await open({
    source: wat(`(module ${text})`),
    imports: { h: { back: () => void again?.call("f") } } as never,
    limits: { fuel: 1e9 },
    ...options,
  });
  again = guest;
  return guest;
}

let deepest = 0;

/** Calls `run` from below so many frames of the host. */
function below<T>(frames: number, run: () => T, depth = 0): T {
  deepest = depth;
  // not in tail position, so that the frames are there on JavaScriptCore too
  const results = depth === frames ? [run()] : [below(frames, run, depth + 1), frames];
  return results[0] as T;
}

/** Frames that this thread's stack has room for, from here: the fewest of some tries, since frames shrink once they are compiled. */
function roomForFrames(): number {
  let fewest = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 5; tries++) {
    expect(() => below(Number.POSITIVE_INFINITY, () => 0)).toThrow(RangeError);
    fewest = Math.min(fewest, deepest);
  }
  return fewest;
}

describe("endless recursion is STACK_EXHAUSTED, by the guest's own stack", () => {
  for (const [name, text] of Object.entries(SHAPES)) {
    for (const metering of ["exact", "deadline"] as const) {
      test(`${name} (${metering})`, async () => {
        const limits = metering === "exact" ? { fuel: 1e9 } : {};
        const { call } = await recursing(text, { metering, limits });
        const { details } = await failure("STACK_EXHAUSTED", () => call("f"));
        expect(details).toMatchObject({ kind: "stack", limit: "stackBytes", value: 524_288 });
      });
    }
  }

  test("in a start function", async () => {
    await failure("STACK_EXHAUSTED", () =>
      open(wat(`(module (func (export "f")) (func $s (call $s) (call $s)) (start $s))`)),
    );
  });

  test("tail calls without end take no stack: fuel ends them", async () => {
    const { call } = await recursing(`(func $f (export "f") return_call $g) (func $g return_call $f)`, {
      limits: { fuel: 1e6 },
    });
    await failure("FUEL_EXHAUSTED", () => call("f"));
  });
});

describe("when the host has used most of the thread's stack itself, it is STACK_EXHAUSTED all the same", () => {
  for (const [name, text] of Object.entries(SHAPES)) {
    test(name, async () => {
      for (const share of [0.3, 0.6, 0.7]) {
        // each time anew: what was compiled before may be interpreted by now
        const frames = roomForFrames();
        const { call, instance } = await recursing(text);
        let thrown: unknown;
        try {
          below(Math.floor(frames * share), () => call("f"));
        } catch (error) {
          thrown = error;
        }
        expect((thrown as KeelsonError).code, `${share} of the stack: ${String(thrown)}`).toBe(
          "STACK_EXHAUSTED",
        );
        expect(instance.dead).toBe(true);
      }
    });
  }
});
