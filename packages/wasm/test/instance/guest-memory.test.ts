import { describe, expect, test } from "vitest";
import { Buffers } from "../../src/abi/buffers.ts";
import type { GuestHost } from "../../src/instance/guest-host.ts";
import { beginningOf, encodeText, GuestMemory } from "../../src/instance/guest-memory.ts";
import { failure } from "../support/errors.ts";

const PAGE = 65_536;

interface Opened {
  readonly raw: WebAssembly.Memory;
  readonly memory: GuestMemory;
}

function open(shared = false): Opened {
  const raw = new WebAssembly.Memory({ initial: 1, maximum: 4, shared });
  return { raw, memory: new GuestMemory(raw) };
}

/** Each way to reach the memory, at a place and over a length. */
const WAYS: Readonly<Record<string, (memory: GuestMemory, at: number, length: number) => unknown>> = {
  check: (memory, at, length) => memory.check(at, length, "it"),
  copy: (memory, at, length) => memory.copy(at, length, "it"),
  text: (memory, at, length) => memory.text(at, length, "it"),
  write: (memory, at, length) => memory.write(at, new Uint8Array(length), "it"),
  "write a text": (memory, at, length) => memory.writeText(at, length, "", "it"),
};

describe("pointers and lengths that a guest gave", () => {
  for (const [way, reach] of Object.entries(WAYS)) {
    test(`${way}: the last byte is inside, the next one is not`, async () => {
      const { memory } = open();
      for (const length of [0, 1, 4, 32, 33, 4_000]) {
        expect(() => reach(memory, PAGE - length, length)).not.toThrow();
        const error = await failure("OUT_OF_BOUNDS", () => reach(memory, PAGE - length + 1, length));
        expect(error.details).toEqual({ pointer: PAGE - length + 1, length, memoryBytes: PAGE });
      }
    });
  }

  test("are read as unsigned: neither is ever below zero, and no sum wraps around", async () => {
    const { memory } = open();
    for (const [pointer, length] of [
      [-1, 1],
      [-1, 2],
      [0, -1],
      [-16, 16],
      [-(2 ** 31), 4],
      [16, -16],
    ] as const) {
      for (const way of ["check", "copy", "text"]) {
        const error = await failure("OUT_OF_BOUNDS", () => WAYS[way]?.(memory, pointer, length));
        expect(error.details).toMatchObject({ pointer: pointer >>> 0, length: length >>> 0 });
      }
    }
  });

  test("a word needs four bytes", async () => {
    const { raw, memory } = open();
    new DataView(raw.buffer).setUint32(PAGE - 4, 0xfedc_ba98, true);
    expect(memory.word(PAGE - 4, "it")).toBe(0xfedc_ba98);
    for (const at of [PAGE - 3, PAGE, -1]) await failure("OUT_OF_BOUNDS", () => memory.word(at, "it"));
  });

  test("a message for people takes what there is, and never throws", () => {
    const { raw, memory } = open();
    new Uint8Array(raw.buffer).set(encodeText("end"), PAGE - 3);
    expect(memory.lossyText(PAGE - 3, 100)).toBe("end");
    expect(memory.lossyText(-1, 100)).toBe("");
    expect(memory.lossyText(PAGE - 3, -1)).toBe("end");
    new Uint8Array(raw.buffer).set([0xff, 0x41]);
    expect(memory.lossyText(0, 2)).toBe("\ufffdA");
  });
});

describe("what is read and written", () => {
  test("is copied, short and long, and no more than was asked for", () => {
    const { raw, memory } = open();
    for (const length of [0, 1, 31, 32, 33, 500]) {
      const bytes = Uint8Array.from({ length }, (_, at) => (at % 255) + 1);
      memory.write(100, bytes, "it");
      const copy = memory.copy(100, length, "it");
      expect(copy).toEqual(bytes);
      new Uint8Array(raw.buffer).fill(0);
      expect(copy).toEqual(bytes);
    }
    memory.write(10, Uint8Array.of(1, 2), "it");
    expect([...new Uint8Array(raw.buffer, 9, 4)]).toEqual([0, 1, 2, 0]);
  });

  test("is UTF-8 when it is text, of any length and of any plane", async () => {
    const { memory } = open();
    const texts = [
      "",
      "a",
      "a".repeat(48),
      "a".repeat(49),
      "é",
      "abcé",
      `${"a".repeat(47)}€`,
      "🙂x",
      "\u{feff}b",
    ];
    for (const text of texts) {
      const expected = encodeText(text);
      expect(memory.writeText(64, text.length * 3, text, "it")).toBe(expected.length);
      expect(memory.copy(64, expected.length, "it")).toEqual(expected);
      expect(memory.text(64, expected.length, "it")).toBe(text);
    }
    memory.write(0, Uint8Array.of(0x61, 0xff), "it");
    await failure("INVALID_PAYLOAD", () => memory.text(0, 2, "it"));
  });

  test("is the beginning of a long text in whole", () => {
    expect(beginningOf("abc", 3)).toBe("abc");
    expect(beginningOf("abcd", 3)).toBe("abc");
  });
});

describe.each([false, true])("a memory that grows (shared: %s)", (shared) => {
  test("is looked at anew, and no byte beyond its end is reached", async () => {
    const { raw, memory } = open(shared);
    expect(memory.size).toBe(PAGE);
    raw.grow(1);
    memory.write(2 * PAGE - 8, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), "it");
    expect(memory.size).toBe(2 * PAGE);
    expect([...memory.copy(2 * PAGE - 8, 8, "it")]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(memory.word(2 * PAGE - 4, "it")).toBe(0x0807_0605);
    expect(memory.writeText(2 * PAGE - 3, 3, "é", "it")).toBe(2);
    expect(memory.text(2 * PAGE - 3, 2, "it")).toBe("é");
    expect(memory.lossyText(2 * PAGE - 3, 2)).toBe("é");
    await failure("OUT_OF_BOUNDS", () => memory.copy(2 * PAGE - 7, 8, "it"));
    raw.grow(1);
    expect(memory.word(3 * PAGE - 4, "it")).toBe(0);
    await failure("OUT_OF_BOUNDS", () => memory.word(3 * PAGE - 3, "it"));
  });
});

describe("a buffer that a guest's allocator makes", () => {
  function buffers(alloc: (size: number) => number): {
    readonly host: Pick<GuestHost, "broken">;
    readonly made: Buffers;
    readonly freed: number[][];
  } {
    const host = { id: "guest", memory: open().memory, entered: false, broken: false } as GuestHost;
    const freed: number[][] = [];
    const free = (pointer: number, size: number): void => void freed.push([pointer, size]);
    const guest = { exports: { alloc, free } as never, host, shape: {} as never };
    return { host, made: new Buffers(guest, "alloc", "free"), freed };
  }

  test("lies inside memory or is refused, and 0 is none", async () => {
    expect(buffers(() => PAGE - 8).made.allocate(8)).toBe(PAGE - 8);
    await failure("OUT_OF_BOUNDS", () => buffers(() => PAGE - 7).made.allocate(8));
    await failure("OUT_OF_BOUNDS", () => buffers(() => -8).made.allocate(8));
    const { host, made } = buffers(() => 0);
    await failure("OUT_OF_MEMORY", () => made.allocate(8));
    expect(host.broken).toBe(true);
  });

  test("is not asked for where its size is none that a guest can be told", async () => {
    let asked = 0;
    const { host, made } = buffers((size) => (asked++, size > 0 ? 8 : 16));
    await failure("INVALID_PAYLOAD", () => made.allocate(2 ** 31));
    expect([asked, host.broken]).toEqual([0, false]);
    // A size that can be told is asked for, and what comes back is looked at.
    await failure("OUT_OF_BOUNDS", () => made.allocate(2 ** 31 - 1));
    expect(asked).toBe(1);
  });

  test("is given back when what it holds is no text", async () => {
    const { made, freed } = buffers(() => 8);
    await failure("OUT_OF_BOUNDS", () => made.take(PAGE, 3, "it"));
    expect(freed).toEqual([[PAGE, 3]]);
    expect(made.put(Uint8Array.of(97, 98))).toBe(8);
    expect(made.take(8, 2, "it")).toBe("ab");
    expect(freed).toHaveLength(2);
  });
});
