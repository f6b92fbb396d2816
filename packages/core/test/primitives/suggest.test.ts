import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { editDistance, suggest } from "../../src/primitives/suggest.ts";

const keys = ["memory", "fuel", "cpuMs", "timeoutMs", "storage", "network"];
const word = fc.stringMatching(/^[a-d]{0,7}$/u);

describe("suggest", () => {
  test.each([
    ["memmory", "memory"],
    ["mmeory", "memory"],
    ["Memory", "memory"],
    ["cpu_ms", "cpuMs"],
    ["timeout-ms", "timeoutMs"],
    ["feul", "fuel"],
    ["netwrok", "network"],
  ])("takes %s for %s", (given, wanted) => {
    expect(suggest(given, keys)).toBe(wanted);
  });

  test.each(["", "x", "disk", "colour", "__proto__", "-", "m".repeat(10_000)])(
    "has no idea what %j means",
    (given) => {
      expect(suggest(given, keys)).toBeUndefined();
    },
  );

  test.each<[unknown, string[], string | undefined]>([
    ["FUEL", ["fuel"], "fuel"],
    ["fuel", ["fuel", "fuels"], "fuel"],
    ["fuels", ["fuel", "fuels", "fueled"], "fuels"],
    ["abc", ["axc"], "axc"],
    ["abc", ["axy"], undefined],
    ["abcdef", ["abcdxy"], "abcdxy"],
    ["abcdef", ["abcxyz"], undefined],
    ["a", ["b"], undefined],
    ["-", ["a"], undefined],
    ["x".repeat(64), ["x".repeat(64)], "x".repeat(64)],
    ["x".repeat(65), ["x".repeat(65)], undefined],
    [5, ["5"], undefined],
    [undefined, ["undefined"], undefined],
  ])("for %j of %j: %j", (given, candidates, wanted) => {
    expect(suggest(given, candidates)).toBe(wanted);
  });

  test("any key with one mistake in it leads back to that key", () => {
    const mistake = fc.record({
      key: fc.constantFrom(...keys),
      at: fc.nat({ max: 20 }),
      kind: fc.constantFrom("drop", "add", "change", "swap"),
      letter: fc.constantFrom("q", "z", "7"),
    });
    fc.assert(
      fc.property(mistake, ({ key, at, kind, letter }) => {
        const index = at % key.length;
        const before = key.slice(0, index);
        const rest = key.slice(index);
        const spoiled = {
          drop: before + rest.slice(1),
          add: before + letter + rest,
          change: before + letter + rest.slice(1),
          swap: before + (rest[1] ?? "") + (rest[0] ?? "") + rest.slice(2),
        }[kind];
        expect(suggest(spoiled, keys)).toBe(key);
      }),
    );
  });
});

describe("editDistance", () => {
  test("is a distance: nothing between equals, the same both ways, never less than the lengths ask for", () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, a)).toBe(0);
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b)).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
        expect(editDistance(a, b) === 0).toBe(a === b);
      }),
    );
  });

  test("agrees with the definition, written as a recursion", () => {
    const slow = (a: string, b: string): number => {
      if (a === "" || b === "") return a.length + b.length;
      const same = a.at(-1) === b.at(-1);
      let best = Math.min(
        slow(a.slice(0, -1), b) + 1,
        slow(a, b.slice(0, -1)) + 1,
        slow(a.slice(0, -1), b.slice(0, -1)) + (same ? 0 : 1),
      );
      if (a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1)) {
        best = Math.min(best, slow(a.slice(0, -2), b.slice(0, -2)) + 1);
      }
      return best;
    };
    const short = fc.stringMatching(/^[abc]{0,5}$/u);
    fc.assert(
      fc.property(short, short, (a, b) => {
        expect(editDistance(a, b)).toBe(slow(a, b));
      }),
    );
  });
});
