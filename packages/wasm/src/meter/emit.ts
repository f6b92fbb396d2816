import { Action, Bulk } from "./actions.ts";
import { chargeBulk, takeArrayRoom, takeRoom, writeInPieces, writeWait } from "./bulk-code.ts";
import { CALL, END, RETURN, UNREACHABLE } from "./bytecode.ts";
import { FrameCode } from "./frame.ts";
import { FunctionCode } from "./function-code.ts";
import * as helpers from "./helpers.ts";
import { HostCode } from "./host-code.ts";
import type { Layout } from "./layout.ts";
import { type Locals, readLocals, writeLocals } from "./locals.ts";
import { LoopCode } from "./loop-code.ts";
import type { ModuleInfo } from "./module.ts";
import type { OffsetMapBuilder } from "./offset-map.ts";
import type { MeterOptions } from "./options.ts";
import type { Plan } from "./plan.ts";
import { Reader, tooLarge, tooLargeForEngines } from "./reader.ts";
import type { Scan } from "./scan.ts";
import type { Writer } from "./writer.ts";

/** Parameters and locals of a function that engines accept. */
const ENGINE_LOCALS = 50_000;

/** Writes the metered form of one function's body after another: the original's code, and what the scan's actions insert. */
export class Emitter {
  readonly #module: ModuleInfo;
  readonly #layout: Layout;
  readonly #scan: Scan;
  readonly #out: Writer;
  /** Calls of this module's functions may return from a foreign one, reached by a tail call. */
  readonly #foreignTailCalls: boolean;
  readonly #maxLocals: number;
  readonly #code: FunctionCode;
  readonly #plan: Plan;
  readonly #frame: FrameCode;
  readonly #loops: LoopCode;
  readonly #host: HostCode;

  constructor(
    module: ModuleInfo,
    layout: Layout,
    options: MeterOptions,
    scan: Scan,
    out: Writer,
    foreignTailCalls: boolean,
    maxLocals: number,
    map: OffsetMapBuilder | undefined,
  ) {
    this.#module = module;
    this.#layout = layout;
    this.#scan = scan;
    this.#out = out;
    this.#foreignTailCalls = foreignTailCalls;
    this.#maxLocals = maxLocals;
    this.#code = new FunctionCode(module, layout, options, scan, out, map);
    this.#plan = this.#code.plan;
    this.#frame = new FrameCode(this.#code);
    this.#loops = new LoopCode(this.#code);
    this.#host = new HostCode(this.#code, this.#frame);
  }

  /** Loops so far that test without a call in their body. */
  get hotLoops(): number {
    return this.#plan.hotLoops;
  }

  /** Writes one body without its size; `from` to `to` is the original. Returns where tests stand, for hints. */
  body(functionIndex: number, from: number, to: number): number[] {
    const scan = this.#scan;
    const out = this.#out;
    const typeIndex = this.#module.functions[functionIndex]!;
    const type = this.#module.types[typeIndex]!;
    this.#code.begin();
    const reader = new Reader(this.#module.bytes, from, to);
    const locals = readLocals(reader);
    if (locals.count > this.#maxLocals) throw tooLarge("maxLocals", locals.count, this.#maxLocals);

    scan.run(reader.at, to, typeIndex);
    // parameters stand in the caller's frame and in this one, results go through the stack
    this.#plan.decide(2 * type.paramStack + locals.bytes + 16 * type.results);
    this.#declareLocals(locals, type.params + locals.count);

    this.#frame.enter(functionIndex);
    const openWrapper = (): void => this.#frame.openWrapper(type.results, type.resultBytes);
    if (this.#plan.boundary === 0) openWrapper();
    this.#actions(reader.at, 0, scan.actionCount, openWrapper);
    if (this.#plan.wrapped) {
      out.byte(END);
      if (scan.functionLanding) this.#host.landing();
    }
    this.#code.toGlobal();
    this.#frame.leave();
    out.byte(END);
    return this.#code.hints;
  }

  /** The meter's own locals stand behind the function's, from `first` on. */
  #declareLocals(locals: Locals, first: number): void {
    const code = this.#code;
    let next = first;
    code.counter = this.#plan.local ? next++ : -1;
    code.scratch = this.#plan.local ? code.counter : next++;
    code.length = this.#scan.hasDynamicLength ? next++ : -1;
    this.#frame.depthLocal = this.#plan.frame > 0 ? next++ : -1;
    if (next > ENGINE_LOCALS) throw tooLargeForEngines("maxLocals", next, ENGINE_LOCALS);
    writeLocals(this.#out, this.#module.bytes, locals, next - first);
  }

  /** Writes the code from `start` on with what actions `first` to `last` insert; returns where the last left off. */
  #actions(start: number, first: number, last: number, openWrapper?: () => void): number {
    const scan = this.#scan;
    const out = this.#out;
    const code = this.#code;
    const plan = this.#plan;
    const loops = this.#loops;
    const { actions } = scan;
    let cursor = start;
    const boundary = plan.boundary === 0 || !openWrapper ? -1 : scan.boundaryAction * 4;
    const commit = plan.commit === 0 ? -1 : scan.commitAction * 4;
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
          if (at >= plan.boundary) code.charge(code.costOf(a), scan.segmentTested[a] === 1);
          break;
        case Action.loop: {
          const unrolling = loops.unrolling(a);
          if (unrolling) {
            const begin = scan.loopFirst[a]! + 1;
            const end = scan.loopLast[a]!;
            cursor = loops.unrolled(unrolling, at, b, () =>
              code.copy(this.#actions(b, begin, end), unrolling.end),
            );
            index = end * 4;
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
          if (!plan.local && !this.#foreignTailCalls) break;
          code.toGlobal();
          code.copy(at, b);
          cursor = b;
          if (this.#foreignTailCalls) this.#host.afterUnknown();
          else code.toLocal();
          break;
        case Action.callImport:
          this.#host.callImport(() => code.copy(at, b));
          cursor = b;
          break;
        case Action.callUnknown:
          this.#host.beforeUnknown();
          code.copy(at, b);
          cursor = b;
          this.#host.afterUnknown();
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
          this.#frame.giveBack();
          break;
        case Action.tailCallUnknown:
          this.#host.beforeUnknown();
          this.#frame.giveBack();
          break;
        case Action.tailCallImport:
          this.#host.callImport(() => out.op(CALL, a));
          this.#frame.giveBack();
          out.byte(RETURN);
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
          if (a === Bulk.bytes) cursor = writeInPieces(code, at, b === 1);
          break;
        case Action.allocate:
          takeRoom(code, a);
          break;
        case Action.allocateArray:
          takeArrayRoom(code, a);
          break;
        case Action.memoryGrow:
          code.call(helpers.growMemory(this.#layout, a));
          cursor = b;
          break;
        case Action.tableGrow:
          code.call(helpers.growTable(this.#layout, a));
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
}
