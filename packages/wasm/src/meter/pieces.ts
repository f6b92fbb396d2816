import { EMPTY, END, localGet, localSet } from "./bytecode.ts";
import { afterHost } from "./helpers.ts";
import type { Layout } from "./layout.ts";
import type { Writer } from "./writer.ts";

// memory.fill and memory.copy of many bytes, done in pieces between which the host looks at the clock: one such
// instruction would run to its end whatever time is left.

/** Bytes of one piece; what is shorter is done at once. */
export const PIECE_BYTES: number = 2 ** 18;

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
    type: wide ? 0x7e : 0x7f,
    constant(value) {
      writer.byte(wide ? 0x42 : 0x41);
      writer.s32(value);
    },
    add: wide ? 0x7c : 0x6a,
    sub: wide ? 0x7d : 0x6b,
    lessOrEqual: wide ? 0x58 : 0x4d,
    greater: wide ? 0x56 : 0x4b,
  };
}

/** Leaves whether `length` is short, or `address + length` lies outside of `memory`, so that the engine shall trap. */
function pushOutOfBounds(
  writer: Writer,
  memory: number,
  wide: boolean,
  address: number,
  length: number,
): void {
  const extended = (local: number): void => {
    writer.op(localGet, local);
    if (!wide) writer.byte(0xad);
  };
  // address + length > size, or the sum passes 2^64
  extended(address);
  extended(length);
  writer.byte(0x7c);
  writer.op(0x3f, memory);
  if (!wide) writer.byte(0xad);
  writer.raw([0x42, 16, 0x86, 0x56]);
  extended(address);
  extended(length);
  writer.byte(0x7c);
  extended(address);
  writer.raw([0x54, 0x72]);
}

/** `(address, value, length) → ()`: memory.fill in pieces. */
export function fillInPieces(layout: Layout, memory: number): number {
  const wide = layout.module.memories[memory]!.limits.wide;
  const type = wide ? 0x7e : 0x7f;
  return layout.helper(
    `fill ${memory}`,
    () => layout.functionType([type, 0x7f, type], []),
    [],
    (writer) => {
      const code = addressCode(writer, wide);
      const address = 0;
      const length = 2;
      const fill = (count: () => void): void => {
        writer.op(localGet, address);
        writer.op(localGet, 1);
        count();
        writer.raw([0xfc, 11]);
        writer.u32(memory);
      };
      const whole = (): void => {
        fill(() => writer.op(localGet, length));
        writer.byte(0x0f);
      };
      pushOutOfBounds(writer, memory, wide, address, length);
      writer.raw([0x04, EMPTY]);
      whole();
      writer.byte(END);
      writer.raw([0x03, EMPTY]);
      writer.op(localGet, length);
      code.constant(PIECE_BYTES);
      writer.raw([code.lessOrEqual, 0x04, EMPTY]);
      whole();
      writer.byte(END);
      fill(() => code.constant(PIECE_BYTES));
      step(writer, code, address, code.add);
      step(writer, code, length, code.sub);
      writer.op(0x10, afterHost(layout));
      writer.op(0x0c, 0);
      writer.byte(END);
      writer.byte(0x00);
    },
  );
}

/** `(to, from, length) → ()`: memory.copy in pieces, from the end that keeps what overlaps; both memories as wide. */
export function copyInPieces(layout: Layout, target: number, source: number): number {
  const wide = layout.module.memories[target]!.limits.wide;
  const type = wide ? 0x7e : 0x7f;
  const key = `copy ${target} ${source}`;
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
        writer.raw([0xfc, 10]);
        writer.u32(target);
        writer.u32(source);
      };
      const plain = (local: number): void => writer.op(localGet, local);
      const whole = (): void => {
        copy(plain, () => plain(length));
        writer.byte(0x0f);
      };
      const loop = (piece: () => void): void => {
        writer.raw([0x03, EMPTY]);
        writer.op(localGet, length);
        code.constant(PIECE_BYTES);
        writer.raw([code.lessOrEqual, 0x04, EMPTY]);
        whole();
        writer.byte(END);
        piece();
        writer.op(0x10, afterHost(layout));
        writer.op(0x0c, 0);
        writer.byte(END);
      };
      pushOutOfBounds(writer, target, wide, to, length);
      pushOutOfBounds(writer, source, wide, from, length);
      writer.raw([0x72, 0x04, EMPTY]);
      whole();
      writer.byte(END);
      plain(to);
      plain(from);
      writer.raw([code.greater, 0x04, EMPTY]);
      loop(() => {
        step(writer, code, length, code.sub);
        copy(
          (local) => {
            plain(local);
            plain(length);
            writer.byte(code.add);
          },
          () => code.constant(PIECE_BYTES),
        );
      });
      writer.byte(END);
      loop(() => {
        copy(plain, () => code.constant(PIECE_BYTES));
        step(writer, code, to, code.add);
        step(writer, code, from, code.add);
        step(writer, code, length, code.sub);
      });
      writer.byte(0x00);
    },
  );
}

/** `local = local ± a piece`. */
function step(writer: Writer, code: AddressCode, local: number, operation: number): void {
  writer.op(localGet, local);
  code.constant(PIECE_BYTES);
  writer.byte(operation);
  writer.op(localSet, local);
}
