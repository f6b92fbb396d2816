// One small module for each plain instruction: what it takes and gives is told from its name, and operands come from
// a list of values that are known to be troublesome.
import {
  deltaOf,
  describeOpcode,
  Immediate,
  immediateOf,
  nameOf,
  prefixBase,
  Role,
  roleOf,
} from "../../src/meter/read/opcodes.ts";
import { Writer } from "../../src/meter/write/writer.ts";

export type Scalar = "i32" | "i64" | "f32" | "f64";
type Type = Scalar | "v128";

interface Signature {
  readonly operands: readonly Type[];
  readonly result: Type | undefined;
}

const code: Readonly<Record<Type, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };
const laneType: Readonly<Record<string, Scalar>> = {
  i8x16: "i32",
  i16x8: "i32",
  i32x4: "i32",
  i64x2: "i64",
  f32x4: "f32",
  f64x2: "f64",
};

/** What an instruction takes and gives; undefined for those that need more than operands. */
export function signatureOf(slot: number): Signature | undefined {
  const name = nameOf[slot]!;
  const [prefix = "", rest = ""] = name.split(/\.(.*)/);
  const gives = (result: Type | undefined, ...operands: Type[]): Signature => ({ operands, result });
  const lane = laneType[prefix];
  if (lane) {
    if (rest === "splat") return gives("v128", lane);
    if (rest.startsWith("extract_lane")) return gives(lane, "v128");
    if (rest === "replace_lane") return gives("v128", "v128", lane);
    if (/^(shl|shr_[su])$/.test(rest)) return gives("v128", "v128", "i32");
    if (/^(all_true|bitmask)$/.test(rest)) return gives("i32", "v128");
    const operands = 1 - deltaOf[slot]!;
    return gives("v128", ...Array.from({ length: operands }, (): Type => "v128"));
  }
  if (prefix === "v128") {
    if (rest === "const") return gives("v128");
    if (/^load\d+_lane$/.test(rest)) return gives("v128", "i32", "v128");
    if (/^store/.test(rest)) return gives(undefined, "i32", "v128");
    if (/^load/.test(rest)) return gives("v128", "i32");
    if (rest === "any_true") return gives("i32", "v128");
    return gives("v128", ...Array.from({ length: 1 - deltaOf[slot]! }, (): Type => "v128"));
  }
  if (name === "memory.atomic.notify") return gives("i32", "i32", "i32");
  if (name === "atomic.fence" || name === "nop") return gives(undefined);
  if (name === "drop") return gives(undefined, "i32");
  if (name === "select" || name === "select_t") return gives("i32", "i32", "i32", "i32");
  const type = prefix as Scalar;
  if (!(type in code)) return undefined;
  if (rest === "const") return gives(type);
  if (/^(atomic\.)?load/.test(rest)) return gives(type, "i32");
  if (/^(atomic\.)?store/.test(rest)) return gives(undefined, "i32", type);
  if (rest.includes("cmpxchg")) return gives(type, "i32", type, type);
  if (rest.startsWith("atomic.rmw")) return gives(type, "i32", type);
  if (rest === "eqz") return gives("i32", type);
  if (/^(eq|ne|lt|gt|le|ge)(_[su])?$/.test(rest)) return gives("i32", type, type);
  const from = /_([if](?:32|64))(?:_[su])?$/.exec(rest);
  if (from) return gives(type, from[1] as Scalar);
  return deltaOf[slot] === 0 ? gives(type, type) : gives(type, type, type);
}

/** The slots of all instructions that {@link opcodeModule} can make a module for. */
export function plainSlots(): number[] {
  return nameOf.flatMap((name, slot) => {
    const plain = roleOf[slot] === Role.plain || roleOf[slot] === Role.constant;
    const index = /^(local|global|table|struct|array|ref|any|extern|i31|data|elem|memory\.size)/.test(name);
    return name && plain && !index ? [slot] : [];
  });
}

/** An exported function "f" that executes one instruction on its parameters; v128 come as two halves' one i64. */
export function opcodeModule(slot: number): Uint8Array<ArrayBuffer> {
  const signature = signatureOf(slot);
  if (!signature) throw new Error(`no signature for ${describeOpcode(slot)}`);
  const { operands, result } = signature;
  const writer = new Writer(256);
  writer.raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const section = (id: number, fill: () => void): void => {
    writer.byte(id);
    writer.sized(fill);
  };
  const params = operands.map((type) => (type === "v128" ? code.i64 : code[type]));
  const results = result === undefined || result === "v128" ? [] : [code[result]];
  section(1, () => writer.raw([1, 0x60, params.length, ...params, results.length, ...results]));
  section(3, () => writer.raw([1, 0]));
  section(5, () => writer.raw([1, 3, 1, 1])); // shared, one page
  section(7, () => writer.raw([2, 1, 0x66, 0, 0, 1, 0x6d, 2, 0]));
  section(10, () => {
    writer.byte(1);
    writer.sized(() => {
      writer.byte(0);
      if (result === "v128") writer.raw([0x41, 0x20]);
      for (const [index, type] of operands.entries()) {
        writer.raw([0x20, index]);
        if (type === "v128") {
          // lanes that differ: the half, and its complement
          writer.raw([0xfd, 18, 0x20, index, 0x42, 0x7f, 0x85, 0xfd, 30, 1]);
        }
      }
      instruction(writer, slot);
      if (result === "v128") writer.raw([0xfd, 11, 0, 0]);
      writer.byte(0x0b);
    });
  });
  return writer.finish();
}

function instruction(writer: Writer, slot: number): void {
  const prefix = prefixBase.findLastIndex((base) => slot >= base);
  if (prefix < 0) writer.byte(slot);
  else {
    writer.byte(0xfb + prefix);
    writer.u32(slot - prefixBase[prefix]!);
  }
  const name = nameOf[slot]!;
  const bytes = (length: number): void =>
    writer.raw(Array.from({ length }, (_, index) => (index * 37 + 11) % 32));
  switch (immediateOf[slot]) {
    case Immediate.leb:
      writer.raw([0xd9, 0xb1, 0x7d]);
      return;
    case Immediate.memory:
      writer.raw([name.includes("atomic") ? naturalAlignment(name) : 0, 8]);
      return;
    case Immediate.memoryLane:
      writer.raw([0, 8, 1]);
      return;
    case Immediate.byte:
      writer.byte(name === "atomic.fence" ? 0 : 1);
      return;
    case Immediate.bytes4:
      bytes(4);
      return;
    case Immediate.bytes8:
      bytes(8);
      return;
    case Immediate.bytes16:
      bytes(16);
      return;
    case Immediate.types:
      writer.raw([1, 0x7f]);
      return;
  }
}

function naturalAlignment(name: string): number {
  if (name === "memory.atomic.notify") return 2;
  const narrow = /(?:load|store|rmw)(8|16|32)/.exec(name);
  return narrow
    ? { "8": 0, "16": 1, "32": 2 }[narrow[1] as "8" | "16" | "32"]
    : name.startsWith("i64")
      ? 3
      : 2;
}

const values: Readonly<Record<Scalar, readonly (number | bigint)[]>> = {
  i32: [0, 1, -1, 8, 24, 0x7fff_ffff, -0x8000_0000, 65_533],
  i64: [0n, 1n, -1n, 0x7fff_ffff_ffff_ffffn, -0x8000_0000_0000_0000n, 0x0102_0304_8586_8788n],
  f32: [0, -0, 1.5, -2.5, 3e9, -1e20, Number.NaN, Number.POSITIVE_INFINITY],
  f64: [0, -0, 1.5, -2.5, 3e9, -1e300, Number.NaN, Number.NEGATIVE_INFINITY],
};

/** Arguments to call {@link opcodeModule}'s function with: each value in each place. */
export function argumentsFor(slot: number): (number | bigint)[][] {
  const { operands } = signatureOf(slot)!;
  const types = operands.map((type): Scalar => (type === "v128" ? "i64" : type));
  const rows: (number | bigint)[][] = [];
  for (let round = 0; round < 12; round++) {
    rows.push(types.map((type, place) => values[type][(round * (place + 1) + place) % values[type].length]!));
  }
  return rows;
}
