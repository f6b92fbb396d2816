import {
  BR,
  CALL,
  EMPTY,
  END,
  I32,
  i32Add,
  i32Const,
  i32GtU,
  i32LeU,
  i32Or,
  i32Sub,
  I64,
  i64Add,
  i64Const,
  i64ExtendI32U,
  i64GtU,
  i64LeU,
  i64LtU,
  i64Shl,
  i64Sub,
  IF,
  localGet,
  localSet,
  LOOP,
  memorySize,
  MISC,
  RETURN,
  tableSize,
  UNREACHABLE,
} from "../bytecode.ts";
import { afterHost } from "./helpers.ts";
import type { Layout } from "../layout.ts";
import type { Writer } from "./writer.ts";

// Bulk instructions on memories and tables, done in pieces between which the host looks at the clock: one such instruction would run to its
// end whatever time is left.

/** Bytes of one piece; what is shorter is done at once. */
export const PIECE_BYTES: number = 2 ** 18;
/** Entries of a table in one piece: an engine that writes a reference into each takes 15 to 25 ns for it. */
export const PIECE_ENTRIES: number = 2 ** 14;

/** A memory or a table, for the instructions that work on ranges of it. */
export interface Store {
  readonly name: string;
  readonly number: number;
  readonly wide: boolean;
  /** The encoded type of what fills it. */
  readonly value: ArrayLike<number>;
  /** The second byte of its instructions, behind 0xfc. */
  readonly init: number;
  readonly copy: number;
  readonly fill: number;
  /** How much is done at once. */
  readonly piece: number;
}

/** The store that a bulk instruction names. */
export function storeOf({ module }: Layout, table: boolean, number: number): Store {
  if (table) {
    const { limits, type } = module.tables[number]!;
    const codes = { init: 12, copy: 14, fill: 17, piece: PIECE_ENTRIES };
    return { name: "table", number, wide: limits.wide, value: type, ...codes };
  }
  const { wide } = module.memories[number]!.limits;
  const codes = { init: 8, copy: 10, fill: 11, piece: PIECE_BYTES };
  return { name: "memory", number, wide, value: [I32], ...codes };
}

/** Instructions on addresses of 32 or 64 bits. */
interface AddressCode {
  readonly type: number;
  constant(value: number): void;
  /** `a + b`, `a - b`, `a <= b`, `a > b` unsigned. */
  readonly add: number;
  readonly sub: number;
  readonly lessOrEqual: number;
  readonly greater: number;
}

function addressCode(writer: Writer, wide: boolean): AddressCode {
  return {
    type: addressType(wide),
    constant(value) {
      writer.byte(wide ? i64Const : i32Const);
      writer.s32(value);
    },
    add: wide ? i64Add : i32Add,
    sub: wide ? i64Sub : i32Sub,
    lessOrEqual: wide ? i64LeU : i32LeU,
    greater: wide ? i64GtU : i32GtU,
  };
}

function addressType(wide: boolean): number {
  return wide ? I64 : I32;
}

/** Leaves whether `length` is short, or `address + length` lies outside of the store, so that the engine shall trap. */
function pushOutOfBounds(writer: Writer, store: Store, address: number, length: number): void {
  const extended = (local: number): void => {
    writer.op(localGet, local);
    if (!store.wide) writer.byte(i64ExtendI32U);
  };
  // address + length > size, or the sum passes 2^64
  extended(address);
  extended(length);
  writer.byte(i64Add);
  if (store.name === "memory") writer.op(memorySize, store.number);
  else {
    writer.raw([MISC, tableSize]);
    writer.u32(store.number);
  }
  if (!store.wide) writer.byte(i64ExtendI32U);
  if (store.name === "memory") writer.raw([i64Const, 16, i64Shl]);
  writer.byte(i64GtU);
  extended(address);
  extended(length);
  writer.byte(i64Add);
  extended(address);
  writer.raw([i64LtU, i32Or]);
}

/** `(address, value, length) → ()`: fills in pieces. */
export function fillInPieces(layout: Layout, store: Store): number {
  const { wide, piece } = store;
  const type = addressType(wide);
  return layout.helper(
    `fill ${store.name} ${store.number}`,
    () => layout.functionType([type, ...Array.from(store.value), type], [], [3, 0]),
    [],
    (writer) => {
      const code = addressCode(writer, wide);
      const address = 0;
      const length = 2;
      const fill = (count: () => void): void => {
        writer.op(localGet, address);
        writer.op(localGet, 1);
        count();
        writer.raw([MISC, store.fill]);
        writer.u32(store.number);
      };
      const whole = (): void => {
        fill(() => writer.op(localGet, length));
        writer.byte(RETURN);
      };
      pushOutOfBounds(writer, store, address, length);
      writer.raw([IF, EMPTY]);
      whole();
      writer.byte(END);
      loopOverPieces(layout, writer, code, piece, length, whole, () => {
        fill(() => code.constant(piece));
        step(writer, code, piece, address, code.add);
        step(writer, code, piece, length, code.sub);
      });
      writer.byte(UNREACHABLE);
    },
  );
}

/** `(to, from, length) → ()`: copies in pieces, from the end that keeps what overlaps; both stores as wide. */
export function copyInPieces(layout: Layout, target: Store, source: Store): number {
  const { wide, piece } = target;
  const type = addressType(wide);
  const key = `copy ${target.name} ${target.number} ${source.number}`;
  return layout.helper(
    key,
    () => layout.functionType([type, type, type], []),
    [],
    (writer) => {
      const code = addressCode(writer, wide);
      const to = 0;
      const from = 1;
      const length = 2;
      const copy = (push: (local: number) => void, count: () => void): void => {
        push(to);
        push(from);
        count();
        writer.raw([MISC, target.copy]);
        writer.u32(target.number);
        writer.u32(source.number);
      };
      const plain = (local: number): void => writer.op(localGet, local);
      const whole = (): void => {
        copy(plain, () => plain(length));
        writer.byte(RETURN);
      };
      const loop = (one: () => void): void => loopOverPieces(layout, writer, code, piece, length, whole, one);
      pushOutOfBounds(writer, target, to, length);
      pushOutOfBounds(writer, source, from, length);
      writer.raw([i32Or, IF, EMPTY]);
      whole();
      writer.byte(END);
      plain(to);
      plain(from);
      writer.raw([code.greater, IF, EMPTY]);
      loop(() => {
        step(writer, code, piece, length, code.sub);
        copy(
          (local) => {
            plain(local);
            plain(length);
            writer.byte(code.add);
          },
          () => code.constant(piece),
        );
      });
      writer.byte(END);
      loop(() => {
        copy(plain, () => code.constant(piece));
        step(writer, code, piece, to, code.add);
        step(writer, code, piece, from, code.add);
        step(writer, code, piece, length, code.sub);
      });
      writer.byte(UNREACHABLE);
    },
  );
}

/** Writes a loop that does `one` piece and asks the host, until at most one is left: that is done by `whole`, which returns. */
function loopOverPieces(
  layout: Layout,
  writer: Writer,
  code: AddressCode,
  piece: number,
  length: number,
  whole: () => void,
  one: () => void,
): void {
  writer.raw([LOOP, EMPTY]);
  writer.op(localGet, length);
  code.constant(piece);
  writer.raw([code.lessOrEqual, IF, EMPTY]);
  whole();
  writer.byte(END);
  one();
  writer.op(CALL, afterHost(layout));
  writer.op(BR, 0);
  writer.byte(END);
}

/** `local = local ± a piece`. */
function step(writer: Writer, code: AddressCode, piece: number, local: number, operation: number): void {
  writer.op(localGet, local);
  code.constant(piece);
  writer.byte(operation);
  writer.op(localSet, local);
}

/**
 * `(to, from, length) → ()`: memory.init and table.init in pieces, for a store of 32 bits. Whether all of it fits is asked of the engine first, by
 * an instruction that writes nothing at the end: so nothing is written where one instruction would write nothing.
 */
export function initInPieces(layout: Layout, store: Store, segment: number): number {
  const { piece } = store;
  return layout.helper(
    `init ${store.name} ${store.number} ${segment}`,
    () => layout.functionType([I32, I32, I32], []),
    [],
    (writer) => {
      const code = addressCode(writer, false);
      const to = 0;
      const from = 1;
      const length = 2;
      const init = (push: (local: number) => void, count: () => void): void => {
        push(to);
        push(from);
        count();
        writer.raw([MISC, store.init]);
        writer.u32(segment);
        writer.u32(store.number);
      };
      const plain = (local: number): void => writer.op(localGet, local);
      const whole = (): void => {
        init(plain, () => plain(length));
        writer.byte(RETURN);
      };
      const pushEnd = (of: number): void => {
        plain(of);
        plain(length);
        writer.byte(code.add);
      };
      // where a sum passes 2^32 the engine shall trap
      for (const start of [to, from]) {
        writer.op(localGet, start);
        pushEnd(start);
        writer.raw([code.greater, IF, EMPTY]);
        whole();
        writer.byte(END);
      }
      init(pushEnd, () => writer.i32(0));
      loopOverPieces(layout, writer, code, piece, length, whole, () => {
        init(plain, () => code.constant(piece));
        step(writer, code, piece, to, code.add);
        step(writer, code, piece, from, code.add);
        step(writer, code, piece, length, code.sub);
      });
      writer.byte(UNREACHABLE);
    },
  );
}
