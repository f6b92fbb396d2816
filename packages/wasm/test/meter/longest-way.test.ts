import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { PREPAID } from "../../src/meter/layout.ts";
import { FuelHost, outcome, run } from "./harness.ts";
import { wat } from "./wat.ts";

/** Some `units` of fuel's worth of code that leaves nothing. */
const work = (units: number): string => "(nop (local.set 1 (local.get 1)))".repeat(units / 2);
const TURNS = 100;

/** What deadline mode charges for a turn of a loop around `body`, which may read local 0, the turn; its function has been called before. */
function turn(body: string): number {
  const { exports, used } = run(
    wat(`(module (func (export "f") (param i32) (local i32)
      (loop $again ${body}
        (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))`),
    { mode: "deadline" },
  );
  exports["f"]!(TURNS);
  const before = used();
  exports["f"]!(TURNS);
  return (used() - before) / TURNS;
}

const arms = (count: number, units: number): string => {
  const labels = Array.from({ length: count }, (_, index) => `$arm${index}`);
  const opened = labels.map((label) => `(block ${label} `).join("");
  const switched = `(br_table ${labels.join(" ")} $done (i32.and (local.get 0) (i32.const 7)))`;
  return `(block $done ${opened} ${switched} ${`) ${work(units)} (br $done)`.repeat(count)})`;
};

// Bare is what a turn costs with nothing in it; a call's, a branch's and a test's few units are allowed for.
const bare = turn("");
const few = 20;

describe("in deadline mode a turn of a loop costs what the longest way through it does", () => {
  it("of a switch's arms, the longest one", () => {
    expect(turn(arms(50, 400))).toBeGreaterThanOrEqual(bare + 400);
    expect(turn(arms(50, 400))).toBeLessThan(bare + 400 + few);
  });

  it("of an if's arms the longer one, whichever it is; without else, its arm", () => {
    const either = (then: number, other: number): number =>
      turn(`(if (i32.and (local.get 0) (i32.const 1)) (then ${work(then)}) (else ${work(other)}))`);
    for (const cost of [either(500, 100), either(100, 500)]) {
      expect(cost).toBeGreaterThanOrEqual(bare + 500);
      expect(cost).toBeLessThan(bare + 500 + few);
    }
    const lone = turn(`(if (i32.and (local.get 0) (i32.const 1)) (then ${work(500)}))`);
    expect(lone).toBeGreaterThanOrEqual(bare + 500);
  });

  it("of one if behind another, both", () => {
    const one = `(if (local.get 0) (then ${work(300)}) (else ${work(100)}))`;
    expect(turn(one + one)).toBeGreaterThanOrEqual(bare + 600);
    expect(turn(one + one)).toBeLessThan(bare + 600 + 2 * few);
  });

  it("of code behind a block that some branches leave early, the way that stayed", () => {
    const cost = turn(`(block $out ${work(100)} (br_if $out (local.get 0)) ${work(300)}) ${work(100)}`);
    expect(cost).toBeGreaterThanOrEqual(bare + 500);
  });

  it("of a way that never comes back to the header, too", () => {
    const cost = turn(`(if (i32.eqz (local.get 0)) (then ${work(1000)} (return)))`);
    expect(cost).toBeGreaterThanOrEqual(1000);
  });

  it("of a loop inside, one turn, whose others are charged where they begin", () => {
    const inner = `(local.set 1 (i32.const 0)) (loop $in ${work(200)}
      (br_if $in (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 3))))`;
    expect(turn(inner)).toBeGreaterThanOrEqual(bare + 3 * 200);
    expect(turn(inner)).toBeLessThan(bare + 4 * 200 + 4 * few);
  });

  it("of what stands behind a loop inside, too, and of an arm that ends there", () => {
    const inner = "(loop $in (br_if $in (i32.const 0)))";
    expect(turn(inner + work(500))).toBeGreaterThanOrEqual(bare + 500);
    const ends = `(if (i32.eqz (local.get 0)) (then ${work(900)} (unreachable)))`;
    expect(turn(inner + ends + work(100))).toBeGreaterThanOrEqual(900);
  });

  it("with an exception handler inside, all of it: control may come from everywhere", () => {
    const guarded = `(block $caught (try_table (catch_all $caught) ${arms(5, 200)}))`;
    expect(turn(guarded)).toBeGreaterThanOrEqual(bare + 5 * 200);
  });
});

describe("a function's beginning costs what the longest way through it does", () => {
  it("of a switch's arms, the longest one", () => {
    const { exports, used } = run(
      wat(`(module (func (export "f") (param i32) (local i32) ${arms(50, 400)}))`),
      { mode: "deadline" },
    );
    exports["f"]!(3);
    const before = used();
    exports["f"]!(3);
    expect(used() - before).toBeGreaterThanOrEqual(380);
    expect(used() - before).toBeLessThan(500);
  });
});

describe("no way costs more than what is charged for the longest", () => {
  /** Counts itself: so much is known to have run, whatever was charged for it. */
  const MARK = "(global.set 0 (i32.add (global.get 0) (i32.const 1)))";
  const MARK_UNITS = 4;
  const marks = MARK.repeat(25);
  const when = (bit: number): string =>
    `(i32.and (i32.shr_u (local.get 0) (i32.const ${bit})) (i32.const 1))`;
  /** Each depth has a local that counts its turns. */
  const thrice = (depth: number): string =>
    `(i32.lt_u (local.tee ${depth} (i32.add (local.get ${depth}) (i32.const 1))) (i32.const 3))`;
  /** Code with branches on the bits of local 0, `depth` blocks deep. */
  const code: fc.Arbitrary<(depth: number) => string> = fc.letrec<{ code: (depth: number) => string }>(
    (tie) => ({
      code: fc.oneof(
        { maxDepth: 5 },
        fc.constant(() => marks),
        fc.nat(5).map((bit) => (depth: number) => `(br_if ${bit % (depth + 1)} ${when(bit)})`),
        fc
          .nat(5)
          .map((bit) => (depth: number) => `(if ${when(bit)} (then ${marks} (br ${(bit % depth) + 1})))`),
        fc
          .array(tie("code"), { maxLength: 4 })
          .map((parts) => (depth: number) => parts.map((part) => part(depth)).join("")),
        tie("code").map((inside) => (depth: number) => `(block ${inside(depth + 1)})`),
        tie("code").map(
          (inside) => (depth: number) =>
            `(local.set ${depth} (i32.const 0)) (loop ${inside(depth + 1)} (br_if 0 ${thrice(depth)}) ${marks})`,
        ),
        fc.tuple(fc.nat(5), tie("code"), tie("code")).map(
          ([bit, one, other]) =>
            (depth: number) =>
              `(if ${when(bit)} (then ${one(depth + 1)}) (else ${other(depth + 1)}))`,
        ),
        fc.tuple(fc.nat(5), tie("code")).map(
          ([bit, inside]) =>
            (depth: number) =>
              `(block (block (br_table 0 1 ${depth + 1} ${when(bit)}) ) ${inside(depth + 1)})`,
        ),
      ),
    }),
  ).code;

  it("in code of blocks, arms, loops and branches made at random, on every way through it", () => {
    fc.assert(
      fc.property(code, (body) => {
        // the block stands for the function, which branches may leave
        const bytes = wat(
          `(module (global (export "marks") (mut i32) (i32.const 0))
            (func (export "f") (param i32) (local ${"i32 ".repeat(30)}) (block ${body(1)}) ${marks}))`,
        );
        const { exports, instance, host, used } = run(
          bytes,
          { mode: "deadline" },
          {},
          new FuelHost(50_000, 1000),
        );
        const counted = instance.exports["marks"] as WebAssembly.Global;
        for (let bits = 0; bits < 64 && !host.stopped; bits++) {
          const was = [used(), counted.value as number] as const;
          // what turns for ever is stopped
          outcome(() => exports["f"]!(bits));
          const ran = ((counted.value as number) - was[1]) * MARK_UNITS;
          expect(used() - was[0]).toBeGreaterThanOrEqual(ran - PREPAID);
        }
      }),
      { numRuns: 300 },
    );
  });
});
