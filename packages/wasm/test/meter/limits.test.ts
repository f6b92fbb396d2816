import type { KeelsonError } from "@keelson/core";
import { describe, expect, it } from "vitest";

import { meter, type MeterOptions, originalOffset } from "../../src/meter/index.ts";
import { PREPAID } from "../../src/meter/layout.ts";
import { Writer } from "../../src/meter/write/writer.ts";
import { FuelHost, modes, run, usual } from "./harness.ts";
import { wat } from "./wat.ts";

const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

interface Parts {
  /** Sections by number, in order, before the code. */
  readonly sections?: readonly (readonly [id: number, ...content: number[]])[];
  /** The code of function "f", of type () → i32, without locals and end. */
  readonly code: (writer: Writer) => void;
}

/** A module with one exported function "f", made of bytes. */
function moduleOf({ sections = [], code }: Parts): Uint8Array<ArrayBuffer> {
  const writer = new Writer(1024);
  writer.raw(header);
  const section = (id: number, fill: () => void): void => {
    writer.byte(id);
    writer.sized(fill);
  };
  section(1, () => writer.raw([1, 0x60, 1, 0x7f, 1, 0x7f]));
  section(3, () => writer.raw([1, 0]));
  for (const [id, ...content] of sections) section(id, () => writer.raw(content));
  section(7, () => writer.raw([1, 1, 0x66, 0, 0]));
  section(10, () => {
    writer.byte(1);
    writer.sized(() => {
      writer.byte(0);
      code(writer);
      writer.byte(0x0b);
    });
  });
  return writer.finish();
}

describe("extreme but valid modules", () => {
  for (const depth of [10, 1000, 4096, 10_000]) {
    it(`${depth} loops inside one another`, () => {
      const bytes = moduleOf({
        code(writer) {
          for (let level = 0; level < depth; level++) writer.raw([0x03, 0x40]);
          // leave them all, or run the innermost once more
          writer.raw([0x20, 0, 0x04, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x21, 0, 0x0c]);
          writer.u32(depth >> 1);
          writer.byte(0x0b);
          for (let level = 0; level < depth; level++) writer.byte(0x0b);
          writer.raw([0x41, 7]);
        },
      });
      expect(WebAssembly.validate(bytes)).toBe(true);
      for (const options of modes) {
        const metered = run(bytes, options);
        expect(WebAssembly.validate(metered.metered.bytes)).toBe(true);
        expect(metered.exports["f"]!(3)).toBe(7);
      }
    });
  }

  it("a br_table with 50,000 ways", () => {
    const ways = 50_000;
    const bytes = moduleOf({
      code(writer) {
        writer.raw([0x03, 0x40, 0x02, 0x40, 0x02, 0x40, 0x20, 0, 0x0e]);
        writer.u32(ways);
        for (let way = 0; way < ways; way++) writer.byte(way % 2);
        writer.byte(2);
        writer.raw([0x0b, 0x41, 3, 0x0f, 0x0b, 0x41, 4, 0x0f, 0x0b, 0x41, 5]);
      },
    });
    for (const options of modes) {
      const { exports } = run(bytes, options);
      expect([0, 1, 49_998, 49_999].map((way) => exports["f"]!(way))).toEqual([3, 4, 3, 4]);
    }
    const { exports, host } = run(bytes, { mode: "exact" }, {}, new FuelHost(1_000_000));
    expect(() => exports["f"]!(60_000)).toThrow(WebAssembly.RuntimeError);
    expect(host.stopped).toBe("fuel");
  });

  it("numbers in five bytes where one would do", () => {
    const bytes = moduleOf({
      sections: [[5, 0x81, 0x80, 0x80, 0x80, 0x00, 1, 0x81, 0x80, 0x80, 0x80, 0x00, 2]],
      code(writer) {
        writer.raw([0x03, 0x40]);
        writer.raw([0x20, 0x80, 0x80, 0x80, 0x80, 0, 0x41, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x6a, 0x22, 0]);
        writer.raw([0x0d, 0x80, 0x80, 0x80, 0x80, 0, 0x0b]);
        writer.raw([0x20, 0, 0x41, 0, 0x28, 0x82, 0x80, 0x80, 0x80, 0, 0x88, 0x80, 0x80, 0x80, 0, 0x6a]);
      },
    });
    for (const options of modes) expect(run(bytes, options).exports["f"]!(5)).toBe(0);
  });

  it("custom sections that are broken, everywhere", () => {
    const broken: (readonly [number, ...number[]])[] = [
      [0, 4, 0x6e, 0x61, 0x6d, 0x65, 0xff, 0xff, 0xff], // "name", then nonsense
      [0, 25, ...new TextEncoder().encode("metadata.code.branch_hint"), 0xff, 0xff],
      [0, 0],
    ];
    const bytes = moduleOf({ sections: broken, code: (writer) => writer.raw([0x20, 0]) });
    expect(WebAssembly.validate(bytes)).toBe(true);
    for (const options of modes) expect(run(bytes, options).exports["f"]!(5)).toBe(5);
    const kept = WebAssembly.Module.customSections(
      new WebAssembly.Module(meter(bytes, modes[0]!).bytes),
      "name",
    );
    expect(kept.map((section) => [...new Uint8Array(section)])).toEqual([[0xff, 0xff, 0xff]]);
  });

  it("exports whose names begin like the meter's own", () => {
    const bytes = wat(
      `(module (func (export "keelson:fuel") (result i32) (loop) (i32.const 3)) (func (export "keelson:'x")))`,
    );
    const { exports, metered } = run(bytes);
    expect(metered.meta.exports.fuel).toBe("keelson:''fuel");
    expect(exports["keelson:fuel"]!()).toBe(3);
  });

  it("straight code of a megabyte is tested in between", () => {
    const bytes = moduleOf({
      code(writer) {
        writer.raw([0x20, 0]);
        for (let index = 0; index < 300_000; index++) writer.raw([0x41, 1, 0x6a]);
      },
    });
    for (const mode of ["deadline", "exact"] as const) {
      const { exports, host, used } = run(bytes, { mode }, {}, new FuelHost(1e9, 1000));
      expect(exports["f"]!(1)).toBe(300_001);
      // the host's call pays for nothing, so the first of it is free
      expect(used()).toBeGreaterThanOrEqual(600_000 - PREPAID);
      expect(host.asked[0]).toBeGreaterThan(4);
    }
  });
});

describe("limits on the module itself", () => {
  const code = (error: unknown): unknown => (error as { code?: unknown }).code;
  const refusal = (bytes: Uint8Array, options: Partial<MeterOptions>): unknown => {
    try {
      meter(bytes, { mode: "exact", ...usual, ...options });
      return undefined;
    } catch (error) {
      return code(error);
    }
  };

  const nested = (depth: number, dead: boolean): Uint8Array<ArrayBuffer> =>
    moduleOf({
      code(writer) {
        if (dead) writer.raw([0x20, 0, 0x0f]);
        for (let level = 0; level < depth; level++) writer.raw([0x02, 0x40]);
        for (let level = 0; level < depth; level++) writer.byte(0x0b);
        writer.raw([0x41, 7]);
      },
    });

  it("100,000 nested blocks are refused or metered, and never overflow the stack", () => {
    const bytes = nested(100_000, false);
    if (!WebAssembly.validate(bytes)) {
      expect(refusal(bytes, {})).toBe("INVALID_WASM");
      return;
    }
    expect(refusal(bytes, {})).toBe("WASM_TOO_LARGE");
    const options: MeterOptions = { mode: "exact", ...usual, limits: { maxNesting: 200_000 } };
    expect(WebAssembly.validate(meter(bytes, options).bytes)).toBe(true);
    expect(run(nested(100_000, true), options).exports["f"]!(3)).toBe(3);
  });

  it("bytes, functions, function bytes, locals and metered bytes each have one", () => {
    const bytes = wat(
      `(module (func (export "f") (local i32 i32 i32) (loop (br_if 0 (local.get 0)))) (func) (func))`,
    );
    expect(refusal(bytes, {})).toBeUndefined();
    expect(refusal(bytes, { limits: { maxBytes: 40 } })).toBe("WASM_TOO_LARGE");
    expect(refusal(bytes, { limits: { maxFunctions: 2 } })).toBe("WASM_TOO_LARGE");
    expect(refusal(bytes, { limits: { maxFunctionBytes: 5 } })).toBe("WASM_TOO_LARGE");
    expect(refusal(bytes, { limits: { maxLocals: 2 } })).toBe("WASM_TOO_LARGE");
    expect(refusal(bytes, { limits: { maxMeteredBytes: bytes.length + 10 } })).toBe("WASM_TOO_LARGE");
  });

  describe("values that engines note for where ways meet", () => {
    /** How many a function with ten locals has. */
    const valuesOf = (body: string): unknown => {
      const bytes = wat(
        `(module (import "h" "g" (func $g)) (func (export "f") (local ${"i32 ".repeat(10)}) ${body}))`,
      );
      try {
        meter(bytes, { mode: "exact", ...usual, limits: { maxMergedValues: 1 } });
        return 0;
      } catch (error) {
        const { details } = error as KeelsonError;
        expect(details).toMatchObject({ option: "maxMergedValues", limit: 1 });
        expect(refusal(bytes, { limits: { maxMergedValues: details?.["found"] as number } })).toBeUndefined();
        return details?.["found"];
      }
    };

    it.each([
      ["a block", "(block (nop))", 10],
      [
        "a block above three operands",
        "(block (result i32) (i32.const 1)) (i32.const 1) (i32.const 2) (block) drop drop drop",
        10 + 13,
      ],
      ["an if", "(if (local.get 0) (then (nop)))", 30],
      ["a loop", "(loop (nop))", 160 + 1],
      [
        "loops in loops, which the optimizing compiler looks at from each place",
        "(loop (loop (loop (nop))))",
        480 + 3,
      ],
      ["a branch", "(block (br 0))", 20],
      ["a branch that takes a value along", "(drop (block (result i32) (br 0 (i32.const 1))))", 10 + 11],
      [
        "each label of br_table, with the operand that chooses",
        "(block (br_table 0 0 0 (local.get 0)))",
        10 + 3 * 4 * 11,
      ],
      [
        "a handler, and each call that it may catch from",
        "(block (try_table (catch_all 0) (call $g) (call $g)))",
        50,
      ],
      ["a handler of the older kind", "(try (do (nop)) (catch_all (call $g)))", 20],
      ["calls that it may catch from", "(try (do (call $g) (call $g) (call $g)) (catch_all))", 40],
      ["calls whose exceptions are handed on", "(try (do (call $g) (call $g)) (delegate 0))", 30],
    ])("%s", (_name, body, values) => {
      expect(valuesOf(`(call $g) ${body}`)).toBe(values);
    });

    const locals = 2000;
    const used = Array.from(
      { length: locals },
      (_, n) => `(local.set ${n} (i32.add (local.get ${n}) (i32.const ${n})))`,
    );
    const guest = (body: string): Uint8Array<ArrayBuffer> =>
      wat(
        `(module (func $g (loop)) (func (export "f") (local ${"i32 ".repeat(locals)}) (loop $l ${used.join("")} ${body} (br $l))))`,
      );

    it.each([
      ["2,000 loops", "(loop (br_if 0 (i32.eqz (local.get 0))))".repeat(2000)],
      ["a br_table of 20,000 ways", `(block (br_table ${"0 1 ".repeat(10_000)} 0 (local.get 0)))`],
      ["a try of 20,000 calls", `(try (do ${"(call $g) ".repeat(20_000)}) (catch_all))`],
      ["10,000 ifs", "(if (local.get 0) (then (local.set 0 (i32.const 1))))".repeat(10_000)],
    ])(
      "2,000 locals and %s are refused: engines take gigabytes, or a core for a minute, for less than 200 KB",
      (_name, body) => {
        const bytes = guest(body);
        expect(bytes.length).toBeLessThan(200_000);
        expect(WebAssembly.validate(bytes)).toBe(true);
        expect(refusal(bytes, {})).toBe("WASM_TOO_LARGE");
        expect(refusal(bytes, { mode: "deadline" })).toBe("WASM_TOO_LARGE");
      },
    );

    it("dead code has none, and 2,000 locals alone are fine", () => {
      expect(
        refusal(guest(`(block (br 0) ${"(loop (br_if 0 (i32.eqz (local.get 0))))".repeat(2000)})`), {}),
      ).toBeUndefined();
    });
  });

  it("the meter's own functions count as they are made: there is one for each pair of tables that are copied", () => {
    const tables = 40;
    const copies = (from: number): string =>
      Array.from(
        { length: tables },
        (_, to) => `(table.copy ${from} ${to} (local.get 0) (local.get 0) (local.get 0))`,
      ).join("");
    const bytes = wat(
      `(module ${"(table 1 funcref)".repeat(tables)} ${Array.from({ length: tables }, (_, n) => `(func (param i32) ${copies(n)})`).join("")})`,
    );
    const whole = meter(bytes, { mode: "exact", ...usual }).bytes.length;
    const limit = Math.floor(whole / 4);
    let found: unknown;
    try {
      meter(bytes, { mode: "exact", ...usual, limits: { maxMeteredBytes: limit } });
    } catch (error) {
      found = (error as KeelsonError).details?.["found"];
    }
    expect(found).toBeGreaterThan(limit);
    expect(found).toBeLessThan(limit * 1.5);
  });

  it("a small module that would need many of them is refused before they are made, whatever its bytes may be", () => {
    const tables = 320; // 102,400 pairs
    const bytes = moduleOf({
      sections: [[4, 0xc0, 0x02, ...Array.from({ length: tables }, () => [0x70, 0, 1]).flat()]],
      code(writer) {
        for (let to = 0; to < tables; to++)
          for (let from = 0; from < tables; from++) {
            writer.raw([0x20, 0, 0x20, 0, 0x20, 0, 0xfc, 14]);
            writer.u32(to);
            writer.u32(from);
          }
        writer.raw([0x41, 7]);
      },
    });
    expect(WebAssembly.validate(bytes)).toBe(true);
    let error: unknown;
    try {
      meter(bytes, { mode: "exact", ...usual, limits: { maxMeteredBytes: Infinity } });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({
      code: "WASM_TOO_LARGE",
      details: { what: "functions of the meter's own", limit: 100_000 },
    });
  });

  it("so do engines have, which the meter's own locals and code may pass", () => {
    // its counter, a length, the depth as it was found and as it is left
    const own = 4;
    const locals = (count: number): Uint8Array<ArrayBuffer> =>
      wat(`(module (memory 1) (func (export "f") (param i32) (local ${"i64 ".repeat(count)})
        (loop (memory.fill (i32.const 0) (i32.const 0) (local.get 0)) (br_if 0 (i32.const 0)))))`);
    for (const [count, answer] of [
      [50_000 - 1 - own, undefined],
      [50_000 - own, "WASM_TOO_LARGE"],
      [50_000 - 1, "WASM_TOO_LARGE"],
    ] as const) {
      const bytes = locals(count);
      expect(WebAssembly.validate(bytes)).toBe(true);
      expect(refusal(bytes, { stackBytes: 10_000_000 })).toBe(answer);
      if (answer) continue;
      const { bytes: metered } = meter(bytes, { mode: "exact", ...usual, stackBytes: 10_000_000 });
      expect(WebAssembly.validate(metered)).toBe(true);
    }
    const loops = moduleOf({
      code(writer) {
        for (let index = 0; index < 100_000; index++) writer.raw([0x03, 0x40, 0x0b]);
        writer.raw([0x41, 1]);
      },
    });
    expect(WebAssembly.validate(loops)).toBe(true);
    expect(refusal(loops, {})).toBe("WASM_TOO_LARGE");
  });

  it("what an engine refuses is INVALID_WASM, whatever the meter would make of it", () => {
    // a call of function 1, which only the meter would append
    const bytes = moduleOf({ code: (writer) => writer.raw([0x10, 1, 0x41, 1]) });
    expect(refusal(bytes, {})).toBe("INVALID_WASM");
    expect(refusal(new Uint8Array(0), {})).toBe("INVALID_WASM");
    expect(refusal(new Uint8Array([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]), {})).toBe("INVALID_WASM");
  });

  it("relaxed SIMD is refused by name where that is asked for", () => {
    const bytes = moduleOf({
      code(writer) {
        for (let operand = 0; operand < 2; operand++)
          writer.raw([0xfd, 12, ...new Array<number>(16).fill(1)]);
        writer.raw([0xfd, 0x80, 0x02, 0xfd, 27, 0]);
      },
    });
    expect(refusal(bytes, {})).toBeUndefined();
    expect(() => meter(bytes, { mode: "exact", relaxedSimd: "refuse" })).toThrow(/i8x16\.relaxed_swizzle/);
  });
});

describe("the offset map", () => {
  it("turns positions of the metered code back into the original's", () => {
    const bytes = wat(`(module (func $g (param i32) (call $g (local.get 0)))
      (func (export "f") (param i32)
      (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (call $g (i32.const 77)) unreachable))`);
    const { bytes: metered, offsets } = meter(bytes, { mode: "exact", ...usual, offsetMap: true });
    const find = (where: Uint8Array, what: number[], from = 0): number => {
      for (let at = from; at < where.length; at++)
        if (what.every((byte, index) => where[at + index] === byte)) return at;
      return -1;
    };
    const pattern = [0x41, 0xcd, 0x00]; // i32.const 77
    const original = find(bytes, pattern);
    expect(original).toBeGreaterThan(0);
    expect(originalOffset(offsets!, find(metered, pattern))).toBe(original);
    expect(originalOffset(offsets!, 3)).toBeUndefined();
  });
});
