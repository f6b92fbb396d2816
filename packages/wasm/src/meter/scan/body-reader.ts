import {
  costIn,
  deltaIn,
  describeOpcode,
  factsOf,
  Immediate,
  immediateIn,
  immediateOf,
  prefixBase,
  prefixRoom,
  relaxedSimd,
  Role,
  roleIn,
  roleOf,
  simdEnd,
} from "../read/opcodes.ts";
import type { ModuleInfo } from "../read/module.ts";
import { truncated, unsupported } from "../read/reader.ts";
import { costOfStep, heightOf, longBits, shortBytes, stepOf } from "./straight.ts";

/** The most fuel that may pass between two tests in code without loops and calls. */
const TEST_EVERY = 100_000;
/** Of the prefix bytes 0xfb to 0xfe, the one of instructions on vectors. */
const VECTOR_PREFIX = 0xfd;
const I32_CONST = 0x41;

/** Reads one function's code after another: straight code by itself, the immediates of all other instructions when asked to. */
export class BodyReader {
  readonly bytes: Uint8Array;
  at = 0;
  /** Where the instruction read last begins, and its slot in the tables of instructions. */
  start = 0;
  slot = 0;
  /** The cost of all code up to the cursor, whether executed or not. */
  total = 0;
  /** When the total passes this, a test has to stand: see {@link testFromHere}. */
  testPast = 0;
  /** Operands on the stack, and the most there were. */
  height = 0;
  maxHeight = 0;
  /** Has instructions on vectors. */
  usesVectors = false;
  /** Of the block type read last. */
  typeParams = 0;
  typeResults = 0;
  #end = 0;
  /** Where the last instruction of straight code began, or -1. */
  #before = -1;
  readonly #types: ModuleInfo["types"];
  readonly #refuseRelaxedSimd: boolean;

  constructor({ bytes, types }: ModuleInfo, refuseRelaxedSimd: boolean) {
    this.bytes = bytes;
    this.#types = types;
    this.#refuseRelaxedSimd = refuseRelaxedSimd;
  }

  /** Goes to the first instruction of a function. */
  begin(from: number, to: number): void {
    this.at = from;
    this.#end = to;
    this.total = this.height = this.maxHeight = 0;
    this.usesVectors = false;
    this.#before = -1;
    this.testFromHere();
  }

  /** A test stands at the cursor. */
  testFromHere(): void {
    this.testPast = this.total + TEST_EVERY;
  }

  /** `count` more operands are on the stack. */
  push(count: number): void {
    this.height += count;
    if (this.height > this.maxHeight) this.maxHeight = this.height;
  }

  /**
   * Reads on to the opcode of the next instruction that is not copied as it stands, whose immediates it leaves, and answers its {@link Role};
   * or to where a test has to stand, which `plain` says.
   */
  straight(): number {
    const { bytes, testPast } = this;
    const end = this.#end;
    let { at, total, height, maxHeight } = this;
    let before = this.#before;
    for (;;) {
      const start = at;
      let slot = bytes[at++]!;
      const step = stepOf[slot]!;
      let role: number = Role.plain;
      if (step >= 0) {
        if (longBits(step, bytes[at]!, bytes[at + 1]!) === 0) at += shortBytes(step);
        else at = this.#longImmediate(at, slot);
        total += costOfStep(step);
        height += heightOf(step);
        if (height > maxHeight) maxHeight = height;
        before = start;
        if (total <= testPast) continue;
      } else {
        // code that ran past its end comes here as well: each function ends with an instruction that is no step
        if (start >= end) throw truncated(start);
        if (slot >= 0xfb && slot <= 0xfe) {
          this.at = at;
          slot = this.#prefixed(slot, start);
          at = this.at;
        }
        const facts = factsOf[slot]!;
        role = roleIn(facts);
        total += costIn(facts);
        if (role === Role.plain) {
          this.at = at;
          this.skipImmediate(immediateIn(facts));
          at = this.at;
          height += deltaIn(facts);
          if (height > maxHeight) maxHeight = height;
          if (total <= testPast) continue;
        }
      }
      this.at = at;
      this.start = start;
      this.slot = slot;
      this.total = total;
      this.height = height;
      this.maxHeight = maxHeight;
      this.#before = before;
      return role;
    }
  }

  /** The slot of an instruction that begins with a prefix byte, which was read. */
  #prefixed(prefix: number, start: number): number {
    const code = this.u32();
    if (code >= prefixRoom[prefix - 0xfb]!)
      throw unsupported(`opcode 0x${prefix.toString(16)} 0x${code.toString(16)}`, start);
    const slot = prefixBase[prefix - 0xfb]! + code;
    if (prefix === VECTOR_PREFIX) this.usesVectors = true;
    if (this.#refuseRelaxedSimd && slot >= relaxedSimd && slot < simdEnd)
      throw unsupported(`${describeOpcode(slot)} (relaxed SIMD differs between machines)`, start);
    return slot;
  }

  /** Where immediates at `at` end, not all of which take one byte for each number. */
  #longImmediate(at: number, slot: number): number {
    const { bytes } = this;
    const immediate = immediateOf[slot]!;
    let end = at;
    if (immediate === Immediate.leb) {
      while (bytes[end++]! >= 0x80);
    } else if (immediate === Immediate.memory && bytes[at]! < 0x40) {
      end++;
      while (bytes[end++]! >= 0x80);
    } else {
      this.at = at;
      this.skipImmediate(immediate);
      end = this.at;
    }
    return end;
  }

  /** The number that an `i32.const` right before the present instruction leaves on the stack, or -1 where there is none or it is negative. */
  literal(): number {
    const { bytes, start } = this;
    let at = this.#before;
    if (at < 0 || bytes[at++] !== I32_CONST) return -1;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      if (at !== start) return -1;
      return shift < 28 && byte & 0x40 ? -1 : Math.max(-1, value);
    }
    throw truncated(at);
  }

  blockType(): void {
    const at = this.at;
    const first = this.bytes[at]!;
    this.typeParams = this.typeResults = 0;
    if (first === 0x40) {
      this.at++;
      return;
    }
    if (first > 0x40 && first < 0x80) {
      this.typeResults = 1;
      this.#valueType();
      return;
    }
    const type = this.#types[this.u32()]!;
    this.typeParams = type.params;
    this.typeResults = type.results;
  }

  #valueType(): void {
    const at = this.at;
    const byte = this.byte();
    if (byte === 0x63 || byte === 0x64) this.heapType();
    else if (!(byte >= 0x7b && byte <= 0x7f) && !(byte >= 0x69 && byte <= 0x74)) {
      throw unsupported(`value type 0x${byte.toString(16)}`, at);
    }
  }

  heapType(): void {
    const byte = this.bytes[this.at]!;
    if (byte >= 0x40 && byte < 0x80 && !(byte >= 0x69 && byte <= 0x74)) {
      throw unsupported(`heap type 0x${byte.toString(16)}`, this.at);
    }
    this.skipLeb();
  }

  /** The position of the instruction that ends the block whose rest cannot be reached. */
  skipDead(): number {
    let nested = 0;
    for (;;) {
      const start = this.at;
      if (start >= this.#end) throw truncated(start);
      let slot = this.bytes[this.at++]!;
      if (slot >= 0xfb && slot <= 0xfe) {
        const code = this.u32();
        if (code >= prefixRoom[slot - 0xfb]!)
          throw unsupported(`opcode 0x${slot.toString(16)} 0x${code.toString(16)}`, start);
        slot = prefixBase[slot - 0xfb]! + code;
      }
      switch (roleOf[slot]) {
        case Role.unknown:
          throw unsupported(describeOpcode(slot), start);
        case Role.block:
        case Role.loop:
        case Role.if:
        case Role.try:
        case Role.tryTable:
          nested++;
          break;
        case Role.else:
        case Role.catch:
        case Role.catchAll:
          if (nested === 0) return start;
          break;
        case Role.end:
        case Role.delegate:
          if (nested-- === 0) return start;
          break;
      }
      this.skipImmediate(immediateOf[slot]!);
    }
  }

  skipImmediate(kind: number): void {
    switch (kind) {
      case Immediate.none:
        return;
      case Immediate.leb2:
        this.skipLeb();
        this.skipLeb();
        return;
      case Immediate.leb:
        this.skipLeb();
        return;
      case Immediate.memory:
        this.skipMemory();
        return;
      case Immediate.bytes4:
        this.at += 4;
        return;
      case Immediate.bytes8:
        this.at += 8;
        return;
      case Immediate.bytes16:
        this.at += 16;
        return;
      case Immediate.byte:
        this.at++;
        return;
      case Immediate.memoryLane:
        this.skipMemory();
        this.at++;
        return;
      case Immediate.blockType:
        this.blockType();
        return;
      case Immediate.branchTable:
        for (let labels = this.u32() + 1; labels > 0; labels--) this.skipLeb();
        return;
      case Immediate.tryTable:
        this.blockType();
        for (let clauses = this.u32(); clauses > 0; clauses--) {
          if (this.byte() < 2) this.skipLeb();
          this.skipLeb();
        }
        return;
      case Immediate.types:
        for (let count = this.u32(); count > 0; count--) this.#valueType();
        return;
      case Immediate.heapType:
        this.heapType();
        return;
      case Immediate.castBranch:
        this.at++;
        this.skipLeb();
        this.heapType();
        this.heapType();
        return;
    }
  }

  /** A memory immediate: alignment, in which bit 6 says that a memory's index follows, and offset. */
  skipMemory(): void {
    const align = this.u32();
    if (align & 0x40) this.skipLeb();
    this.skipLeb();
  }

  byte(): number {
    if (this.at >= this.#end) throw truncated(this.at);
    return this.bytes[this.at++]!;
  }

  skipLeb(): void {
    const bytes = this.bytes;
    let at = this.at;
    while (bytes[at++]! >= 0x80);
    this.at = at;
  }

  u32(): number {
    const bytes = this.bytes;
    let byte = bytes[this.at++]!;
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let shift = 7; shift < 35; shift += 7) {
      byte = bytes[this.at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw truncated(this.at);
  }
}
