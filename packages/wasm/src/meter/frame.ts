import {
  BLOCK,
  EMPTY,
  END,
  globalGet,
  globalSet,
  i32Add,
  i32Or,
  i32Sub,
  IF,
  localGet,
  localSet,
  localTee,
} from "./bytecode.ts";
import type { FunctionCode } from "./function-code.ts";
import * as helpers from "./helpers.ts";
import { PREPAID } from "./layout.ts";

/**
 * A function's beginning and end: what it pays for itself and its frame before it does anything that counts, the test of
 * both, and how the frame is given back. A function that may return before it does anything that counts leaves all of
 * that for later: up to a boundary, or a commit.
 */
export class FrameCode {
  /** Keeps what the depth was without this function's frame. That is never 0: so it tells whether the frame was taken. */
  depthLocal = -1;
  /** What is paid for a return before the boundary. */
  earlyCost = 0;
  /** What is paid at the boundary or the commit for what was executed before. */
  #lateCost = 0;
  readonly #code: FunctionCode;

  constructor(code: FunctionCode) {
    this.#code = code;
  }

  /** What a function does first. */
  enter(functionIndex: number): void {
    const { scan, plan, exact, module } = this.#code;
    const first = this.#code.costOf(0);
    const least = plan.least(functionIndex);
    this.#lateCost = 0;
    if (plan.commit > 0) {
      // in a deadline's code a function that ends before its commit is free
      const cost = exact || least > 0 ? Math.max(least, ownCost(first)) : 0;
      if (cost === 0) this.#lateCost = exact ? 0 : Math.max(1, ownCost(first));
      this.#code.mirrors = cost > 0 && !plan.local;
      // a counter in a local has to be fetched either way
      if (cost > 0 || plan.local) this.#pay(cost, false);
      return;
    }
    if (plan.boundary === 0) {
      const tested = plan.testsAtEntry(first);
      // one that the host can call shows that it ran, too: what has run is not to be free
      const shows = tested || module.exposed.has(functionIndex);
      const cost = Math.max(shows ? 1 : 0, ownCost(first));
      if (cost > 0) this.#pay(cost, tested);
      return;
    }
    const early = exact || least > 0 ? ownCost(scan.boundaryCost) : 0;
    this.earlyCost = Math.max(least, early);
    this.#lateCost = Math.max(1, ownCost(exact ? scan.boundaryCost : first));
  }

  /** At the boundary: pays what was executed before and `cost`, takes the frame and tests both. */
  payAtBoundary(cost: number): void {
    this.#pay(this.#lateCost + cost, true);
  }

  /** The same where the function commits itself to calls or loops. */
  payAtCommit(cost: number): void {
    const code = this.#code;
    if (!code.plan.local && !code.mirrors) {
      code.out.op(globalGet, code.layout.fuel);
      code.out.op(localSet, code.scratch);
      code.mirrors = true;
    }
    code.charge(this.#lateCost + cost, false);
    code.mirrors = false;
    this.#takeAndTest();
  }

  /** Takes `cost` from the counter in its global, and, when `tested`, the frame from the depth. */
  #pay(cost: number, tested: boolean): void {
    const code = this.#code;
    const { out, layout } = code;
    out.op(globalGet, layout.fuel);
    if (cost > 0) {
      out.i32(cost);
      out.byte(i32Sub);
    }
    if (code.plan.local) out.op(localSet, code.counter);
    else {
      if (tested || code.mirrors) out.op(localTee, code.scratch);
      out.op(globalSet, layout.fuel);
    }
    if (tested) this.#takeAndTest();
  }

  /** Takes the frame from the depth, and tests it and the counter. */
  #takeAndTest(): void {
    const code = this.#code;
    const { out, layout, plan } = code;
    out.op(localGet, code.scratch);
    if (plan.frame === 0) {
      code.refillIfNegative(helpers.slow, helpers.slowLocal);
      return;
    }
    out.op(globalGet, layout.depth);
    out.op(localTee, this.depthLocal);
    this.#lessFrame();
    // the scratch local is free again, a counter's is not
    if (!plan.local) out.op(localTee, code.scratch);
    out.op(globalSet, layout.depth);
    if (plan.local) this.#pushDepth();
    else out.op(localGet, code.scratch);
    out.byte(i32Or);
    code.refillIfNegative(helpers.enter, helpers.enterLocal);
  }

  /** The block around the body. */
  openWrapper(results: number, resultBytes: Uint8Array): void {
    const { plan, out, layout } = this.#code;
    if (!plan.wrapped) return;
    out.byte(BLOCK);
    if (results === 0) out.byte(EMPTY);
    else if (results === 1) out.raw(resultBytes);
    else out.s32(layout.functionType([], resultBytes, [0, results]));
  }

  /** The function ends normally. */
  leave(): void {
    const { plan, out, scan } = this.#code;
    if (plan.commit > 0 && plan.frame > 0 && (plan.local || scan.commitJoins)) {
      // some ways to the end have not taken the frame
      out.op(localGet, this.depthLocal);
      out.byte(IF);
      out.byte(EMPTY);
      this.giveBack();
      out.byte(END);
    } else this.giveBack();
  }

  /** Gives the frame back: from what the function found when it began, so that callees' accounts are not waited for. */
  giveBack(): void {
    const { plan, out, layout } = this.#code;
    if (plan.frame === 0) return;
    out.op(localGet, this.depthLocal);
    out.op(globalSet, layout.depth);
  }

  /** An exception was caught: depth is as this function left it. */
  restore(): void {
    const { plan, out, layout } = this.#code;
    if (plan.frame === 0) return;
    this.#pushDepth();
    out.op(globalSet, layout.depth);
  }

  /** Moves the depth by `bytes` for the time that something else takes stack. */
  move(bytes: number): void {
    const { plan, out, layout } = this.#code;
    if (plan.frame === 0) return;
    out.op(globalGet, layout.depth);
    out.i32(bytes);
    out.byte(i32Add);
    out.op(globalSet, layout.depth);
  }

  /** Pushes the depth as it is in this function's frame. */
  #pushDepth(): void {
    this.#code.out.op(localGet, this.depthLocal);
    this.#lessFrame();
  }

  #lessFrame(): void {
    const { out, plan } = this.#code;
    out.i32(plan.frame);
    out.byte(i32Sub);
  }
}

/** What a function pays of `cost`, which is executed first: its caller's call has paid the rest. */
function ownCost(cost: number): number {
  return Math.max(0, cost - PREPAID);
}
