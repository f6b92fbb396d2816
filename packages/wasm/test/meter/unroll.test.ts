import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Governor } from "../../src/governor/index.ts";
import { meter, type MeterOptions, originalOffset } from "../../src/meter/index.ts";

import { type Callable, digest, FuelHost, outcome, run, usual } from "./harness.ts";
import { wat } from "./wat.ts";

/** Stands in each body, so that copies of it can be counted. */
const MARK = 0x5eed;
const mark = wat(`(module (func i32.const ${MARK} drop))`).slice(-6, -2);
const exact: MeterOptions = { mode: "exact", ...usual };
const deadline: MeterOptions = { mode: "deadline", ...usual };

interface Body {
  readonly statements: readonly string[];
  readonly last: string;
}

const constant = fc.integer({ min: 0, max: 9 });
const statement: fc.Arbitrary<string> = fc.oneof(
  constant.map((value) => `(local.set $s (i32.add (local.get $s) (i32.const ${value})))`),
  fc.constant("(local.set $s (i32.mul (local.get $s) (local.get $i)))"),
  fc.constant("(i32.store8 (local.get $i) (local.get $s))"),
  constant.map((value) => `(br_if $l (i32.eq (local.get $i) (i32.const ${value})))`),
  constant.map((value) => `(br_if $a (i32.eq (local.get $i) (i32.const ${value})))`),
  constant.map((value) => `(br_if $outer (i32.eq (local.get $i) (i32.const ${value})))`),
  // these keep a loop as it is
  fc.constant("(if (i32.and (local.get $i) (i32.const 1)) (then (br $l)) (else (br_if $a (local.get $s))))"),
  fc.constant("(block $in (br_if $in (local.get $s)) (br_if $l (local.get $i)))"),
  fc.constant("(drop (br_if $v (local.get $s) (i32.eq (local.get $i) (i32.const 3))))"),
);
const last: fc.Arbitrary<string> = fc.constantFrom(
  "(br $l)",
  "(br_if $l (i32.const 1))",
  "(br_if $l (i32.lt_u (local.get $i) (i32.const 6)))",
  "(br $a)",
  "(br $v (local.get $i))",
  "(return (local.get $s))",
  "(br_table $l $a (i32.and (local.get $s) (i32.const 1)))",
);
const body: fc.Arbitrary<Body> = fc.record({
  statements: fc.array(statement, { maxLength: 3 }),
  last,
});

/**
 * A small loop within another, entered `n` times with `i` from 0 up. With `padding` it is too large to be unrolled; what
 * pads it costs nothing.
 */
function loop({ statements, last }: Body, padding: number): Uint8Array<ArrayBuffer> {
  return wat(`(module (memory (export "m") 1)
    (func (export "f") (param $n i32) (result i32) (local $i i32) (local $s i32) (local $times i32)
      (loop $outer
        (local.set $times (i32.add (local.get $times) (i32.const 1)))
        (if (i32.gt_u (local.get $times) (local.get $n)) (then (return (local.get $s))))
        (local.set $i (i32.sub (i32.const 4) (local.get $times)))
        (block $a
          (local.set $s (block $v (result i32)
            (loop $l (result i32)
              ${"nop ".repeat(padding)}
              (drop (i32.const ${MARK}))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $a (i32.gt_s (local.get $i) (i32.const 8)))
              ${statements.join(" ")}
              ${last}
              (local.get $i))))
          (local.set $s (i32.add (local.get $s) (i32.const 100))))
        (br_if $outer (i32.lt_s (local.get $times) (local.get $n))))
      (local.get $s)))`);
}

function copies(bytes: Uint8Array<ArrayBuffer>, options: MeterOptions): number {
  const { bytes: found } = meter(bytes, options);
  let count = 0;
  for (let at = 0; at < found.length; at++)
    if (mark.every((byte, index) => found[at + index] === byte)) count++;
  return count;
}

interface Played {
  readonly value: string;
  readonly used: number;
  readonly memory: string;
}

/** One call within `limit` of fuel, handed out in slices of `slice`. */
function play(bytes: Uint8Array<ArrayBuffer>, n: number, slice: number, limit = 1e6): Played {
  const running = run(bytes, exact, {}, new FuelHost(limit, slice));
  const value = outcome(() => running.exports["f"]!(n));
  return { value, used: running.used(), memory: digest(running.instance.exports) };
}

/** The same under a governor, whose slices adapt to a clock that goes unevenly. */
function governed(bytes: Uint8Array<ArrayBuffer>, n: number, limit: number): Played {
  let looks = 0;
  let time = 0;
  const governor = new Governor({ clock: { now: () => (time += ((looks++ * 7919) % 13) / 20) } });
  const { bytes: metered, meta } = meter(bytes, exact);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(metered));
  governor.adopt({ exports }, meta);
  let value = "";
  try {
    governor.run({ fuel: limit }, () => {
      value = outcome(() => (exports["f"] as unknown as Callable)(n));
      if (governor.stopped) throw new Error("stopped");
    });
  } catch {
    // out of fuel
  }
  return { value, used: governor.usage.fuel, memory: digest(exports) };
}

const numRuns = Number(process.env["KEELSON_FUZZ_RUNS"] ?? 100);
const small: Body = { statements: [], last: "(br $l)" };

describe("small loops are unrolled", () => {
  it("their bodies stand behind one test three times, and once more where each iteration counts", () => {
    expect(copies(loop(small, 0), deadline)).toBe(3);
    expect(copies(loop(small, 0), exact)).toBe(4);
  });

  it("larger ones twice, and large ones and those that hold blocks not at all", () => {
    expect(copies(loop(small, 12), deadline)).toBe(2);
    expect(copies(loop(small, 12), exact)).toBe(3);
    expect(copies(loop(small, 60), exact)).toBe(1);
    expect(copies(loop({ ...small, statements: ["(block)"] }, 0), exact)).toBe(1);
    expect(copies(loop({ ...small, last: "(br_table $l $a (local.get $i))" }, 0), exact)).toBe(1);
  });

  it(
    "they use the same fuel as loops that are not, and stop where those do, whatever the slices",
    () => {
      let unrolled = 0;
      let stopped = 0;
      fc.assert(
        fc.property(body, fc.integer({ min: 1, max: 5 }), (body, n) => {
          const bytes = loop(body, 0);
          const padded = loop(body, 60);
          if (copies(bytes, exact) > 1) unrolled++;
          const plain = outcome(() => (instantiate(bytes)["f"] as unknown as Callable)(n));
          const expected = play(padded, n, 1e6, 5000);
          // those that never end are stopped
          if (expected.used < 5000) expect(expected.value).toBe(plain);
          for (const slice of [1, 3, 1000]) expect(play(bytes, n, slice, 5000)).toEqual(expected);
          expect(governed(bytes, n, 5000)).toEqual(governed(padded, n, 5000));
          const full = expected.used;
          for (const limit of [full - 1, full - 9, Math.floor(full * 0.7), Math.floor(full / 3)]) {
            const stop = play(padded, n, 1e6, limit);
            expect(play(bytes, n, 3, limit), `limit ${limit}`).toEqual(stop);
            expect(play(bytes, n, 1e6, limit), `limit ${limit}`).toEqual(stop);
            expect(governed(bytes, n, limit), `limit ${limit}`).toEqual(governed(padded, n, limit));
            if (stop.value.startsWith("throws")) stopped++;
          }
        }),
        { numRuns },
      );
      expect(unrolled).toBeGreaterThan(20);
      expect(stopped).toBeGreaterThan(20);
    },
    20_000 + numRuns * 100,
  );

  it("in a deadline's code they answer as before, whatever the slices", () => {
    fc.assert(
      fc.property(body, fc.integer({ min: 1, max: 5 }), (body, n) => {
        const bytes = loop(body, 0);
        const totals = [1, 3, 1000].map((slice) => {
          const running = run(bytes, deadline, {}, new FuelHost(20_000, slice));
          const value = outcome(() => running.exports["f"]!(n));
          return { value, used: running.used(), stopped: running.host.stopped };
        });
        for (const total of totals) expect(total).toEqual(totals[0]);
        if (totals[0]?.stopped) return;
        expect(totals[0]?.value).toBe(outcome(() => (instantiate(bytes)["f"] as unknown as Callable)(n)));
      }),
      { numRuns: 50 },
    );
  });

  it("an offset in any of the copies leads to the original's", () => {
    const bytes = loop(small, 0);
    const at = bytes.findIndex((_, index) => mark.every((byte, offset) => bytes[index + offset] === byte));
    const { bytes: metered, offsets } = meter(bytes, { ...exact, offsetMap: true });
    let found = 0;
    for (let index = 0; index < metered.length; index++) {
      if (!mark.every((byte, offset) => metered[index + offset] === byte)) continue;
      found++;
      expect(originalOffset(offsets!, index)).toBe(at);
    }
    expect(found).toBe(4);
  });
});

function instantiate(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Exports {
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
}
