import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Value } from "../../src/contract/value.ts";
import { fromBase64, fromBase64Plain, toBase64, toBase64Plain } from "../../src/boundary/base64.ts";
import { decodeValue, encodeValue, mayHoldMarks } from "../../src/boundary/wire-value.ts";

const roundTrip = (value: Value): Value => decodeValue(JSON.parse(encodeValue(value) ?? "null"));
const code = (expected: string): unknown => expect.objectContaining({ code: expected });

describe("values in JSON lines", () => {
  test("bytes and bigints travel under a mark", () => {
    expect(encodeValue({ a: Uint8Array.of(1, 2, 255), b: [12n] })).toBe(
      '{"a":{"$bytes":"AQL/"},"b":[{"$bigint":"12"}]}',
    );
    expect(roundTrip({ a: Uint8Array.of(1, 2, 255), b: [-12n] })).toEqual({
      a: Uint8Array.of(1, 2, 255),
      b: [-12n],
    });
  });

  test("what looks like a mark but is the sender's own data comes back as it was", () => {
    for (const value of [
      { $bytes: "AQ==" },
      { $bigint: "x" },
      { $value: { $bytes: 1 } },
      { $value: 3 },
      { $bytes: "a", more: 1 },
    ]) {
      expect(roundTrip(value)).toEqual(value);
      expect(roundTrip([{ in: value }])).toEqual([{ in: value }]);
    }
    expect(roundTrip({ $bytes: "AQ==", gone: undefined })).toEqual({ $bytes: "AQ==" });
    // One key among others is no mark, wherever it stands.
    expect(encodeValue({ more: 1, $bytes: "a" })).toBe('{"more":1,"$bytes":"a"}');
  });

  test("the mark alone says what a text is", () => {
    const digits = fromBase64("12345678") as Uint8Array;
    expect(roundTrip(digits)).toEqual(digits);
  });

  test("a bigint of 2,500 digits travels, one more is INVALID_PAYLOAD on either side", () => {
    const most = 10n ** 2_499n;
    expect(roundTrip([most, -most]) as unknown).toEqual([most, -most]);
    expect(() => encodeValue(-10n * most)).toThrow(code("INVALID_PAYLOAD"));
    expect(() => decodeValue({ $bigint: "1".repeat(2_501) })).toThrow(code("INVALID_PAYLOAD"));
  });

  test("a mark in escaped letters is seen", () => {
    expect(mayHoldMarks('{"\\u0024bytes":"AQ=="}')).toBe(true);
    expect(mayHoldMarks('{"price":"5$"}')).toBe(false);
  });

  test("data nested 500 deep travels, one level more is INVALID_PAYLOAD on either side", () => {
    const nested = (levels: number, inside: Value): Value => {
      let value = inside;
      for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { $value: value };
      return value;
    };
    // Bytes are a level of their own.
    for (const [levels, inside] of [
      [500, 1],
      [499, Uint8Array.of(1)],
    ] as const) {
      expect(roundTrip(nested(levels, inside))).toEqual(nested(levels, inside));
      expect(() => encodeValue(nested(levels + 1, inside))).toThrow(code("INVALID_PAYLOAD"));
      const text = "[".repeat(levels + 1) + (encodeValue(inside) ?? "") + "]".repeat(levels + 1);
      expect(() => decodeValue(JSON.parse(text))).toThrow(code("INVALID_PAYLOAD"));
    }
  });

  test("objects without a prototype, and plain ones of another realm, are plain data", () => {
    const bare: object = Object.assign(Object.create(null) as object, { a: 1 });
    const foreign: object = Object.assign(Object.create(Object.create(null) as object) as object, { b: 2 });
    expect(encodeValue([bare, foreign] as Value)).toBe('[{"a":1},{"b":2}]');
  });

  test("plain data is handed to JSON without a copy, and the sender's data is never changed", () => {
    const value = Object.freeze({ a: Object.freeze([1n, Object.freeze({ b: undefined })]), c: undefined });
    expect(encodeValue(value)).toBe('{"a":[{"$bigint":"1"},{}]}');
    expect(encodeValue(undefined)).toBeUndefined();
    expect(encodeValue([undefined, null])).toBe("[null,null]");
  });

  test("a key called __proto__ is data like any other", () => {
    const value = JSON.parse('{"__proto__":{"a":1},"b":2}') as Record<string, Value>;
    Object.defineProperty(value, "__proto__", { value: 5n, enumerable: true });
    const text = encodeValue(value) as string;
    expect(text).toBe('{"__proto__":{"$bigint":"5"},"b":2}');
    const back = decodeValue(JSON.parse(text)) as object;
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect(Object.entries(back)).toContainEqual(["__proto__", 5n]);
  });

  const circle: Record<string, unknown> = {};
  circle["self"] = [circle];
  let deep: unknown[] = [];
  for (let depth = 0; depth < 5000; depth++) deep = [deep];
  test.each<[string, unknown]>([
    ["a function", () => {}],
    ["a symbol", Symbol("s")],
    ["NaN", Number.NaN],
    ["an infinity", -Infinity],
    ["a date", new Date()],
    ["a map", new Map()],
    ["a class instance", new (class Thing {})()],
    ["another typed array", new Float32Array(1)],
    ["a circle", circle],
    ["data nested too deep", deep],
    ["a method called toJSON", { toJSON: () => 1 }],
    [
      "a getter that throws",
      {
        get a(): never {
          throw undefined;
        },
      },
    ],
  ])("%s is INVALID_PAYLOAD", (_, value) => {
    expect(() => encodeValue(value as Value)).toThrow(code("INVALID_PAYLOAD"));
    expect(() => encodeValue({ a: [value as Value] })).toThrow(code("INVALID_PAYLOAD"));
  });

  test("the same object twice is no circle", () => {
    const shared = { a: 1 };
    expect(encodeValue([shared, shared])).toBe('[{"a":1},{"a":1}]');
  });

  test.each([
    '{"$bytes":"?"}',
    '{"$bytes":"AQ"}',
    '{"$bytes":3}',
    '{"$bytes":1234}',
    '{"$bytes":{}}',
    '{"$bigint":[]}',
    '{"$bigint":"1.5"}',
    '{"$bigint":12}',
    '{"$value":1}',
    '{"$value":"12"}',
    '{"$value":null}',
    '{"$value":[1]}',
    '{"$value":"AQID"}',
    '{"$bigint":"AQID"}',
  ])("%s is INVALID_PAYLOAD", (text) => {
    expect(() => decodeValue(JSON.parse(text))).toThrow(code("INVALID_PAYLOAD"));
  });

  test("base64 is the same with and without the engine's help", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        const text = toBase64(bytes);
        expect(toBase64Plain(bytes)).toBe(text);
        expect(fromBase64(text)).toEqual(bytes);
        expect(fromBase64Plain(text)).toEqual(bytes);
      }),
    );
  });

  test("any value comes back as it was sent", () => {
    const { value } = fc.letrec<{ value: Value }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom<Value>(null, true, "$bytes"),
        fc.string(),
        fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
        fc.bigInt(),
        fc.uint8Array(),
        fc.array(tie("value"), { maxLength: 4 }),
        fc.dictionary(
          fc.oneof(fc.string(), fc.constantFrom("$bytes", "$bigint", "$value", "__proto__")),
          tie("value"),
          {
            maxKeys: 3,
            noNullPrototype: true,
          },
        ),
      ),
    }));
    fc.assert(
      fc.property(value, (sent) => {
        const text = encodeValue(sent) as string;
        const back = mayHoldMarks(text) ? decodeValue(JSON.parse(text)) : (JSON.parse(text) as Value);
        expect(back).toEqual(sent);
      }),
      { numRuns: 1000 },
    );
  });
});
