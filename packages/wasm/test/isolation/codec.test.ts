import { runInNewContext } from "node:vm";
import type { Bytes, Value } from "@keelson/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BrokenMessage, Reader, Writer } from "../../src/isolation/codec.ts";
import { FrameReader, HEAD_BYTES, sealFrame } from "../../src/isolation/frames.ts";
import { readAnswer, readLog, writeAnswer, writeError } from "../../src/isolation/messages.ts";
import { KeelsonError } from "@keelson/core";

const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Value>(
      undefined,
      null,
      true,
      false,
      Number.NaN,
      -0,
      Infinity,
      2 ** 31,
      -(2 ** 31),
      "\ud800",
    ),
    fc.double(),
    fc.integer(),
    fc.bigInt(),
    fc.string({ unit: "binary" }),
    fc.uint8Array(),
    fc.array(tie("value")),
    fc.dictionary(fc.oneof(fc.string(), fc.constant("__proto__")), tie("value")),
  ) as fc.Arbitrary<Value>,
}));

describe("values that go over", () => {
  test("come out as they went in, whatever stands around them", () => {
    fc.assert(
      fc.property(value, value, fc.integer({ min: 0, max: 8 }), (first, second, head) => {
        const writer = new Writer(head, 1);
        writer.value(first);
        writer.float(0.5);
        writer.value(second);
        const reader = new Reader(writer.take(), head);
        const found = [reader.value(), reader.float(), reader.value()];
        // Bare objects have no prototype in some of the cases, and Object.prototype on the other side.
        expect(found).toEqual([first, 0.5, second]);
        expect(Object.is(found[0], first) || typeof first === "object").toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("are plain wherever they were made: a bare object, and one of another realm", () => {
    for (const plain of [Object.assign(Object.create(null), { a: 1 }), runInNewContext("({ a: 1 })")]) {
      const writer = new Writer();
      writer.value(plain as Value);
      expect(new Reader(writer.take()).value()).toEqual({ a: 1 });
    }
    class Own {}
    class Derived extends Own {}
    for (const instance of [new Own(), new Derived(), new Map(), new Date(0), runInNewContext("new Map()")]) {
      const error = thrownBy(() => new Writer().value(instance as Value));
      expect((error as KeelsonError).code).toBe("INVALID_PAYLOAD");
    }
  });

  test("a bigint of 2,500 digits goes over, one more is INVALID_PAYLOAD, and no message of ours", () => {
    const most = 10n ** 2_499n;
    const writer = new Writer();
    writer.value([most, -most]);
    expect(new Reader(writer.take()).value()).toEqual([most, -most]);
    expect(() => new Writer().value(10n * most)).toThrow(
      expect.objectContaining({ code: "INVALID_PAYLOAD" }) as KeelsonError,
    );
    // what the writer refuses, written by somebody else: kind 8, and a text
    const forged = new Writer();
    forged.byte(8);
    forged.text("7".repeat(2_501));
    expect(() => new Reader(forged.take()).value()).toThrow(BrokenMessage);
  });

  test("what is cut off or no message of ours ends with BrokenMessage, and never with more memory than it holds", () => {
    fc.assert(
      fc.property(value, fc.double({ min: 0, max: 0.999, noNaN: true }), (one, part) => {
        const writer = new Writer();
        writer.value(one);
        const bytes = writer.take();
        const cut = bytes.slice(0, Math.floor(bytes.length * part));
        expect(() => new Reader(cut).value()).toThrow(BrokenMessage);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const random = new Uint8Array(bytes);
        for (const read of [
          () => new Reader(random).value(),
          () => readAnswer(random, 0),
          () => readLog(random, 0),
        ]) {
          try {
            read();
          } catch (error) {
            expect(error).toBeInstanceOf(BrokenMessage);
          }
        }
      }),
      { numRuns: 3_000 },
    );
  });
});

test("an array that claims to be endless is refused before it has filled the memory", () => {
  const endless = new Proxy([], {
    get: (target, key) => (key === "length" ? 4e9 : key === "0" ? 1 : Reflect.get(target, key)),
  });
  const error = thrownBy(() => new Writer().value(endless));
  expect((error as KeelsonError).code).toBe("INVALID_PAYLOAD");
});

function thrownBy(run: () => void): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

test("frames are found however the pipe cuts them", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
      (messages, cuts) => {
        const stream: number[] = [];
        for (const message of messages) {
          const frame = new Uint8Array(HEAD_BYTES + message.length);
          frame.set(message, HEAD_BYTES);
          stream.push(...sealFrame(frame));
        }
        const found: number[][] = [];
        const reader = new FrameReader(1_000);
        for (let at = 0, cut = 0; at < stream.length; cut++) {
          const length = cuts[cut % cuts.length] as number;
          reader.add(Uint8Array.from(stream.slice(at, at + length)));
          for (let frame = reader.next(); frame !== undefined; frame = reader.next())
            found.push([...frame.subarray(HEAD_BYTES)]);
          at += length;
        }
        expect(found).toEqual(messages.map((message) => [...message]));
      },
    ),
  );
});

test("a frame that is longer than may be is refused before it comes", () => {
  const head = (length: number): Bytes => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, length);
    return bytes;
  };
  for (const length of [0, 4, 1_001, 0xffffffff]) {
    const reader = new FrameReader(1_000);
    reader.add(head(length));
    expect(() => reader.next()).toThrow(BrokenMessage);
  }
});

const standing = { memoryBytes: 1, spent: Float64Array.of(2, 3) };

test("an answer that holds more values than a guest may answer is refused, not unfolded", () => {
  const message = writeAnswer(standing, undefined, new Array<undefined>(2_000_001), 0);
  expect(() => readAnswer(message, 0)).toThrow(BrokenMessage);
  const fits = readAnswer(writeAnswer(standing, undefined, new Array<undefined>(1_000_000), 0), 0);
  expect(fits.kind === "answer" && (fits.value as readonly Value[]).length).toBe(1_000_000);
});

test("amounts that are no numbers, endless, beyond counting or below nothing are refused: they are added up", () => {
  const usage = { fuel: 1, cpuMs: 1, memoryPeakBytes: 1 };
  const message = writeAnswer(standing, usage, undefined, 0);
  // behind the kind: memory and what was spent, a byte, usage
  for (const at of [1, 9, 17, 26, 34, 42]) {
    for (const amount of [Number.NaN, Infinity, Number.MAX_VALUE, 2 ** 53, -Infinity, -1]) {
      const forged = message.slice();
      new DataView(forged.buffer).setFloat64(at, amount);
      expect(() => readAnswer(forged, 0), `${amount} at ${at}`).toThrow(BrokenMessage);
    }
  }
});

test("what a trapped guest used arrives with both its bounds", () => {
  const usage = { fuel: 1, fuelAtMost: 5, cpuMs: 2, memoryPeakBytes: 3 };
  const trapped = readAnswer(writeAnswer(standing, usage, undefined, 0), 0);
  expect(trapped.kind === "answer" && trapped.usage).toEqual(usage);
});

test("an error arrives with its code, text, hint and details, and without what cannot go over", () => {
  const error = new KeelsonError("WASM_TRAP", "it trapped", {
    hint: "look",
    details: { kind: "other" },
    cause: 1,
  });
  const answer = readAnswer(writeError(standing, undefined, true, error, 0), 0);
  expect(answer).toMatchObject({ kind: "error", dead: true, error: { code: "WASM_TRAP", hint: "look" } });
  expect(answer.kind === "error" && answer.error.message).toBe(error.message);
  const odd = new KeelsonError("IO", "odd", { details: { run: () => 1 } });
  const other = readAnswer(writeError(standing, undefined, false, odd, 0), 0);
  expect(other.kind === "error" && other.error.details).toBeUndefined();
});
