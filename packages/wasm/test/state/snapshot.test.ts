import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Exposed } from "../../src/state/expose.ts";
import { Snapshot } from "../../src/state/snapshot.ts";

const PAGE = 65_536;

interface State {
  readonly exports: WebAssembly.Exports;
  readonly exposed: Exposed;
}

function stateOf(parts: {
  readonly memories?: readonly WebAssembly.Memory[];
  readonly tables?: readonly WebAssembly.Table[];
  readonly globals?: readonly WebAssembly.Global[];
}): State {
  const exports: Record<string, WebAssembly.ExportValue> = {};
  const names = (kind: string, list: readonly WebAssembly.ExportValue[] = []): string[] =>
    list.map((one, index) => {
      exports[kind + index] = one;
      return kind + index;
    });
  const exposed = {
    memories: names("m", parts.memories),
    tables: names("t", parts.tables),
    globals: names("g", parts.globals),
  };
  return { exports, exposed };
}

const take = ({ exports, exposed }: State): Snapshot | undefined => Snapshot.take(exports, exposed);
const memory = (initial: number): WebAssembly.Memory => new WebAssembly.Memory({ initial });
const bytesOf = (one: WebAssembly.Memory): Uint8Array => new Uint8Array(one.buffer);

/** Runs of one byte, many of them at the edges of the pieces that a snapshot is taken in. */
const fills = fc.array(
  fc.record({
    at: fc.oneof(
      fc.nat(2 * PAGE - 1),
      fc.nat(31).map((piece) => piece * 4096),
      fc.nat(30).map((piece) => piece * 4096 + 4095),
    ),
    length: fc.constantFrom(1, 2, 8, 4096, 9000),
    byte: fc.constantFrom(0, 1, 255),
  }),
  { maxLength: 8 },
);

test("memories are put back byte by byte, whatever was in them and whatever was written", () => {
  fc.assert(
    fc.property(fills, fills, (before, after) => {
      const memories = [memory(1), memory(2)] as const;
      const write = (list: typeof before): void => {
        for (const { at, length, byte } of list) bytesOf(memories[1]).fill(byte, at, at + length);
        for (const { at, length, byte } of list)
          bytesOf(memories[0]).fill(byte, at % PAGE, (at % PAGE) + length);
      };
      write(before);
      const was = memories.map((one) => bytesOf(one).slice());
      const snapshot = take(stateOf({ memories }));
      write(after);
      expect(snapshot?.restore()).toBe(true);
      for (const [index, one] of memories.entries())
        expect(Buffer.compare(bytesOf(one), was[index] as Uint8Array)).toBe(0);
    }),
    { numRuns: 100 },
  );
});

test("elements of tables and numbers of all kinds are put back", () => {
  const code = Uint8Array.of(
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 3, 2, 0, 0],
    ...[7, 9, 2, 1, 0x61, 0, 0, 1, 0x62, 0, 1, 10, 7, 2, 2, 0, 0x0b, 2, 0, 0x0b],
  );
  const { a, b } = new WebAssembly.Instance(new WebAssembly.Module(code)).exports;
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 3 });
  table.set(1, a);
  const other = new WebAssembly.Table({ element: "anyfunc", initial: 1 });
  const globals = (
    [
      ["i32", -1, 5],
      ["i64", -(2n ** 63n), 5n],
      ["f32", 1.5, 0],
      ["f64", -0, 0],
      ["f64", -Infinity, 0],
    ] as const
  ).map(([value, initial, later]) => ({
    global: new WebAssembly.Global({ value, mutable: true }, initial),
    initial,
    later,
  }));
  const snapshot = take(stateOf({ tables: [table, other], globals: globals.map(({ global }) => global) }));
  table.set(0, b);
  table.set(1, null);
  table.set(2, a);
  other.set(0, a);
  for (const { global, later } of globals) global.value = later;
  expect(snapshot?.restore()).toBe(true);
  expect([0, 1, 2].map((index) => table.get(index) as unknown)).toEqual([null, a, null]);
  expect(other.get(0)).toBe(null);
  for (const { global, initial } of globals) expect(global.value).toBe(initial);
});

describe("what has grown is not put back, and nothing else either: ", () => {
  const states = {
    "the last memory": (): [State, grow: () => void] => {
      const last = memory(1);
      return [stateOf({ memories: [memory(1), last] }), () => void last.grow(1)];
    },
    "the last table": (): [State, grow: () => void] => {
      const last = new WebAssembly.Table({ element: "anyfunc", initial: 1 });
      return [stateOf({ memories: [memory(1)], tables: [last] }), () => void last.grow(1)];
    },
  };
  test.each(Object.entries(states))("%s", (_, make) => {
    const [state, grow] = make();
    const snapshot = take(state);
    const first = state.exports["m0"] as WebAssembly.Memory;
    bytesOf(first)[0] = 1;
    grow();
    expect(snapshot?.restore()).toBe(false);
    expect(bytesOf(first)[0]).toBe(1);
  });
});

test("no snapshot is taken of more than 16 MiB or 4096 elements together, nor of what is no number", () => {
  const table = (initial: number): WebAssembly.Table =>
    new WebAssembly.Table({ element: "anyfunc", initial });
  const number = (initial: number): WebAssembly.Global =>
    new WebAssembly.Global({ value: "f64", mutable: true }, initial);
  const tables = [table(4000), table(96)];
  expect(take(stateOf({ memories: [memory(255), memory(1)], tables, globals: [number(1)] }))).toBeDefined();
  expect(take(stateOf({ memories: [memory(255), memory(2)] }))).toBeUndefined();
  expect(take(stateOf({ tables: [...tables, table(1)] }))).toBeUndefined();
  expect(take(stateOf({ globals: [number(1), number(Number.NaN)] }))).toBeUndefined();
});
