import { describe, expect, test } from "vitest";
import { isModuleId, isRange, isVersion, satisfies } from "../../src/manifest/index.ts";

describe("ids, versions and ranges", () => {
  test.each(["a", "0", "a.b-c_d", "a".repeat(64), "constructor", "kernels", "a-host"])(
    "%j is a module id",
    (id) => {
      expect(isModuleId(id)).toBe(true);
    },
  );

  test.each(["", "A", "-a", ".a", "_a", "a b", "a/b", "ä", "a\n", "a".repeat(65), "__proto__", null, 1])(
    "%j is no module id",
    (id) => {
      expect(isModuleId(id)).toBe(false);
    },
  );

  test.each(["kernel", "host"])("%j, which stands for another on the bus, is no module id", (id) => {
    expect(isModuleId(id)).toBe(false);
  });

  test.each(["1.2.3", "0.0.0", "1.2.3-beta.1", "1.2.3+build.5", "1.2.3-a+b"])(
    "%j is a version",
    (version) => {
      expect(isVersion(version)).toBe(true);
    },
  );

  test.each([
    "",
    "1",
    "1.2",
    "v1.2.3",
    "=1.2.3",
    " 1.2.3",
    "1.2.3 ",
    "01.2.3",
    "1.2.3-",
    "^1.2.3",
    `1.2.${"9".repeat(300)}`,
    1,
    null,
  ])("%j is no version", (version) => {
    expect(isVersion(version)).toBe(false);
  });

  test.each(["*", "^1.2.0", "~1.2", ">=1 <3", "1.x || 3.x", "1.2.3 - 2.0.0"])("%j is a range", (range) => {
    expect(isRange(range)).toBe(true);
  });

  test.each(["", " ", "latest", "^^1", "one", ">>1", "x".repeat(1000), null])("%j is no range", (range) => {
    expect(isRange(range)).toBe(false);
  });

  test.each([
    ["1.2.3", "^1.2.0", true],
    ["2.0.0", "^1.2.0", false],
    ["0.3.0", "^0.2.0", false],
    ["1.2.3-beta", "^1.2.0", false],
    ["1.2.3-beta", "^1.2.3-alpha", true],
    ["1.2.3-beta", "*", true],
    ["1.2.3", "nonsense", false],
    ["nonsense", "*", false],
  ])("%s fits %s: %s", (version, range, fits) => {
    expect(satisfies(version, range)).toBe(fits);
  });

  test("a range has 256 characters at most", () => {
    expect(isRange(">=1.0.0".padEnd(256))).toBe(true);
    expect(isRange(">=1.0.0".padEnd(257))).toBe(false);
  });

  test("what is no range fits nothing, and `*` fits pre-releases too", () => {
    expect(satisfies("1.0.0", undefined as never)).toBe(false);
    expect(satisfies("1.0.0-beta", " * ")).toBe(true);
    expect(satisfies("one", "*")).toBe(false);
  });
});
