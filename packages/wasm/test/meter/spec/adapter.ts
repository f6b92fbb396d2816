import { Writer } from "../../../src/meter/write/writer.ts";

/** A value as wast2json writes it: integers and bits in decimal, v128 as lanes. */
export interface SpecValue {
  readonly type: string;
  readonly value?: string | readonly string[];
  readonly lane_type?: string;
}

const codes: Readonly<Record<string, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
  funcref: 0x70,
  externref: 0x6f,
  anyref: 0x6e,
  eqref: 0x6d,
  i31ref: 0x6c,
  structref: 0x6b,
  arrayref: 0x6a,
  exnref: 0x69,
};

/** Types that can cross into JavaScript one way or another. */
export function canCross(type: string): boolean {
  return type in codes && type !== "exnref";
}

/** How a type crosses: floats as the integer of their bits, v128 as two i64, the rest as it is. */
function crossing(type: string): number[] {
  if (type === "f32") return [0x7f];
  if (type === "f64") return [0x7e];
  if (type === "v128") return [0x7e, 0x7e];
  return [codes[type]!];
}

/**
 * A function that calls `target` with exact bits: JavaScript has no v128, and may change the bits of a NaN. It is
 * generated as a module that imports the target; results come back as an array.
 */
export function bitAdapter(
  target: WebAssembly.ExportValue,
  params: readonly string[],
  results: readonly string[],
): (...args: unknown[]) => unknown[] {
  const writer = new Writer(256);
  writer.raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const section = (id: number, fill: () => void): void => {
    writer.byte(id);
    writer.sized(fill);
  };
  const type = (from: readonly number[], to: readonly number[]): void => {
    writer.byte(0x60);
    writer.u32(from.length);
    writer.raw(from);
    writer.u32(to.length);
    writer.raw(to);
  };
  section(1, () => {
    writer.byte(2);
    type(
      params.map((name) => codes[name]!),
      results.map((name) => codes[name]!),
    );
    type(params.flatMap(crossing), results.flatMap(crossing));
  });
  section(2, () => writer.raw([1, 1, 0x74, 1, 0x66, 0, 0]));
  section(3, () => writer.raw([1, 1]));
  section(7, () => writer.raw([1, 1, 0x66, 0, 1]));
  section(10, () => {
    writer.byte(1);
    writer.sized(() => {
      writer.u32(results.length);
      for (const name of results) writer.raw([1, codes[name]!]);
      let local = 0;
      for (const name of params) {
        writer.op(0x20, local++);
        if (name === "f32") writer.byte(0xbe);
        if (name === "f64") writer.byte(0xbf);
        if (name === "v128") {
          writer.raw([0xfd, 18]);
          writer.op(0x20, local++);
          writer.raw([0xfd, 30, 1]);
        }
      }
      writer.op(0x10, 0);
      for (let index = results.length - 1; index >= 0; index--) writer.op(0x21, local + index);
      for (const name of results) {
        writer.op(0x20, local);
        if (name === "f32") writer.byte(0xbc);
        if (name === "f64") writer.byte(0xbd);
        if (name === "v128") {
          writer.raw([0xfd, 29, 0]);
          writer.op(0x20, local);
          writer.raw([0xfd, 29, 1]);
        }
        local++;
      }
      writer.byte(0x0b);
    });
  });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(writer.finish()), { t: { f: target } });
  const call = instance.exports["f"] as unknown as (...args: unknown[]) => unknown;
  return (...args) => {
    const answer = call(...args);
    return Array.isArray(answer) ? (answer as unknown[]) : answer === undefined ? [] : [answer];
  };
}

/** An argument in the form it crosses in. */
export function crossingArguments({ type, value, lane_type: laneType }: SpecValue): unknown[] {
  if (type === "v128") return v128Halves(value as readonly string[], laneType ?? "i32");
  if (value === "null" || value === undefined) return [null];
  switch (type) {
    case "i32":
    case "f32":
      return [Number(BigInt.asIntN(32, BigInt(value as string)))];
    case "i64":
    case "f64":
      return [BigInt.asIntN(64, BigInt(value as string))];
    default:
      return [Number(value)];
  }
}

function v128Halves(lanes: readonly string[], laneType: string): bigint[] {
  const bits = Number(/\d+/.exec(laneType)?.[0] ?? 32);
  let whole = 0n;
  for (const [index, lane] of lanes.entries()) {
    whole |= BigInt.asUintN(bits, BigInt(lane)) << BigInt(index * bits);
  }
  return [BigInt.asIntN(64, whole), BigInt.asIntN(64, whole >> 64n)];
}
