import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isKeelsonError } from "../../src/contract/errors.ts";
import { parseSize } from "../../src/manifest/index.ts";

const units = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
} as const;
const unit = fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[]));

describe("parseSize", () => {
  test.each([
    ["64MiB", 67_108_864],
    ["1.5 GB", 1_500_000_000],
    ["0.1KB", 100],
    ["0", 0],
    ["65536", 65_536],
    ["007B", 7],
    [65_536, 65_536],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
    ["8191.999999999999090505298227071762084960937500TiB", 9_007_199_254_740_991],
  ])("reads %j as %d bytes", (size, bytes) => {
    expect(parseSize(size)).toBe(bytes);
  });

  test.each([
    "",
    " 1",
    "1 ",
    "1  KB",
    "-1",
    "-1MiB",
    "+1",
    "1.5",
    "0.5B",
    "1.0001KB",
    "1e3",
    "0x10",
    "1,5GB",
    ".5KB",
    "5.KB",
    "1kb",
    "1mib",
    "1 Mb",
    "1PB",
    "KB",
    "１KB",
    "1KB\n",
    "9007199254740992",
    "8192TiB",
    "9".repeat(40),
    "1".repeat(100_000),
    -1,
    1.5,
    NaN,
    Infinity,
    2 ** 53,
    null,
    undefined,
    {},
    [1],
  ])("refuses %j with INVALID_OPTIONS", (size) => {
    expect(() => parseSize(size as string)).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
  });

  test("names the unit that was probably meant", () => {
    expect(() => parseSize("64mib")).toThrow(/did you mean MiB\?/);
    expect(() => parseSize("64 M")).toThrow(/did you mean MB\?/);
    expect(() => parseSize("64Gi")).toThrow(/did you mean GiB\?/);
  });

  test("a whole number of any unit is that many times the unit, or refused from 2^53 up", () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 31 - 1 }), unit, fc.constantFrom("", " "), (count, name, space) => {
        const bytes = BigInt(count) * BigInt(units[name]);
        const read = (): number => parseSize(`${count}${space}${name}`);
        if (bytes <= BigInt(Number.MAX_SAFE_INTEGER)) expect(BigInt(read())).toBe(bytes);
        else expect(read).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
      }),
    );
  });

  test("nothing is nothing, and inherited names are no units", () => {
    expect(parseSize(-0)).toBe(0);
    for (const size of ["1 constructor", "1toString", "1 valueOf"])
      expect(() => parseSize(size)).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
  });

  test("a number is itself or refused", () => {
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.maxSafeInteger(), fc.nat()), (number) => {
        if (Number.isSafeInteger(number) && number >= 0) expect(parseSize(number)).toBe(number + 0);
        else expect(() => parseSize(number)).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
      }),
    );
  });

  test("whatever it is given, it gives whole bytes or a KeelsonError", () => {
    const text = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[0-9.]{0,6} ?[KMGTiB]{0,4}$/u),
      fc.anything({ withBigInt: true }),
    );
    fc.assert(
      fc.property(text, (size) => {
        try {
          const bytes = parseSize(size as string);
          expect(Number.isSafeInteger(bytes) && bytes >= 0).toBe(true);
        } catch (error) {
          expect(isKeelsonError(error, "INVALID_OPTIONS")).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
