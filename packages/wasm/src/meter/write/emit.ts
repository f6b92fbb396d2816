import { Action, Bulk } from "../scan/actions.ts";
import { chargeBulk, takeArrayRoom, takeRoom, writeInPieces, writeWait } from "./bulk-code.ts";
import { CALL, END, RETURN, UNREACHABLE } from "../bytecode.ts";
import { DepthBy, isParameter } from "../scan/depth.ts";
import { FrameCode } from "./frame.ts";
import type { FunctionCode } from "./function-code.ts";
import * as growth from "./growth.ts";
import { HostCode } from "./host-code.ts";
import { type Locals, readLocals, withoutFirst, writeLocals } from "./locals.ts";
import { LoopCode } from "./loop-code.ts";
import { Reader, tooLarge, tooLargeForEngines } from "../read/reader.ts";
import { scanFunction } from "../scan/scan-function.ts";
import type { Unrolling } from "./unroll.ts";

/** Parameters and locals of a function that engines accept. */
const ENGINE_LOCALS = 50_000;

/** Writes the metered form of one function's body after another: the original's code, and what the scan's actions insert. */
export class Emitter {
  /** Functions that were thought to do without the depth's global and cannot: all has to be written again. */
  readonly needGlobal: Set<number> = new Set();
  readonly #code: FunctionCode;
  /** Calls of this module's functions may return from a foreign one, reached by a tail call. */
  readonly #foreignTailCalls: boolean;
  readonly #maxLocals: number;
  readonly #frame: FrameCode;
  readonly #loops: LoopCode;
  readonly #host: HostCode;

  constructor(code: FunctionCode, foreignTailCalls: boolean, maxLocals: number) {
    this.#code = code;
    this.#foreignTailCalls = foreignTailCalls;
    this.#maxLocals = maxLocals;
    this.#frame = new FrameCode(code);
    this.#loops = new LoopCode(code);
    this.#host = new HostCode(code, this.#frame);
  }

  /** Loops so far that test without a call in their body. */
  get hotLoops(): number {
    return this.#code.plan.hotLoops;
  }

  /** Writes one body without its size; `from` to `to` is the original.  */
  body(functionIndex: number, from: number, to: number): void {
    const code = this.#code;
    const { module, out, plan, scan } = code;
    const typeIndex = module.functions[functionIndex]!;
    const type = module.types[typeIndex]!;
    code.begin();
    const reader = new Reader(module.bytes, from, to);
    const locals = readLocals(reader);
    if (locals.count > this.#maxLocals) throw tooLarge("maxLocals", locals.count, this.#maxLocals);

    scanFunction(scan, reader.at, to, typeIndex, type.params + locals.count);
    // parameters stand in the caller's frame and in this one, results go through the stack
    const depthBy = code.layout.depthBy[functionIndex]!;
    const depthGiven = isParameter(depthBy);
    this.#frame.wide = depthBy === DepthBy.wideParameter;
    const params = type.paramStack + (depthGiven ? 8 : 0);
    // one that has to leave the depth as it was tests it, too
    const untested =
      code.layout.untested[functionIndex]! > 0 && (code.layout.depth < 0 || depthBy !== DepthBy.global);
    plan.decide(2 * params + locals.bytes + 16 * type.results, !depthGiven, untested);
    // a frame too large to be free
    if (plan.frame > 0 && depthBy === DepthBy.none) this.needGlobal.add(functionIndex);
    this.#declareLocals(locals, type.params, depthGiven);

    code.map?.add(out.at, reader.at);
    this.#frame.enter(functionIndex, reader.at, to - from);
    const openWrapper = (): void => this.#frame.openWrapper(type.results, type.resultBytes);
    if (plan.boundary === 0) openWrapper();
    this.#actions(reader.at, 0, scan.actions.count, openWrapper);
    if (plan.wrapped) {
      out.byte(END);
      if (scan.functionLanding) this.#host.landing();
    }
    code.toGlobal();
    this.#frame.leave();
    out.byte(END);
    code.hints.endFunction(functionIndex);
  }

  /** The meter's own locals stand behind the function's, from `first` on. */
  #declareLocals(locals: Locals, params: number, depthGiven: boolean): void {
    const code = this.#code;
    const { module, out, plan, scan } = code;
    const frame = this.#frame;
    // the parameter stands where the first of the function's locals did, if it has any
    const displaces = depthGiven && locals.count > 0;
    const first = params + locals.count + (depthGiven && !displaces ? 1 : 0);
    let next = first;
    code.counter = plan.local ? next++ : -1;
    code.scratch = plan.local ? code.counter : next++;
    code.length = scan.hasDynamicLength ? next++ : -1;
    const counts = plan.frame > 0;
    frame.given = depthGiven ? params : -1;
    frame.displaces = displaces;
    frame.found = counts && !depthGiven ? next++ : -1;
    frame.depthLocal = !counts ? -1 : depthGiven && !displaces ? frame.given : next++;
    if (next > ENGINE_LOCALS) throw tooLargeForEngines("maxLocals", next, ENGINE_LOCALS);
    writeLocals(out, module.bytes, displaces ? withoutFirst(module.bytes, locals) : locals, next - first);
  }

  /** Writes the code from `start` on with what actions `first` to `last` insert; returns where the last left off. */
  #actions(start: number, first: number, last: number, openWrapper?: () => void): number {
    const code = this.#code;
    const loops = this.#loops;
    const { layout, out, plan, scan } = code;
    const { numbers: actions } = scan.actions;
    let cursor = start;
    const boundary = plan.boundary === 0 || !openWrapper ? -1 : scan.late.boundaryAction * 4;
    const commit = plan.commit === 0 ? -1 : scan.late.commitAction * 4;
    // calls of this module's functions are copied as they stand
    const inPlace = !plan.local && !this.#foreignTailCalls;
    const { depthBy } = layout;
    for (let index = first * 4; index < last * 4; index += 4) {
      if (index === boundary || index === commit) {
        const late = index === boundary ? plan.boundary : plan.commit;
        code.copy(cursor, late);
        cursor = late;
        // the charge that stands here, if one does, is made with the test
        const charges = actions[index] === cursor && actions[index + 1] === Action.charge;
        const cost = charges ? code.costOf(actions[index + 2]!) : 0;
        if (index === boundary) {
          this.#frame.payAtBoundary(cost);
          openWrapper?.();
        } else this.#frame.payAtCommit(cost);
        if (charges) continue;
      }
      const at = actions[index]!;
      const a = actions[index + 2]!;
      const b = actions[index + 3]!;
      if (inPlace && actions[index + 1] === Action.call && depthBy[a >> 1] === DepthBy.none) continue;
      if (loops.givesBack && actions[index + 1] === Action.branch) {
        code.copy(cursor, at - 1);
        cursor = loops.giveBackAndBranch(at, a, b);
        continue;
      }
      if (at > cursor) {
        code.copy(cursor, at);
        cursor = at;
      }
      switch (actions[index + 1]) {
        case Action.charge:
          if (at >= plan.boundary) code.charge(code.costOf(a), scan.segments.tested[a] === 1);
          break;
        case Action.loop: {
          const unrolling = loops.unrolling(a);
          if (unrolling) {
            cursor = this.#unrolled(unrolling, a, at, b);
            index = scan.loops.last[a]! * 4;
            break;
          }
          loops.header(a, at, b, () => this.#host.landing());
          cursor = b;
          break;
        }
        case Action.loopEnd:
          if (!plan.isHot(a)) break;
          loops.hotEnd(a);
          cursor = at + 1;
          break;
        case Action.branch:
          if (plan.local) cursor = loops.label(at, a, b);
          break;
        case Action.branchTable:
          if (plan.local) cursor = loops.labels(at, a, b);
          break;
        case Action.call:
          if (inPlace) {
            this.#frame.tellFunction(a >> 1);
            break;
          }
          code.toGlobal();
          this.#frame.tellFunction(a >> 1);
          code.copy(at, b);
          cursor = b;
          if (this.#foreignTailCalls) this.#host.afterUnknown((a & 1) === 1);
          else code.toLocal((a & 1) === 1);
          break;
        case Action.callImport:
          this.#callImport(at, b, (a & 1) === 1);
          cursor = b;
          break;
        case Action.callUnknown:
          this.#host.beforeUnknown();
          code.copy(at, b);
          cursor = b;
          this.#host.afterUnknown((a & 1) === 1);
          break;
        case Action.return:
          if (at < plan.boundary) {
            code.charge(this.#frame.earlyCost, false);
            break;
          }
          if (!plan.wrapped || (at < plan.commit && !plan.local)) break;
          loops.return(a, b);
          cursor = at + 1;
          break;
        case Action.tailCall:
          code.toGlobal();
          // its caller could not put the global back after it, and would have to where its own callers count on that
          if (isParameter(layout.depthBy[a]!)) this.needGlobal.add(a);
          this.#frame.tellSuccessor();
          break;
        case Action.tailCallUnknown:
          this.#host.beforeUnknown();
          this.#frame.tellSuccessor();
          break;
        case Action.tailCallImport:
          this.#tailCallImport(a);
          cursor = b;
          break;
        case Action.throw:
          code.toGlobal();
          break;
        case Action.landing:
          this.#host.landing();
          break;
        case Action.dead:
          if (b === 1) out.byte(UNREACHABLE);
          cursor = a;
          break;
        case Action.bulk:
          chargeBulk(code, a, b === 1);
          if (a !== Bulk.elements) cursor = writeInPieces(code, at, a, b === 1);
          break;
        case Action.allocate:
          takeRoom(code, a);
          break;
        case Action.allocateArray:
          takeArrayRoom(code, a);
          break;
        case Action.memoryGrow:
          code.call(growth.growMemory(layout, a));
          cursor = b;
          break;
        case Action.tableGrow:
          code.call(growth.growTable(layout, a));
          cursor = b;
          break;
        case Action.wait:
          writeWait(code, a, at, b);
          cursor = b;
          break;
      }
    }
    return cursor;
  }

  // Closures over an action's numbers are made in functions of their own: in the loop above, each action would be given
  // a place for its numbers on the heap.

  #unrolled(unrolling: Unrolling, loop: number, at: number, headerEnd: number): number {
    const { scan } = this.#code;
    const begin = scan.loops.first[loop]! + 1;
    const end = scan.loops.last[loop]!;
    return this.#loops.unrolled(unrolling, at, headerEnd, () =>
      this.#code.copy(this.#actions(headerEnd, begin, end), unrolling.end),
    );
  }

  #callImport(from: number, to: number, stays: boolean): void {
    this.#host.callImport(() => this.#code.copy(from, to), stays);
  }

  #tailCallImport(target: number): void {
    const { out } = this.#code;
    this.#host.callImport(() => out.op(CALL, target));
    this.#frame.giveBack();
    out.byte(RETURN);
  }
}
