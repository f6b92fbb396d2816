import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type JsonFault, type JsonText, readJson } from "../../src/manifest/json.ts";

function fault(text: string): JsonFault {
  const read = readJson(text);
  if ("value" in read) throw new Error(`${JSON.stringify(text)} was read`);
  return read;
}

function value(text: string): unknown {
  const read = readJson(text);
  if (!("value" in read)) throw new Error(read.message);
  return read.value;
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe("readJson", () => {
  test("reads whatever JSON there is as JSON.parse does, with or without indentation", () => {
    const json = fc.jsonValue({ maxDepth: 6 }).filter((one) => !JSON.stringify(one).includes("__proto__"));
    fc.assert(
      fc.property(json, fc.constantFrom(0, 2, "\t"), (one, indent) => {
        const text = JSON.stringify(one, null, indent);
        expect(value(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  test("accepts a spoiled text exactly when JSON.parse does", () => {
    const spoiled = fc
      .tuple(
        fc.json({ maxDepth: 3 }),
        fc.nat(),
        fc.nat({ max: 2 }),
        fc.constantFrom(
          "",
          ",",
          '"',
          "}",
          "]",
          "{",
          "[",
          ":",
          "\\",
          "0",
          "-",
          "e",
          ".",
          "x",
          "null",
          "\n",
          "\0",
          "\u00a0",
          "//",
        ),
      )
      .map(([text, at, cut, put]) => {
        const index = at % (text.length + 1);
        return text.slice(0, index) + put + text.slice(index + cut);
      })
      .filter((text) => !text.includes("__proto__") && !text.includes("\\u"));
    fc.assert(
      fc.property(spoiled, (text) => {
        const read = readJson(text);
        if ("value" in read) expect(read.value).toEqual(JSON.parse(text));
        // Stricter than JSON.parse in one way alone.
        else expect(parses(text) && !read.message.includes("comes twice")).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ["", 1, 1, "the text ends"],
    ["{", 1, 2, "a key"],
    ['{\n  "a": 1,\n}', 3, 1, "a key"],
    ['{\n  "a" 1\n}', 2, 7, '":"'],
    ['{"a": 1\n "b": 2}', 2, 2, '"," or "}"'],
    ["[1\n2]", 2, 1, '"," or "]"'],
    ["[1,]", 1, 4, "a value"],
    ["[01]", 1, 3, '"," or "]"'],
    ["{'a': 1}", 1, 2, "a key"],
    ["truth", 1, 1, "a value"],
    ["1 2", 1, 3, "the end"],
    ['"abc', 1, 1, "no end"],
    ['{"a": "b\nc"}', 1, 7, "no end"],
    ['"\\x"', 1, 1, "unknown escape"],
    ["// comment\n{}", 1, 1, "a value"],
    ["{}\u00a0", 1, 3, "the end"],
    ["[😀]", 1, 2, "😀"],
  ])("says of %j that it breaks in line %d, column %d", (text, line, column, words) => {
    const found = fault(text);
    expect([found.line, found.column]).toEqual([line, column]);
    expect(found.message).toContain(words);
  });

  test("refuses a key that comes twice, in the same object alone, however it is written", () => {
    expect(fault('{"a": 1, "a": 2}')).toMatchObject({ line: 1, column: 10 });
    expect(fault('{"a": 1, "\\u0061": 2}').message).toContain("comes twice");
    expect(value('{"a": {"a": 1}, "b": {"a": 2}}')).toEqual({ a: { a: 1 }, b: { a: 2 } });
  });

  test("refuses __proto__, and takes other names of Object.prototype for plain keys", () => {
    expect(fault('{"__proto__": {"polluted": true}}').message).toContain("__proto__");
    expect(fault('{"\\u005f_proto__": 1}').message).toContain("__proto__");
    const read = value('{"constructor": 1, "toString": 2, "hasOwnProperty": 3}') as object;
    expect(Object.entries(read)).toEqual([
      ["constructor", 1],
      ["toString", 2],
      ["hasOwnProperty", 3],
    ]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("refuses deep nesting before the stack does", () => {
    expect(value(`${"[".repeat(32)}${"]".repeat(32)}`)).toBeDefined();
    for (const text of ["[".repeat(100_000), '{"a":'.repeat(100_000)])
      expect(fault(text).message).toContain("deeper");
  });

  test("reads a megabyte in one text", () => {
    const text = "x".repeat(2 ** 20);
    expect(value(JSON.stringify(text))).toBe(text);
    expect(fault(`"${text}`).message).toContain("no end");
  });

  test("knows the line of every key and element", () => {
    const read = readJson('{\n  "a": [\n    1,\n    {"b": 2}\n  ]\n}') as JsonText;
    const root = read.value as { a: [number, object] };
    expect(read.lineOf(root, "a")).toBe(2);
    expect(read.lineOf(root.a, 0)).toBe(3);
    expect(read.lineOf(root.a[1], "b")).toBe(4);
    expect(read.lineOf(root, "c")).toBeUndefined();
  });
});
