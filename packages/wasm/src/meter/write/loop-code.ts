import {
  BLOCK,
  BR,
  BR_IF,
  CALL,
  EMPTY,
  END,
  i32Add,
  i32LtS,
  i32Sub,
  IF,
  localGet,
  localSet,
  localTee,
  LOOP,
} from "../bytecode.ts";
import type { FunctionCode } from "./function-code.ts";
import * as helpers from "./helpers.ts";
import { Reader } from "../read/reader.ts";
import { addToLocal, HOT_LEVELS, planUnrolling, type Unrolling, writeUnrolled } from "./unroll.ts";

/** Loops and the branches out of them. A hot loop holds no call: it is left for a refill, and entered again. */
export class LoopCode {
  readonly #code: FunctionCode;
  // of the copy being written of an unrolled loop's body
  /** Levels of blocks around it beyond those of a hot loop. */
  #deeper = 0;
  /** What whoever leaves the loop here has paid for the copies that follow. */
  #giveBack = 0;

  constructor(code: FunctionCode) {
    this.#code = code;
  }

  /** Whoever leaves the loop here has to be given back something first. */
  get givesBack(): boolean {
    return this.#giveBack > 0;
  }

  /** How loop `loop` is unrolled, if it is. */
  unrolling(loop: number): Unrolling | undefined {
    const { plan, scan, exact } = this.#code;
    return plan.isHot(loop) ? planUnrolling(scan, loop, exact) : undefined;
  }

  #iterationCost(loop: number): number {
    return Math.max(1, this.#code.costOf(this.#code.scan.loops.segment[loop]!));
  }

  /**
   * A loop's header. Around a hot one:
   * `block loop block LOOP test BODY end br 2 end refill br 0 end end`
   */
  header(loop: number, at: number, headerEnd: number, land: () => void): void {
    const { out, module, map, scan, plan, counter } = this.#code;
    const source = module.bytes;
    const cost = this.#iterationCost(loop);
    map?.add(out.at, at);
    if (!plan.isHot(loop)) {
      out.copy(source, at, headerEnd);
      if (scan.loops.landing[loop] === 1) land();
      this.#code.charge(cost, true);
      return;
    }
    out.byte(BLOCK);
    out.copy(source, at + 1, headerEnd);
    out.byte(LOOP);
    out.copy(source, at + 1, headerEnd);
    out.byte(BLOCK);
    out.byte(EMPTY);
    out.copy(source, at, headerEnd);
    out.op(localGet, counter);
    out.i32(cost);
    out.byte(i32Sub);
    out.op(localTee, counter);
    out.i32(0);
    out.byte(i32LtS);
    this.#code.rarely(BR_IF);
    out.u32(1);
  }

  /** The end of a hot loop. */
  hotEnd(loop: number): void {
    const { out, counter, layout } = this.#code;
    out.byte(END);
    out.op(BR, 2);
    out.byte(END);
    out.op(localGet, counter);
    out.op(CALL, layout.numberOf(helpers.slowLocal));
    out.i32(this.#iterationCost(loop));
    out.byte(i32Add);
    out.op(localSet, counter);
    out.op(BR, 0);
    out.byte(END);
    out.byte(END);
  }

  /** A small hot loop, from its header to its end; returns where that is. `body` writes its body once. */
  unrolled(unrolling: Unrolling, at: number, headerEnd: number, body: () => void): number {
    const { out, map, counter, module, layout } = this.#code;
    map?.add(out.at, at);
    writeUnrolled(unrolling, {
      out,
      counter,
      blockType: module.bytes.subarray(at + 1, headerEnd),
      refill: layout.numberOf(helpers.slowLocal),
      rarely: () => this.#code.rarely(BR_IF),
      body: (deeper, giveBack) => {
        this.#deeper = deeper;
        this.#giveBack = giveBack;
        body();
        this.#deeper = this.#giveBack = 0;
      },
    });
    return unrolling.end + 1;
  }

  /** Leaves the function for the block around its body, `depth` labels out. */
  return(depth: number, loop: number): void {
    this.#addBack();
    this.#code.out.op(BR, depth + HOT_LEVELS * this.#code.plan.hotAround(loop) + this.#deeper);
  }

  #addBack(): void {
    if (this.#giveBack > 0) addToLocal(this.#code.out, this.#code.counter, this.#giveBack);
  }

  /** A `br` or `br_if` out of an unrolled loop, whose label stands at `at`; returns where it ended. */
  giveBackAndBranch(at: number, loop: number, targetLoop: number): number {
    const { out, map, module } = this.#code;
    const conditional = module.bytes[at - 1] === BR_IF;
    map?.add(out.at, at - 1);
    if (conditional) {
      out.byte(IF);
      out.byte(EMPTY);
      this.#deeper++;
    }
    this.#addBack();
    out.byte(BR);
    const end = this.label(at, loop, targetLoop);
    if (conditional) {
      out.byte(END);
      this.#deeper--;
    }
    return end;
  }

  /** Rewrites the label at `at`, past the levels of the hot loops it leaves; returns where it ended. */
  label(at: number, loop: number, targetLoop: number): number {
    const { out, module, plan } = this.#code;
    const levels = HOT_LEVELS * (plan.hotAround(loop) - plan.hotAround(targetLoop)) + this.#deeper;
    const first = module.bytes[at]!;
    if (first < 0x80) {
      out.u32(first + levels);
      return at + 1;
    }
    const reader = new Reader(module.bytes, at);
    out.u32(reader.u32() + levels);
    return reader.at;
  }

  /** The same for the labels of a br_table, whose count stands at `at`. */
  labels(at: number, loop: number, list: number): number {
    const { out, module, plan, scan } = this.#code;
    const reader = new Reader(module.bytes, at);
    const count = reader.u32();
    const around = plan.hotAround(loop);
    out.u32(count);
    for (let index = 0; index <= count; index++) {
      const targetLoop = scan.tableLoops[list + index]!;
      out.u32(reader.u32() + HOT_LEVELS * (around - plan.hotAround(targetLoop)));
    }
    return reader.at;
  }
}
