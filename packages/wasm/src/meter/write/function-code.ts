import { BranchHints } from "./branch-hints.ts";
import {
  CALL,
  EMPTY,
  END,
  globalGet,
  globalSet,
  i32Eq,
  i32LtS,
  i32Sub,
  IF,
  localGet,
  localSet,
  localTee,
} from "../bytecode.ts";
import * as helpers from "./helpers.ts";
import type { Layout } from "../layout.ts";
import type { ModuleInfo } from "../read/module.ts";
import type { OffsetMapBuilder } from "../offset-map.ts";
import type { MeterOptions } from "../options.ts";
import { Plan } from "./plan.ts";
import type { Scan } from "../scan/scan.ts";
import type { Writer } from "./writer.ts";

/** In a counter's local: the global has it. */
const GIVEN_AWAY = -(2 ** 31);
/** No segment costs more; the scan splits them long before. */
const MAX_COST = 2 ** 26;

/** The metered code of the function being written: copies of the original's, and how the counter is moved and tested. */
export class FunctionCode {
  readonly module: ModuleInfo;
  readonly layout: Layout;
  readonly scan: Scan;
  readonly out: Writer;
  readonly plan: Plan;
  /** Where code went, when asked for. */
  readonly map: OffsetMapBuilder | undefined;
  readonly exact: boolean;
  /** The host is asked after its functions ran. */
  readonly checksHost: boolean;

  /** The local that holds the counter, or -1. */
  counter = -1;
  /** A local for what is about to be tested; the counter's, where it has one. */
  scratch = -1;
  /** The local for the length of a bulk operation, or -1. */
  length = -1;
  /** Up to the commit the scratch local equals the counter's global. */
  mirrors = false;
  /** Between two calls, the one straight after the other, the counter stays in its global. */
  inGlobal = false;
  /** Of all functions so far. */
  readonly hints: BranchHints = new BranchHints();
  #bodyStart = 0;

  constructor(
    module: ModuleInfo,
    layout: Layout,
    options: MeterOptions,
    scan: Scan,
    out: Writer,
    map: OffsetMapBuilder | undefined,
  ) {
    this.module = module;
    this.layout = layout;
    this.scan = scan;
    this.out = out;
    this.map = map;
    this.exact = options.mode === "exact";
    this.checksHost = options.checkImports ?? true;
    this.plan = new Plan(module, layout, scan, this.exact);
  }

  /** The body of another function begins here. */
  begin(): void {
    this.#bodyStart = this.out.at;
    this.mirrors = this.inGlobal = false;
  }

  /** Copies original code as it stands. */
  copy(from: number, to: number): void {
    this.map?.addPiece(this.out.at, from, to);
    this.out.copy(this.module.bytes, from, to);
  }

  /** Writes a branch that is rarely taken, and notes it for the engine. */
  rarely(opcode: number): void {
    this.hints.note(this.out.at - this.#bodyStart);
    this.out.byte(opcode);
  }

  /** What segment `segment` is charged. */
  costOf(segment: number): number {
    return Math.min(this.scan.segments.cost[segment]!, MAX_COST);
  }

  pushCounter(): void {
    if ((this.plan.local && !this.inGlobal) || this.mirrors) this.out.op(localGet, this.scratch);
    else this.out.op(globalGet, this.layout.fuel);
  }

  charge(cost: number, tested: boolean): void {
    if (cost === 0 && !tested) return;
    const { out } = this;
    this.pushCounter();
    out.i32(cost);
    out.byte(i32Sub);
    if (tested) this.storeAndTest();
    else if (this.plan.local) out.op(localSet, this.counter);
    else {
      if (this.mirrors) out.op(localTee, this.scratch);
      out.op(globalSet, this.layout.fuel);
    }
  }

  /** Stores the counter that is on top of the stack, and refills it when it is negative. */
  storeAndTest(): void {
    const { out } = this;
    out.op(localTee, this.scratch);
    if (!this.plan.local) {
      out.op(globalSet, this.layout.fuel);
      out.op(localGet, this.scratch);
    }
    this.refillIfNegative(helpers.slow, helpers.slowLocal);
  }

  /** Calls a helper when the number on top of the stack is negative: the one for where the counter is. Local `depth` is handed to it. */
  refillIfNegative(
    refill: (layout: Layout) => number,
    refillLocal: (layout: Layout) => number,
    depth = -1,
  ): void {
    const { out } = this;
    out.i32(0);
    out.byte(i32LtS);
    this.rarely(IF);
    out.byte(EMPTY);
    if (this.plan.local) {
      out.op(localGet, this.counter);
      if (depth >= 0) out.op(localGet, depth);
      out.op(CALL, this.layout.numberOf(refillLocal));
      out.op(localSet, this.counter);
    } else {
      if (depth >= 0) out.op(localGet, depth);
      out.op(CALL, this.layout.numberOf(refill));
    }
    out.byte(END);
  }

  /** Brings the global up to date with the local. */
  toGlobal(): void {
    if (!this.plan.local || this.inGlobal) return;
    this.out.op(localGet, this.counter);
    this.out.op(globalSet, this.layout.fuel);
    this.giveAway();
  }

  /** After a call: the local takes over again, unless the counter `stays` in the global for the next one. */
  toLocal(stays = false): void {
    if (!this.plan.local) return;
    this.inGlobal = stays;
    if (stays) return;
    this.out.op(globalGet, this.layout.fuel);
    this.out.op(localSet, this.counter);
  }

  /** Calls something that keeps the counter in its global. */
  call(target: number): void {
    this.toGlobal();
    this.out.op(CALL, target);
    this.toLocal();
  }

  /** The same in place of the instruction at `at`: what traps there is told to have trapped in that instruction. */
  callFor(at: number, target: number): void {
    this.toGlobal();
    this.map?.add(this.out.at, at);
    this.out.op(CALL, target);
    this.toLocal();
  }

  /**
   * Marks that the global holds the counter, and not the local: a label to which a handler of try_table leads is also
   * reached without an exception, and has to know which of the two to believe.
   */
  giveAway(): void {
    if (!this.plan.local || !this.scan.hasTryTable) return;
    this.out.i32(GIVEN_AWAY);
    this.out.op(localSet, this.counter);
  }

  /** Pushes whether the counter was given away. */
  pushGivenAway(): void {
    this.out.op(localGet, this.counter);
    this.out.i32(GIVEN_AWAY);
    this.out.byte(i32Eq);
  }
}
