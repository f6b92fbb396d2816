import { decodeValue, encodeValue, type Value } from "@keelson/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromPlain, toPlain } from "../../src/record/plain.ts";

const { value: values } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Value>(null, true, "", "NaN", -0, Number.NaN, Infinity, -Infinity, 5e-324),
    fc.double(),
    fc.bigInt(),
    fc.string(),
    fc.uint8Array({ maxLength: 4 }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom("$number", "a", "__proto__", ""), tie("value"), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
  ),
}));

test("what a record keeps of a value comes back from its text as it was, whatever it looks like", () => {
  fc.assert(
    fc.property(values, (value) => {
      const text = encodeValue(toPlain(value)) as string;
      expect(fromPlain(decodeValue(JSON.parse(text)))).toStrictEqual(value);
    }),
    { numRuns: 500 },
  );
});

test("the copy shares nothing that could change", () => {
  const bytes = Uint8Array.of(1, 2);
  const copy = toPlain({ list: [bytes] });
  bytes[0] = 9;
  expect(copy).toEqual({ list: [Uint8Array.of(1, 2)] });
  expect(toPlain(undefined)).toBeUndefined();
});

test.each([
  ["lists", (inner: Value): Value => [inner]],
  ["objects", (inner: Value): Value => ({ inner })],
])("%s inside each other are kept 501 deep, and not deeper", (_, around) => {
  const nested = (depth: number): Value => (depth === 0 ? 1 : around(nested(depth - 1)));
  expect(toPlain(nested(501))).toEqual(nested(501));
  expect(() => toPlain(nested(502))).toThrow(expect.objectContaining({ code: "INVALID_PAYLOAD" }));
});
