import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { thrownCode } from "../support/errors.ts";
import { createLineReader, type LineReaderOptions } from "../../src/primitives/json-lines.ts";

const encoder = new TextEncoder();
const utf8 = (text: string): Uint8Array => encoder.encode(text);

function read(chunks: readonly Uint8Array[], options: Partial<LineReaderOptions> = {}): string[] {
  const out: string[] = [];
  const reader = createLineReader({
    onLine: (line) => out.push(line),
    onFault: (fault, start) => out.push(`!${fault} ${start}`),
    ...options,
  });
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  return out;
}

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [...places].map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...sorted].map((from, index) => bytes.slice(from, sorted[index] ?? bytes.length));
}

describe("line reader", () => {
  test("options that make no sense are INVALID_OPTIONS", () => {
    const onLine = (): void => {};
    for (const wrong of [
      undefined,
      {},
      { onLine: 5 },
      { onLine, onFault: "x" },
      ...[0, -1, NaN, Infinity, "9"].map((maxLineBytes) => ({ onLine, maxLineBytes })),
    ] as never[])
      expect(thrownCode(() => createLineReader(wrong))).toBe("INVALID_OPTIONS");
  });

  test("a chunk that is no bytes is INVALID_OPTIONS, and takes nothing from the lines around it", () => {
    const out: string[] = [];
    const reader = createLineReader({ onLine: (line) => out.push(line) });
    reader.push(utf8("a"));
    for (const wrong of [undefined, null, "text\n", 7, [10], {}] as never[])
      expect(thrownCode(() => reader.push(wrong))).toBe("INVALID_OPTIONS");
    reader.push(utf8("b\n"));
    expect(out).toEqual(["ab"]);
  });

  test("gives lines out with LF or CRLF ends, leaves empty ones out and gives the last one without an end", () => {
    expect(read([utf8('{"a":1}\r\n\n\r\n{"b":"é"}\nlast')])).toEqual(['{"a":1}', '{"b":"é"}', "last"]);
  });

  test("ended twice, it gives the last line once", () => {
    const out: string[] = [];
    const reader = createLineReader({ onLine: (line) => out.push(line) });
    reader.push(utf8("last"));
    reader.end();
    reader.end();
    expect(out).toEqual(["last"]);
  });

  test("a line of exactly the limit passes and one more byte does not", () => {
    expect(read([utf8("12345\n123456\n1234\n")], { maxLineBytes: 5 })).toEqual([
      "12345",
      "!LINE_TOO_LONG 123456",
      "1234",
    ]);
  });

  test("the limit counts bytes, not characters", () => {
    expect(read([utf8("ééé\néé\n")], { maxLineBytes: 5 })).toEqual(["!LINE_TOO_LONG ééé", "éé"]);
  });

  test("broken UTF-8 is a fault of its own line alone", () => {
    const bytes = Uint8Array.from([...utf8("a\nb"), 0xff, ...utf8("c\nd\n")]);
    expect(read([bytes])).toEqual(["a", "!INVALID_UTF8 b\ufffdc", "d"]);
    expect(read([bytes], { brokenUtf8: "replace" })).toEqual(["a", "b\ufffdc", "d"]);
  });

  test("a line over the limit can be cut instead", () => {
    expect(read([utf8("1234567\nab\n")], { maxLineBytes: 3, tooLong: "cut" })).toEqual(["123", "ab"]);
  });

  test("100 MB without a newline is told once, and the next line is read", () => {
    const out: string[] = [];
    const reader = createLineReader({
      onLine: (line) => out.push(line),
      onFault: (fault, start) => out.push(`${fault} ${start.length}`),
    });
    const chunk = new Uint8Array(65_536).fill(120);
    for (let index = 0; index < 1600; index++) reader.push(chunk);
    expect(out).toEqual(["LINE_TOO_LONG 200"]);
    reader.push(utf8("x\nnext\n"));
    expect(out).toEqual(["LINE_TOO_LONG 200", "next"]);
  });

  test("lines are given out in the very push that ends them", () => {
    const out: string[] = [];
    const reader = createLineReader({ onLine: (line) => out.push(line) });
    reader.push(utf8("ab"));
    expect(out).toEqual([]);
    reader.push(utf8("c\nd"));
    expect(out).toEqual(["abc"]);
  });

  test("what is done to a chunk afterwards changes nothing", () => {
    const out: string[] = [];
    const reader = createLineReader({ onLine: (line) => out.push(line) });
    const chunk = utf8("abc");
    reader.push(chunk);
    chunk.fill(120);
    reader.end();
    expect(out).toEqual(["abc"]);
  });

  test("any chunking gives the same lines and faults", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary", maxLength: 12 }).map(utf8),
      fc.constantFrom("\n", "\r\n", "\r", "").map(utf8),
      fc.uint8Array({ maxLength: 4 }),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 20 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.integer({ min: 1, max: 16 }),
        fc.constantFrom<Partial<LineReaderOptions>>({}, { tooLong: "cut" }, { brokenUtf8: "replace" }),
        (pieces, places, maxLineBytes, options) => {
          const bytes = Uint8Array.from(pieces.flatMap((part) => [...part]));
          const limited = { ...options, maxLineBytes };
          const whole = read([bytes], limited);
          // The reference: cut the bytes at each newline, one line at a time.
          const oneByOne = read(
            [...bytes].map((byte) => Uint8Array.of(byte)),
            limited,
          );
          const cleaned = (items: string[]): string[] =>
            items.map((item) => (item.startsWith("!LINE") ? "!LONG" : item));
          expect(cleaned(read(cut(bytes, places), limited))).toEqual(cleaned(whole));
          expect(cleaned(oneByOne)).toEqual(cleaned(whole));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("valid text comes back line for line", () => {
    fc.assert(
      fc.property(
        fc.array(fc.json(), { maxLength: 30 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (lines, places) => {
          expect(read(cut(utf8(lines.map((line) => `${line}\n`).join("")), places))).toEqual(lines);
        },
      ),
      { numRuns: 300 },
    );
  });
});
