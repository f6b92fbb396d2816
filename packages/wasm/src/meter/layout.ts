import { I32, I64 } from "./bytecode.ts";
import { DepthBy, isParameter } from "./scan/depth.ts";
import type { ModuleInfo } from "./read/module.ts";
import type { MeterOptions } from "./options.ts";
import { tooManyOwnFunctions } from "./read/reader.ts";
import { Writer } from "./write/writer.ts";

/** Why the guest asks the host: the first argument of the refill function. The second is the fuel counter. */
export const RefillKind = {
  /** The slice is used up. */
  slice: 0,
  /**
   * A call into the host returned, or failed and was caught: time may have passed. The guest goes on with the answer
   * even when it is below zero, and asks again at its next test: so fuel runs out at the same tests whether or not
   * the host was asked in between.
   */
  host: 1,
  /** Calls nest too deep; the answer is not looked at. */
  stack: 2,
  /** A memory grew: that may have taken time. */
  grown: 3,
  /** `memory.grow` was refused; the guest goes on with -1. */
  memoryRefused: 4,
  /** `table.grow` was refused; the guest goes on with -1. */
  tableRefused: 5,
  /** An allocation does not fit; the argument is what it needs, the answer how much more room there is (16 bytes each). */
  allocation: 6,
  /** A wait on shared memory goes on; some time has passed. */
  wait: 7,
  /**
   * An exception was caught, and the host may have run since the last test. With a parked counter it has: that is as {@link host}. Else it is not known, and
   * where the counter stands decides who asks: so the guest is not stopped here but at its next test, where it is stopped again when it is run again.
   */
  caught: 8,
} as const;

/** What the counter is lowered by while an import runs: whoever tests it meanwhile asks the host. */
export const PARKED: number = 2 ** 30;
/** Counters below this are parked. Charges between two tests stay far above it. */
export const PARKED_BELOW: number = -(2 ** 29 + 2 ** 28);
/** Stack bytes that a call of an import is reckoned to take until it returns. */
export const HOST_FRAME_BYTES = 1024;
/** What the host answers to stop the guest, whatever it was asked. */
export const STOP: number = -(2 ** 31);
/** The largest slice the host may hand out. */
export const MAX_SLICE: number = 2 ** 27;

/**
 * What a call costs beyond the instruction: it pays for the first of the called function, which itself pays for what
 * goes beyond. So functions that end early pay nothing, and touch no counter. The host's calls are not charged it.
 */
export const PREPAID: number = 24;

/**
 * Bodies of more bytes are paid for when an instance first calls them, a unit for each sixteen: engines compile a function then, some 150 bytes of it
 * in a microsecond. What smaller ones take is in the price of a call.
 */
const COLD_BYTES = 1024;
const COLD_BYTES_A_UNIT = 16;

/**
 * Functions that the meter appends. Bulk instructions need one for each pair of tables, memories and segments that they name: a small module can name
 * a million pairs, an honest one at most as many as engines accept segments.
 */
const MAX_OWN_FUNCTIONS = 100_000;

/** Numbers of what the meter appends, and the appended types and functions themselves. */
export class Layout {
  readonly module: ModuleInfo;
  readonly fuel: number;
  /** The counter's value when a call of unknown target was made. */
  readonly mark: number;
  readonly depth: number;
  readonly room: number;
  readonly tableRoom: number;
  /** Globals appended, with their first values. */
  readonly globals: number[];
  /** Globals that hold what the first call of a large function costs, and 0 after it; behind each stands a copy of it. */
  readonly cold: number[] = [];
  readonly refillTable: number;
  readonly refillType: number;
  readonly types: Uint8Array[] = [];
  /** The types of the appended functions. */
  readonly functions: number[] = [];
  /** Their bodies, each behind its size. */
  readonly bodies: Writer = new Writer(1024);
  /** Writers to use again; a helper may ask for another one while it is written. */
  readonly #spare: Writer[] = [];
  /** Of each function how it comes to know the depth: see {@link DepthBy}. */
  readonly depthBy: Uint8Array;
  /** What functions without a test cost: see {@link UntestedFunctions.costs}. */
  readonly untested: Int32Array;
  readonly #typeNumbers = new Map<string, number>();
  /** The types with the depth behind, by those without: twice their number, and one more where it has 64 bits. */
  readonly #withDepth: (number | undefined)[] = [];
  readonly #functionNumbers = new Map<string, number>();
  readonly #numbers = new Map<(layout: Layout) => number, number>();

  constructor(
    module: ModuleInfo,
    options: MeterOptions,
    room: number,
    tableRoom: number,
    depthBy: Uint8Array,
    untested: Int32Array,
  ) {
    this.module = module;
    this.depthBy = depthBy;
    this.untested = untested;
    const globals = [0, -(2 ** 31)];
    const add = (wanted: unknown, value: number): number =>
      wanted === undefined ? -1 : module.globals + globals.push(value) - 1;
    this.fuel = module.globals;
    this.mark = module.globals + 1;
    this.depth = add(options.stackBytes, options.stackBytes ?? 0);
    this.room = add(options.memoryBytes, room);
    this.tableRoom = add(options.tableElements, tableRoom);
    this.globals = globals;
    this.refillTable = module.tables.length;
    this.refillType = this.functionType([0x7f, 0x7f], [0x7f]);
    // the types are written before the functions that have them
    for (let index = module.importedFunctions; index < depthBy.length; index++) this.typeOf(index);
  }

  /** A global for what the first call of a function costs whose body has so many bytes, or -1 where that is nothing. */
  coldGlobal(bytes: number): number {
    if (bytes <= COLD_BYTES) return -1;
    const cost = Math.ceil(bytes / COLD_BYTES_A_UNIT);
    const global = this.module.globals + this.globals.push(cost, cost) - 2;
    this.cold.push(global);
    return global;
  }

  /** The number of a function type; `params` and `results` are value types, encoded, of `counts` many. */
  functionType(
    params: ArrayLike<number>,
    results: ArrayLike<number>,
    counts: readonly number[] = [params.length, results.length],
  ): number {
    const key = `${Array.from(params).join(" ")}:${Array.from(results).join(" ")}`;
    let index = this.#typeNumbers.get(key);
    if (index === undefined) {
      const writer = new Writer(16);
      writer.byte(0x60);
      writer.u32(counts[0]!);
      writer.raw(params);
      writer.u32(counts[1]!);
      writer.raw(results);
      index = this.module.types.length + this.types.push(writer.finish()) - 1;
      this.#typeNumbers.set(key, index);
    }
    return index;
  }

  /** The number of the type of the guest's function `index`: what it was, or that with the depth behind its parameters. */
  typeOf(index: number): number {
    const number = this.module.functions[index]!;
    const depthBy = this.depthBy[index]!;
    if (!isParameter(depthBy)) return number;
    const wide = depthBy === DepthBy.wideParameter;
    const key = 2 * number + (wide ? 1 : 0);
    let type = this.#withDepth[key];
    if (type === undefined) {
      const { params, paramBytes, results, resultBytes } = this.module.types[number]!;
      type = this.functionType([...paramBytes, wide ? I64 : I32], resultBytes, [params + 1, results]);
      this.#withDepth[key] = type;
    }
    return type;
  }

  /** What `helper` answers, which makes a function when first asked; asked again, it takes longer than this. */
  numberOf(helper: (layout: Layout) => number): number {
    let number = this.#numbers.get(helper);
    if (number === undefined) {
      number = helper(this);
      this.#numbers.set(helper, number);
    }
    return number;
  }

  /** The number of the helper function `key`; it is made when first asked for. `locals` are their types. */
  helper(key: string, type: () => number, locals: readonly number[], code: (writer: Writer) => void): number {
    const known = this.#functionNumbers.get(key);
    if (known !== undefined) return known;
    if (this.functions.length === MAX_OWN_FUNCTIONS) throw tooManyOwnFunctions(MAX_OWN_FUNCTIONS);
    const typeNumber = type();
    const writer = this.#spare.pop() ?? new Writer(512);
    writer.at = 0;
    writer.u32(locals.length);
    for (const local of locals) {
      writer.u32(1);
      writer.byte(local);
    }
    code(writer);
    writer.byte(0x0b);
    this.bodies.u32(writer.at);
    this.bodies.copy(writer.bytes, 0, writer.at);
    this.#spare.push(writer);
    const index = this.module.functions.length + this.functions.push(typeNumber) - 1;
    this.#functionNumbers.set(key, index);
    return index;
  }
}
