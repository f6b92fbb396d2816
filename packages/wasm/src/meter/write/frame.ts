import {
  BLOCK,
  CALL,
  EMPTY,
  END,
  globalGet,
  globalSet,
  i32Add,
  i32Or,
  i32Sub,
  i32WrapI64,
  i64ExtendI32U,
  IF,
  localGet,
  localSet,
  localTee,
  i64Const,
} from "../bytecode.ts";
import { DepthBy, isParameter } from "../scan/depth.ts";
import type { FunctionCode } from "./function-code.ts";
import * as helpers from "./helpers.ts";
import { pastImmediate } from "../read/immediates.ts";
import { PREPAID } from "../layout.ts";
import { factsOf, immediateIn, Role, roleIn } from "../read/opcodes.ts";

/** `i64.const 0`. */
const I64_ZERO = [i64Const, 0];
/** Instructions that are looked at for what becomes of the first local. */
const MAX_LOOK = 16;

/**
 * A function's beginning and end: what it pays for itself and its frame before it does anything that counts, the test of
 * both, and how the frame is given back. A function that may return before it does anything that counts leaves all of
 * that for later: up to a boundary, or a commit.
 */
export class FrameCode {
  /** Keeps what is left with this function's frame taken: for those that it calls. */
  depthLocal = -1;
  /** The parameter in which the depth is handed over, or -1. It may be the same. */
  given = -1;
  /** The parameter has 64 bits. */
  wide = false;
  /** The parameter stands where the function's own first local did: that is to be 0. */
  displaces = false;
  /** Keeps what the depth's global was, or -1. That is never 0: so it tells whether the frame was taken. */
  found = -1;
  /** What was handed over is no longer in the parameter. */
  #moved = false;
  /** What is still to be taken from the depth where it is handed on. */
  #owed = 0;
  /** What is paid for a return before the boundary. */
  earlyCost = 0;
  /** What is paid at the boundary or the commit for what was executed before. */
  #lateCost = 0;
  readonly #code: FunctionCode;

  constructor(code: FunctionCode) {
    this.#code = code;
  }

  /** What a function does first, whose body has `bodyBytes`. */
  enter(functionIndex: number, bodyFrom: number, bodyBytes: number): void {
    const { out, plan } = this.#code;
    this.#payFirstCall(bodyBytes);
    const takesLater = plan.commit > 0 || plan.boundary > 0 || plan.untested;
    this.#moved = this.displaces && takesLater && plan.frame > 0;
    this.#owed = plan.untested ? plan.frame : 0;
    if (this.#moved) {
      this.#pushGiven();
      out.op(localSet, this.depthLocal);
    }
    this.#payAtEntry(functionIndex);
    if (!this.displaces || this.#setsFirst(bodyFrom)) return;
    if (this.wide) out.raw(I64_ZERO);
    else out.i32(0);
    out.op(localSet, this.given);
  }

  #payFirstCall(bodyBytes: number): void {
    const { layout, out } = this.#code;
    const cold = layout.coldGlobal(bodyBytes);
    if (cold < 0) return;
    out.op(globalGet, cold);
    this.#code.rarely(IF);
    out.byte(EMPTY);
    out.op(globalGet, cold);
    out.op(CALL, layout.numberOf(helpers.payCold));
    out.i32(0);
    out.op(globalSet, cold);
    out.byte(END);
  }

  /**
   * Whether the function sets its first local before it reads it, so that it need not be 0: as far as straight code from
   * `at` on shows.
   */
  #setsFirst(at: number): boolean {
    const { bytes } = this.#code.module;
    if (this.given >= 0x80) return false;
    for (let left = MAX_LOOK; left > 0; left--) {
      const slot = bytes[at++]!;
      if (slot >= localGet && slot <= localTee && bytes[at] === this.given) return slot !== localGet;
      const facts = factsOf[slot]!;
      const role = roleIn(facts);
      if (slot >= 0xfb || (role !== Role.plain && role !== Role.constant && role !== Role.block))
        return false;
      at = pastImmediate(bytes, at, immediateIn(facts));
      if (at < 0) return false;
    }
    return false;
  }

  #payAtEntry(functionIndex: number): void {
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
      // one that the host can call shows that it ran: what has run is not to be free
      const cost = Math.max(module.exposed.has(functionIndex) ? 1 : 0, ownCost(first));
      if (cost > 0 || tested) this.#pay(cost, tested);
      return;
    }
    const early = exact || least > 0 ? ownCost(scan.late.boundaryCost) : 0;
    this.earlyCost = Math.max(least, early);
    this.#lateCost = Math.max(1, ownCost(exact ? scan.late.boundaryCost : first));
  }

  /** At the boundary: pays what was executed before and `cost`, takes the frame and tests both. */
  payAtBoundary(cost: number): void {
    this.#pay(this.#lateCost + cost, true);
  }

  /** The same where the function commits itself to calls or loops. */
  payAtCommit(cost: number): void {
    const code = this.#code;
    const { out, plan, layout } = code;
    const due = this.#lateCost + cost;
    code.pushCounter();
    code.mirrors = false;
    if (due > 0) {
      out.i32(due);
      out.byte(i32Sub);
      if (plan.local) out.op(localTee, code.counter);
      else {
        out.op(localTee, code.scratch);
        out.op(globalSet, layout.fuel);
        out.op(localGet, code.scratch);
      }
    }
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
    if (code.plan.local) out.op(tested ? localTee : localSet, code.counter);
    else if (cost > 0) {
      if (tested || code.mirrors) out.op(localTee, code.scratch);
      out.op(globalSet, layout.fuel);
      if (tested) out.op(localGet, code.scratch);
    }
    if (tested) this.#takeAndTest();
  }

  /** Takes the frame from the depth, and tests it and the counter, which is on top of the stack. The global stays: what is called next is told. */
  #takeAndTest(): void {
    const code = this.#code;
    const { out, layout, plan } = code;
    if (plan.frame === 0) {
      code.refillIfNegative(helpers.slow, helpers.slowLocal);
      return;
    }
    if (this.given < 0) {
      out.op(globalGet, layout.depth);
      out.op(localTee, this.found);
    } else if (this.#moved) out.op(localGet, this.depthLocal);
    else this.#pushGiven();
    out.i32(plan.frame);
    out.byte(i32Sub);
    out.op(localTee, this.depthLocal);
    if (plan.tellsOnce) {
      out.op(globalSet, layout.depth);
      out.op(localGet, this.depthLocal);
    }
    out.byte(i32Or);
    code.refillIfNegative(helpers.enter, helpers.enterLocal, this.depthLocal);
  }

  #pushGiven(): void {
    const { out } = this.#code;
    out.op(localGet, this.given);
    if (this.wide) out.byte(i32WrapI64);
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
    if (plan.commit > 0 && this.found >= 0 && (plan.local || scan.late.commitJoins)) {
      // some ways to the end have not taken the frame
      out.op(localGet, this.found);
      out.byte(IF);
      out.byte(EMPTY);
      this.giveBack();
      out.byte(END);
    } else this.giveBack();
  }

  /** Puts the depth's global back for those who count on it: to what the function found there. */
  giveBack(): void {
    const { out, layout } = this.#code;
    if (this.found < 0) return;
    out.op(localGet, this.found);
    out.op(globalSet, layout.depth);
  }

  /** Tells the depth to what is called next and finds it in the global, less `bytes` that the call itself takes. */
  tell(bytes = 0): void {
    const { plan, out, layout } = this.#code;
    if (plan.frame === 0 || plan.tellsOnce) return;
    this.#pushDepth(bytes);
    out.op(globalSet, layout.depth);
  }

  /** What is left for those that are called, less `bytes`. */
  #pushDepth(bytes = 0): void {
    const { out } = this.#code;
    const less = bytes + this.#owed;
    out.op(localGet, this.depthLocal);
    if (less === 0) return;
    out.i32(less);
    out.byte(i32Sub);
  }

  /** The same for a function of this module, whichever way it comes to know the depth. */
  tellFunction(target: number): void {
    const { plan, out, layout } = this.#code;
    if (plan.frame === 0) return;
    const depthBy = layout.depthBy[target]!;
    if (depthBy === DepthBy.global) this.tell();
    else if (isParameter(depthBy)) {
      this.#pushDepth();
      if (depthBy === DepthBy.wideParameter) out.byte(i64ExtendI32U);
    }
  }

  /** Tells what is called in this function's stead what this one was told. */
  tellSuccessor(): void {
    const { plan, out, layout } = this.#code;
    if (plan.frame === 0) return;
    if (this.found >= 0) {
      this.giveBack();
      return;
    }
    out.op(localGet, this.depthLocal);
    out.i32(plan.frame);
    out.byte(i32Add);
    out.op(globalSet, layout.depth);
  }
}

/** What a function pays of `cost`, which is executed first: its caller's call has paid the rest. */
function ownCost(cost: number): number {
  return Math.max(0, cost - PREPAID);
}
