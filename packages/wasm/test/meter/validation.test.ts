import { readFileSync } from "node:fs";

import { isKeelsonError } from "@keelson/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { meter } from "../../src/meter/index.ts";
import { partsToValidate } from "../../src/meter/validation.ts";
import { assemble, corpus } from "./control-corpus.ts";
import { opcodeModule, plainSlots } from "./opcodes-corpus.ts";
import { wat } from "./wat.ts";

const WITH_SEGMENTS = wat(`(module (memory 1) (table 4 funcref) (global $g (mut i32) (i32.const 0))
  (func $a (result i32) (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 0)) (data.drop 2) (i32.const 1))
  (func $b (param i64) (result i64 i32) (local.get 0) (call $a))
  (func (export "f") (result funcref) (elem.drop 0) (ref.func $b))
  (elem funcref (ref.func $a) (ref.func $b))
  (data (i32.const 0) "abc") (data "defg") (data "h"))`);

const seeds: Uint8Array<ArrayBuffer>[] = [WITH_SEGMENTS, WITH_SEGMENTS];
for (const test of corpus) seeds.push(await assemble(test));
for (const slot of plainSlots().filter((_, index) => index % 20 === 0)) seeds.push(opcodeModule(slot));

/** Whether all parts are valid, or there are none since the module is not laid out as one. */
function validInParts(bytes: Uint8Array, partBytes: number): boolean {
  try {
    for (const part of partsToValidate(bytes, Infinity, partBytes, 0))
      if (!WebAssembly.validate(part as Uint8Array<ArrayBuffer>)) return false;
    return true;
  } catch (error) {
    if (isKeelsonError(error, "INVALID_WASM")) return false;
    throw error;
  }
}

describe("a module that is validated in parts", () => {
  it("is valid if it is as a whole, and not if it is not, whatever is wrong with it", () => {
    for (const seed of seeds) expect(validInParts(seed, 1)).toBe(WebAssembly.validate(seed));
    const edit = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      value: fc.nat(255),
      kind: fc.nat(3),
    });
    const broken = fc.record({
      seed: fc.nat(seeds.length - 1),
      edits: fc.array(edit, { minLength: 1, maxLength: 2 }),
    });
    let valid = 0;
    fc.assert(
      fc.property(broken, fc.constantFrom(1, 16, 64), ({ seed, edits }, partBytes) => {
        const bytes = [...(seeds[seed] as Uint8Array)];
        for (const { at, value, kind } of edits) {
          const index = 8 + Math.floor(at * (bytes.length - 8));
          if (kind === 0) bytes.splice(index, 1);
          else if (kind === 1) bytes.splice(index, 0, value);
          else bytes[index] = kind === 2 ? value : (bytes[index] as number) ^ (1 << (value % 8));
        }
        const changed = Uint8Array.from(bytes);
        const whole = WebAssembly.validate(changed);
        if (whole) valid++;
        expect(validInParts(changed, partBytes)).toBe(whole);
      }),
      { numRuns: 3000 },
    );
    expect(valid).toBeGreaterThan(100);
  });

  it("has each body in one part, and the parts are small", () => {
    const parts = [...partsToValidate(WITH_SEGMENTS, Infinity, 1, 0)];
    expect(parts).toHaveLength(3);
    expect([...partsToValidate(WITH_SEGMENTS, Infinity)]).toEqual([WITH_SEGMENTS]);
    const esbuild = readFileSync(new URL("../../node_modules/esbuild-wasm/esbuild.wasm", import.meta.url));
    const sizes = [...partsToValidate(esbuild, Infinity, 2 ** 20, 2 ** 20)].map(({ length }) => length);
    expect(sizes.length).toBeGreaterThan(3);
    expect(Math.max(...sizes.slice(1))).toBeLessThan(2 ** 21);
  });

  it("is refused between two of them once its time is over, and before the first for a function that is too large", () => {
    const unsigned = (value: number): number[] => [
      (value & 127) | 128,
      ((value >> 7) & 127) | 128,
      ((value >> 14) & 127) | 128,
      value >> 21,
    ];
    // No locals, many times `nop`, and `end`.
    const long = new Uint8Array(3_000_000).fill(0x01);
    long.set([0x00], 0);
    long.set([0x0b], long.length - 1);
    const count = 8;
    const body = [...unsigned(long.length)];
    const head = [
      0,
      97,
      115,
      109,
      1,
      0,
      0,
      0,
      1,
      4,
      1,
      0x60,
      0,
      0,
      3,
      count + 1,
      count,
      ...Array<number>(count).fill(0),
    ];
    const code = [10, ...unsigned(1 + count * (body.length + long.length)), count];
    const chunks = [head, code, ...Array.from({ length: count }, () => [body, long]).flat()];
    const module = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const chunk of chunks) {
      module.set(chunk, at);
      at += chunk.length;
    }
    let looks = 0;
    // A second passes between two looks.
    const now = (): number => 1_000 * looks++;
    const refusal = (limits: object): unknown => {
      try {
        return meter(module, { mode: "exact", now, limits });
      } catch (error) {
        return error;
      }
    };
    expect(refusal({ maxFunctionBytes: 2_999_999 })).toMatchObject({
      code: "WASM_TOO_LARGE",
      details: { option: "maxFunctionBytes", found: 3_000_000 },
    });
    expect(looks).toBe(1);
    expect(refusal({ maxCompileMs: 4_000 })).toMatchObject({
      code: "WASM_TOO_LARGE",
      details: { option: "maxCompileMs" },
    });
    // Far from the end: three looks for each part, and two more for the one that was too long.
    expect(looks).toBeLessThan(12);
  }, 60_000);
});
