import {
  I32,
  EMPTY,
  UNREACHABLE,
  BLOCK,
  LOOP,
  IF,
  ELSE,
  END,
  BR,
  BR_IF,
  RETURN,
  CALL,
  localGet,
  localSet,
  localTee,
  globalGet,
  globalSet,
  i32Eq,
  i32LessThan,
  i32Greater,
  i32Add,
  i32Sub,
  i32And,
  i32Or,
  i32ShiftLeft,
  i32ShiftRight,
} from "./bytecode.ts";
import * as helpers from "./helpers.ts";
import { HOST_FRAME_BYTES, type Layout, PARKED, PREPAID } from "./layout.ts";
import { readLocals, writeLocals } from "./locals.ts";
import type { ModuleInfo } from "./module.ts";
import type { OffsetMapBuilder } from "./offset-map.ts";
import type { MeterOptions } from "./options.ts";
import { copyInPieces, fillInPieces, PIECE_BYTES } from "./pieces.ts";
import { Reader, tooLarge, tooLargeForEngines } from "./reader.ts";
import { Action, Bulk, type Scan } from "./scan.ts";
import { addToLocal, HOT_LEVELS, planUnrolling, type Unrolling, writeUnrolled } from "./unroll.ts";
import type { Writer } from "./writer.ts";

/** In a counter's local: the global has it. */
const GIVEN_AWAY = -(2 ** 31);
const MEMORY_COPY = 10;
const MEMORY_FILL = 11;

/** Parameters and locals of a function that engines accept. */
const ENGINE_LOCALS = 50_000;
/** No segment costs more; the scan splits them long before. */
const MAX_COST = 2 ** 26;
/** A function without loops and calls that costs up to this needs no test of its own: its callers test. */
const UNTESTED_COST = 64;
/** Loops inside one another beyond this many test in place. */
const MAX_HOT_NESTING = 24;
/** Stack bytes of a call beyond parameters, locals and operands. */
const FRAME_BYTES = 96;
/** Frames of functions that call nothing are free up to this size. */
const FREE_FRAME_BYTES = 1024;

/** Writes the metered form of one function's body after another. */
export class Emitter {
  hotLoops = 0;
  readonly #module: ModuleInfo;
  readonly #layout: Layout;
  readonly #scan: Scan;
  readonly #out: Writer;
  readonly #map: OffsetMapBuilder | undefined;
  readonly #check: boolean;
  /** Calls of this module's functions may return from a foreign one, reached by a tail call. */
  readonly #foreignTailCalls: boolean;
  readonly #maxLocals: number;
  readonly #exact: boolean;
  readonly #hasVectors: boolean;
  readonly #tabled: ReadonlySet<number>;

  // of the function being written
  /** The function loops: the counter lives in a local, which the global follows at calls and exits. */
  #local = false;
  #counter = -1;
  #scratch = -1;
  #length = -1;
  /** Keeps what the depth was without this function's frame. That is never 0: so it tells whether the frame was taken. */
  #depthLocal = -1;
  #frame = 0;
  #wrapped = false;
  /** Where the function begins in earnest, or 0: see {@link Scan.boundary}. */
  #boundary = 0;
  /** Where the function first calls or loops, if it may end without, or 0: see {@link Scan.commit}. */
  #commit = 0;
  /** Up to the commit the scratch local equals the counter's global. */
  #mirrors = false;
  /** What is paid for a return before the boundary. */
  #earlyCost = 0;
  /** What is paid at the boundary or the commit for what was executed before. */
  #lateCost = 0;
  #hot: Int32Array = new Int32Array(64);
  // of the copy being written of an unrolled loop's body
  /** Levels of blocks around it beyond those of a hot loop. */
  #deeper = 0;
  /** What whoever leaves the loop here has paid for the copies that follow. */
  #giveBack = 0;
  #bodyStart = 0;
  #hints: number[] = [];

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
    this.#check = options.checkImports ?? true;
    this.#maxLocals = maxLocals;
    this.#exact = options.mode === "exact";
    this.#hasVectors = module.types.some((type) => type.hasVectors);
    this.#tabled = module.tabled;
    this.#map = map;
  }

  /** Writes one body without its size; `from` to `to` is the original. Returns where tests stand, for hints. */
  body(functionIndex: number, from: number, to: number): number[] {
    const scan = this.#scan;
    const out = this.#out;
    const source = this.#module.bytes;
    const typeIndex = this.#module.functions[functionIndex]!;
    const type = this.#module.types[typeIndex]!;
    this.#bodyStart = out.at;
    this.#hints = [];

    const reader = new Reader(source, from, to);
    const locals = readLocals(reader);
    if (locals.count > this.#maxLocals) throw tooLarge("maxLocals", locals.count, this.#maxLocals);

    scan.run(reader.at, to, typeIndex);
    // parameters stand in the caller's frame and in this one, results go through the stack
    this.#decide(2 * type.paramStack + locals.bytes + 16 * type.results);

    // the meter's own locals stand behind the function's
    const first = type.params + locals.count;
    let own = 0;
    this.#counter = this.#local ? first + own++ : -1;
    this.#scratch = this.#local ? this.#counter : first + own++;
    this.#length = scan.hasDynamicLength ? first + own++ : -1;
    this.#depthLocal = this.#frame > 0 ? first + own++ : -1;
    if (first + own > ENGINE_LOCALS) throw tooLargeForEngines("maxLocals", first + own, ENGINE_LOCALS);
    writeLocals(out, source, locals, own);

    this.#mirrors = false;
    this.#entry(functionIndex);
    const wrapper = (): void => this.#openWrapper(type.results, type.resultBytes);
    if (this.#boundary === 0) wrapper();
    this.#actions(reader.at, 0, scan.actionCount, wrapper);
    if (this.#wrapped) {
      out.byte(END);
      if (scan.functionLanding) this.#landing();
    }
    this.#toGlobal();
    if (this.#commit > 0 && this.#frame > 0 && (this.#local || scan.commitJoins)) {
      // some ways to the end have not taken the frame
      out.op(localGet, this.#depthLocal);
      out.byte(IF);
      out.byte(EMPTY);
      this.#leaveDepth();
      out.byte(END);
    } else this.#leaveDepth();
    out.byte(END);
    return this.#hints;
  }

  /** Decides where the counter lives, which loops are entered again, and what the frame costs. */
  #decide(valueBytes: number): void {
    const scan = this.#scan;
    if (this.#hot.length < scan.loops) this.#hot = new Int32Array(scan.loopParent.length);
    const hot = this.#hot;
    // #hot counts the hot loops from the outermost to this one; parents come first
    for (let loop = 0; loop < scan.loops; loop++) {
      const parent = scan.loopParent[loop]!;
      const above = parent < 0 ? 0 : hot[parent]!;
      const isHot =
        scan.loopCalls[loop] === 0 &&
        scan.loopParams[loop] === 0 &&
        scan.loopLanding[loop] === 0 &&
        above < MAX_HOT_NESTING;
      hot[loop] = isHot ? above + 1 : above;
      if (isHot) {
        this.hotLoops++;
      }
    }
    // JavaScriptCore runs loops ten times slower around a counter in a global
    this.#local = scan.loops > 0;
    this.#frame = 0;
    if (this.#layout.depth >= 0) {
      const operand = this.#hasVectors || scan.usesVectors ? 16 : 8;
      const frame = FRAME_BYTES + valueBytes + operand * scan.maxHeight;
      if (scan.hasCalls || frame > FREE_FRAME_BYTES) this.#frame = Math.min(frame, 2 ** 28);
    }
    this.#wrapped = this.#local || this.#frame > 0 || scan.functionLanding;
    // a frame that not every way through the function pays for has to be a small one
    const late = this.#frame <= FREE_FRAME_BYTES;
    this.#boundary = this.#local || !late ? 0 : scan.boundary;
    this.#commit = late ? scan.commit : 0;
  }

  #isHot(loop: number): boolean {
    const parent = this.#scan.loopParent[loop]!;
    return this.#hot[loop] !== (parent < 0 ? 0 : this.#hot[parent]);
  }

  /**
   * What a function does first: it pays for its first segment and its frame, and tests both. A function that may
   * return before it does anything that counts leaves that for later.
   */
  #entry(functionIndex: number): void {
    const scan = this.#scan;
    const first = segmentCost(scan, 0);
    // a function in a table has to show that it ran
    const least = this.#tabled.has(functionIndex) ? 1 : 0;
    this.#lateCost = 0;
    if (this.#commit > 0) {
      // in a deadline's code a function that ends before its commit is free
      const cost = this.#exact || least > 0 ? Math.max(least, ownCost(first)) : 0;
      if (cost === 0) this.#lateCost = this.#exact ? 0 : Math.max(1, ownCost(first));
      this.#mirrors = cost > 0 && !this.#local;
      // a counter in a local has to be fetched either way
      if (cost > 0 || this.#local) this.#pay(cost, false);
      return;
    }
    if (this.#boundary === 0) {
      // where each block is charged by itself, the first segment is not all that may be executed
      const most = this.#exact ? scan.cost : first;
      const tested = scan.hasCalls || scan.loops > 0 || most > UNTESTED_COST || this.#frame > 0;
      // and so has one that the host can call: what has run is not to be free
      const shows = tested || this.#module.exposed.has(functionIndex);
      const cost = Math.max(shows ? 1 : 0, ownCost(first));
      if (cost > 0) this.#pay(cost, tested);
      return;
    }
    const early = this.#exact || least > 0 ? ownCost(scan.boundaryCost) : 0;
    this.#earlyCost = Math.max(least, early);
    this.#lateCost = Math.max(1, ownCost(this.#exact ? scan.boundaryCost : first));
  }

  /** Takes `cost` from the counter in its global, and, when `tested`, the frame from the depth. */
  #pay(cost: number, tested: boolean): void {
    const out = this.#out;
    const { fuel } = this.#layout;
    out.op(globalGet, fuel);
    if (cost > 0) {
      out.i32(cost);
      out.byte(i32Sub);
    }
    if (this.#local) out.op(localSet, this.#counter);
    else {
      if (tested || this.#mirrors) out.op(localTee, this.#scratch);
      out.op(globalSet, fuel);
    }
    if (tested) this.#takeAndTest();
  }

  /** Pays `cost`, takes the frame and tests both, where the function commits itself to calls or loops. */
  #payAtCommit(cost: number): void {
    const out = this.#out;
    if (!this.#local && !this.#mirrors) {
      out.op(globalGet, this.#layout.fuel);
      out.op(localSet, this.#scratch);
      this.#mirrors = true;
    }
    this.#charge(cost, false);
    this.#mirrors = false;
    this.#takeAndTest();
  }

  /** Takes the frame from the depth, and tests it and the counter. */
  #takeAndTest(): void {
    const out = this.#out;
    const { depth } = this.#layout;
    out.op(localGet, this.#scratch);
    if (this.#frame > 0) {
      out.op(globalGet, depth);
      out.op(localTee, this.#depthLocal);
      this.#lessFrame();
      if (!this.#local) out.op(localTee, this.#scratch);
      out.op(globalSet, depth);
      // the scratch local is free again, a counter's is not
      if (this.#local) this.#pushDepth();
      else out.op(localGet, this.#scratch);
      out.byte(i32Or);
    }
    out.i32(0);
    out.byte(i32LessThan);
    this.#rarely(IF);
    out.byte(EMPTY);
    if (this.#local) {
      out.op(localGet, this.#counter);
      out.op(CALL, this.#frame > 0 ? helpers.enterLocal(this.#layout) : helpers.slowLocal(this.#layout));
      out.op(localSet, this.#counter);
    } else out.op(CALL, this.#frame > 0 ? helpers.enter(this.#layout) : helpers.slow(this.#layout));
    out.byte(END);
  }

  /** The block around the body, whose label stands for the function's own. */
  #openWrapper(results: number, resultBytes: Uint8Array): void {
    if (!this.#wrapped) return;
    const out = this.#out;
    out.byte(BLOCK);
    if (results === 0) out.byte(EMPTY);
    else if (results === 1) out.raw(resultBytes);
    else out.s32(this.#layout.functionType([], resultBytes, [0, results]));
  }

  /** Gives the frame back: from what the function found when it began, so that callees' accounts are not waited for. */
  #leaveDepth(): void {
    if (this.#frame === 0) return;
    this.#out.op(localGet, this.#depthLocal);
    this.#out.op(globalSet, this.#layout.depth);
  }

  /** Pushes the depth as it is in this function's frame. */
  #pushDepth(): void {
    this.#out.op(localGet, this.#depthLocal);
    this.#lessFrame();
  }

  #lessFrame(): void {
    this.#out.i32(this.#frame);
    this.#out.byte(i32Sub);
  }

  #moveDepth(bytes: number): void {
    const { depth } = this.#layout;
    const out = this.#out;
    out.op(globalGet, depth);
    out.i32(bytes);
    out.byte(i32Add);
    out.op(globalSet, depth);
  }

  /** Writes the code from `start` on with what actions `first` to `last` insert; returns where the last left off. */
  #actions(start: number, first: number, last: number, openWrapper?: () => void): number {
    const scan = this.#scan;
    const out = this.#out;
    const { actions } = scan;
    let cursor = start;
    let boundary = this.#boundary === 0 ? -1 : scan.boundaryAction * 4;
    const commit = this.#commit === 0 ? -1 : scan.commitAction * 4;
    for (let index = first * 4; index < last * 4; index += 4) {
      if (index === boundary) {
        boundary = -1;
        this.#copy(cursor, this.#boundary);
        cursor = this.#boundary;
        // the charge that stands here, if one does, is made with the test
        const charges = actions[index] === cursor && actions[index + 1] === Action.charge;
        this.#pay(this.#lateCost + (charges ? segmentCost(scan, actions[index + 2]!) : 0), true);
        openWrapper?.();
        if (charges) continue;
      }
      if (index === commit) {
        this.#copy(cursor, this.#commit);
        cursor = this.#commit;
        const charges = actions[index] === cursor && actions[index + 1] === Action.charge;
        this.#payAtCommit(this.#lateCost + (charges ? segmentCost(scan, actions[index + 2]!) : 0));
        if (charges) continue;
      }
      const at = actions[index]!;
      const a = actions[index + 2]!;
      const b = actions[index + 3]!;
      if (this.#giveBack > 0 && actions[index + 1] === Action.branch) {
        this.#copy(cursor, at - 1);
        cursor = this.#giveBackAndBranch(at, a, b);
        continue;
      }
      if (at > cursor) {
        this.#copy(cursor, at);
        cursor = at;
      }
      switch (actions[index + 1]) {
        case Action.charge:
          if (at >= this.#boundary) this.#charge(segmentCost(scan, a), scan.segmentTested[a] === 1);
          break;
        case Action.loop: {
          const unrolling = this.#isHot(a) ? planUnrolling(scan, a, this.#exact) : undefined;
          if (unrolling) {
            cursor = this.#unrolled(unrolling, a, at, b);
            index = scan.loopLast[a]! * 4;
            break;
          }
          this.#loop(a, at, b);
          cursor = b;
          break;
        }
        case Action.loopEnd:
          if (!this.#isHot(a)) break;
          this.#hotLoopEnd(Math.max(1, segmentCost(scan, scan.loopSegment[a]!)));
          cursor = at + 1;
          break;
        case Action.branch:
          if (!this.#local) break;
          cursor = this.#label(at, a, b);
          break;
        case Action.branchTable:
          if (!this.#local) break;
          cursor = this.#labels(at, a, b);
          break;
        case Action.call:
          if (!this.#local && !this.#foreignTailCalls) break;
          this.#toGlobal();
          this.#copy(at, b);
          cursor = b;
          if (this.#foreignTailCalls) this.#afterUnknown();
          else this.#toLocal();
          break;
        case Action.callImport:
          this.#callImport(at, b);
          cursor = b;
          break;
        case Action.callUnknown:
          this.#markUnknown();
          this.#copy(at, b);
          cursor = b;
          this.#afterUnknown();
          break;
        case Action.return:
          if (at < this.#boundary) {
            this.#charge(this.#earlyCost, false);
            break;
          }
          if (!this.#wrapped || (at < this.#commit && !this.#local)) break;
          this.#addBack();
          out.op(BR, a + HOT_LEVELS * this.#hotAround(b) + this.#deeper);
          cursor = at + 1;
          break;
        case Action.tailCall:
          this.#toGlobal();
          this.#leaveDepth();
          break;
        case Action.tailCallUnknown:
          this.#markUnknown();
          this.#leaveDepth();
          break;
        case Action.tailCallImport:
          this.#callImport(at, b, a);
          this.#leaveDepth();
          out.byte(RETURN);
          cursor = b;
          break;
        case Action.throw:
          this.#toGlobal();
          break;
        case Action.landing:
          this.#landing();
          break;
        case Action.dead:
          if (b === 1) out.byte(UNREACHABLE);
          cursor = a;
          break;
        case Action.bulk:
          this.#bulk(a, b === 1);
          if (a === Bulk.bytes) cursor = this.#inPieces(at, b === 1);
          break;
        case Action.allocate:
          out.i32(a);
          out.op(CALL, helpers.takeRoom(this.#layout));
          break;
        case Action.allocateArray:
          out.op(localGet, this.#length);
          out.i32(4 - Math.log2(Math.max(1, a)));
          out.byte(i32ShiftRight);
          // what the division leaves over, and the array's own words
          out.i32(2);
          out.byte(i32Add);
          out.op(CALL, helpers.takeRoom(this.#layout));
          break;
        case Action.memoryGrow:
        case Action.tableGrow:
          this.#toGlobal();
          out.op(
            CALL,
            actions[index + 1] === Action.memoryGrow
              ? helpers.growMemory(this.#layout, a)
              : helpers.growTable(this.#layout, a),
          );
          cursor = b;
          this.#toLocal();
          break;
        case Action.wait:
          this.#wait(a, at, b);
          cursor = b;
          break;
      }
    }
    return cursor;
  }

  /** Copies original code as it stands. */
  #copy(from: number, to: number): void {
    this.#map?.add(this.#out.at, from);
    this.#out.copy(this.#module.bytes, from, to);
  }

  #charge(cost: number, tested: boolean): void {
    if (cost === 0 && !tested) return;
    const out = this.#out;
    this.#pushCounter();
    out.i32(cost);
    out.byte(i32Sub);
    if (tested) this.#storeAndTest();
    else if (this.#local) out.op(localSet, this.#counter);
    else {
      if (this.#mirrors) out.op(localTee, this.#scratch);
      out.op(globalSet, this.#layout.fuel);
    }
  }

  #pushCounter(): void {
    if (this.#local || this.#mirrors) this.#out.op(localGet, this.#scratch);
    else this.#out.op(globalGet, this.#layout.fuel);
  }

  /** Stores the counter that is on top of the stack, and refills it when it is negative. */
  #storeAndTest(): void {
    const out = this.#out;
    out.op(localTee, this.#scratch);
    if (!this.#local) {
      out.op(globalSet, this.#layout.fuel);
      out.op(localGet, this.#scratch);
    }
    out.i32(0);
    out.byte(i32LessThan);
    this.#rarely(IF);
    out.byte(EMPTY);
    if (this.#local) {
      out.op(localGet, this.#counter);
      out.op(CALL, helpers.slowLocal(this.#layout));
      out.op(localSet, this.#counter);
    } else out.op(CALL, helpers.slow(this.#layout));
    out.byte(END);
  }

  /**
   * A loop's header. A hot loop holds no call: it leaves for a refill and is entered again.
   * `block loop block LOOP test BODY end br 2 end refill br 0 end end`
   */
  #loop(loop: number, at: number, headerEnd: number): void {
    const scan = this.#scan;
    const out = this.#out;
    const source = this.#module.bytes;
    const cost = Math.max(1, segmentCost(scan, scan.loopSegment[loop]!));
    this.#map?.add(out.at, at);
    if (!this.#isHot(loop)) {
      out.copy(source, at, headerEnd);
      if (scan.loopLanding[loop] === 1) this.#landing();
      this.#charge(cost, true);
      return;
    }
    out.byte(BLOCK);
    out.copy(source, at + 1, headerEnd);
    out.byte(LOOP);
    out.copy(source, at + 1, headerEnd);
    out.byte(BLOCK);
    out.byte(EMPTY);
    out.copy(source, at, headerEnd);
    out.op(localGet, this.#counter);
    out.i32(cost);
    out.byte(i32Sub);
    out.op(localTee, this.#counter);
    out.i32(0);
    out.byte(i32LessThan);
    this.#rarely(BR_IF);
    out.u32(1);
  }

  #hotLoopEnd(cost: number): void {
    const out = this.#out;
    out.byte(END);
    out.op(BR, 2);
    out.byte(END);
    out.op(localGet, this.#counter);
    out.op(CALL, helpers.slowLocal(this.#layout));
    out.i32(cost);
    out.byte(i32Add);
    out.op(localSet, this.#counter);
    out.op(BR, 0);
    out.byte(END);
    out.byte(END);
  }

  /** A small hot loop, from its header to its end; returns where that is. */
  #unrolled(unrolling: Unrolling, loop: number, at: number, headerEnd: number): number {
    const out = this.#out;
    const first = this.#scan.loopFirst[loop]! + 1;
    const last = this.#scan.loopLast[loop]!;
    this.#map?.add(out.at, at);
    writeUnrolled(unrolling, {
      out,
      counter: this.#counter,
      blockType: this.#module.bytes.subarray(at + 1, headerEnd),
      refill: helpers.slowLocal(this.#layout),
      rarely: () => this.#rarely(BR_IF),
      body: (deeper, giveBack) => {
        this.#deeper = deeper;
        this.#giveBack = giveBack;
        this.#copy(this.#actions(headerEnd, first, last), unrolling.end);
        this.#deeper = this.#giveBack = 0;
      },
    });
    return unrolling.end + 1;
  }

  #addBack(): void {
    if (this.#giveBack > 0) addToLocal(this.#out, this.#counter, this.#giveBack);
  }

  /** A `br` or `br_if` out of an unrolled loop, whose label stands at `at`; returns where it ended. */
  #giveBackAndBranch(at: number, loop: number, targetLoop: number): number {
    const out = this.#out;
    const conditional = this.#module.bytes[at - 1] === BR_IF;
    this.#map?.add(out.at, at - 1);
    if (conditional) {
      out.byte(IF);
      out.byte(EMPTY);
      this.#deeper++;
    }
    this.#addBack();
    out.byte(BR);
    const end = this.#label(at, loop, targetLoop);
    if (conditional) {
      out.byte(END);
      this.#deeper--;
    }
    return end;
  }

  #hotAround(loop: number): number {
    return loop < 0 ? 0 : this.#hot[loop]!;
  }

  /** Rewrites the label at `at`, past the levels of the hot loops it leaves; returns where it ended. */
  #label(at: number, loop: number, targetLoop: number): number {
    const levels = HOT_LEVELS * (this.#hotAround(loop) - this.#hotAround(targetLoop)) + this.#deeper;
    const first = this.#module.bytes[at]!;
    if (first < 0x80) {
      this.#out.u32(first + levels);
      return at + 1;
    }
    const reader = new Reader(this.#module.bytes, at);
    this.#out.u32(reader.u32() + levels);
    return reader.at;
  }

  #labels(at: number, loop: number, list: number): number {
    const reader = new Reader(this.#module.bytes, at);
    const count = reader.u32();
    const around = this.#hotAround(loop);
    this.#out.u32(count);
    for (let index = 0; index <= count; index++) {
      const targetLoop = this.#scan.tableLoops[list + index]!;
      this.#out.u32(reader.u32() + HOT_LEVELS * (around - this.#hotAround(targetLoop)));
    }
    return reader.at;
  }

  /** Brings the global up to date with the local. */
  #toGlobal(): void {
    if (!this.#local) return;
    this.#out.op(localGet, this.#counter);
    this.#out.op(globalSet, this.#layout.fuel);
    this.#giveAway();
  }

  /**
   * Marks that the global holds the counter, and not the local: a label to which a handler of try_table leads is also
   * reached without an exception, and has to know which of the two to believe.
   */
  #giveAway(): void {
    if (!this.#local || !this.#scan.hasTryTable) return;
    this.#out.i32(GIVEN_AWAY);
    this.#out.op(localSet, this.#counter);
  }

  #toLocal(): void {
    if (!this.#local) return;
    this.#out.op(globalGet, this.#layout.fuel);
    this.#out.op(localSet, this.#counter);
  }

  /** Remembers the counter before a call of unknown target: whoever is metered will have lowered it. */
  #markUnknown(): void {
    if (this.#check) {
      this.#pushCounter();
      this.#out.op(globalSet, this.#layout.mark);
    }
    this.#toGlobal();
  }

  /** If nothing metered ran since the last call of unknown target, the host did. */
  #afterUnknown(): void {
    if (!this.#check) {
      this.#toLocal();
      return;
    }
    const out = this.#out;
    out.op(globalGet, this.#layout.fuel);
    if (this.#local) out.op(localTee, this.#counter);
    out.op(globalGet, this.#layout.mark);
    out.byte(i32Eq);
    this.#rarely(IF);
    out.byte(EMPTY);
    out.op(CALL, helpers.afterHost(this.#layout));
    this.#toLocal();
    out.byte(END);
  }

  /** A call of an import: the counter is parked meanwhile, so that a handler that catches its failure asks the host. */
  #callImport(at: number, end: number, tailTarget?: number): void {
    const out = this.#out;
    if (this.#check) {
      this.#pushCounter();
      out.i32(PARKED);
      out.byte(i32Sub);
      out.op(globalSet, this.#layout.fuel);
      this.#giveAway();
    } else this.#toGlobal();
    if (this.#frame > 0) this.#moveDepth(-HOST_FRAME_BYTES);
    if (tailTarget === undefined) this.#copy(at, end);
    else out.op(CALL, tailTarget);
    if (this.#frame > 0) this.#moveDepth(HOST_FRAME_BYTES);
    if (this.#check) out.op(CALL, helpers.afterHost(this.#layout));
    this.#toLocal();
  }

  /** Where an exception was caught: depth is as this function left it, and time may have passed in the host. */
  #landing(): void {
    const out = this.#out;
    const { depth, fuel, mark } = this.#layout;
    if (this.#frame > 0) {
      this.#pushDepth();
      out.op(globalSet, depth);
    }
    const knows = this.#local && this.#scan.hasTryTable;
    if (knows) {
      out.op(localGet, this.#counter);
      out.i32(GIVEN_AWAY);
      out.byte(i32Eq);
      this.#rarely(IF);
      out.byte(EMPTY);
    }
    if (this.#check) {
      out.op(globalGet, fuel);
      out.op(globalGet, mark);
      out.byte(i32Eq);
      out.op(globalGet, fuel);
      out.i32(0);
      out.byte(i32LessThan);
      out.byte(i32Or);
      this.#rarely(IF);
      out.byte(EMPTY);
      out.op(CALL, helpers.afterHost(this.#layout));
      out.byte(END);
    }
    this.#toLocal();
    if (knows) out.byte(END);
  }

  /** Charges the length that is on top of the stack, and leaves it there. */
  #bulk(unit: number, wide: boolean): void {
    const out = this.#out;
    if (wide) {
      this.#toGlobal();
      out.op(CALL, helpers.chargeWide(this.#layout, unit === Bulk.bytes ? 4 : 0));
      this.#toLocal();
      return;
    }
    out.op(localTee, this.#length);
    this.#pushCounter();
    out.op(localGet, this.#length);
    // at most 2^28 each way: no array has more elements, no table more than 2^25 entries
    if (unit === Bulk.bytes) {
      out.i32(4);
      out.byte(i32ShiftRight);
    } else {
      out.i32(unit === Bulk.elements ? 0x0fff_ffff : 0x01ff_ffff);
      out.byte(i32And);
    }
    if (unit === Bulk.entries) {
      out.i32(3);
      out.byte(i32ShiftLeft);
    }
    out.byte(i32Sub);
    this.#storeAndTest();
  }

  /** Writes memory.fill and memory.copy so that large ones are interrupted; returns where the instruction ended. */
  #inPieces(at: number, wide: boolean): number {
    const reader = new Reader(this.#module.bytes, at + 1);
    const code = reader.u32();
    if (code !== MEMORY_COPY && code !== MEMORY_FILL) return at;
    const copies = code === MEMORY_COPY;
    const memory = reader.u32();
    const source = copies ? reader.u32() : memory;
    const { memories } = this.#module;
    if (memories[memory]!.limits.wide !== memories[source]!.limits.wide) return at;
    const layout = this.#layout;
    const out = this.#out;
    const helper = copies ? copyInPieces(layout, memory, source) : fillInPieces(layout, memory);
    const call = (): void => {
      this.#toGlobal();
      out.op(CALL, helper);
      this.#toLocal();
    };
    if (wide) {
      call();
      return reader.at;
    }
    out.op(localGet, this.#length);
    out.i32(PIECE_BYTES);
    out.byte(i32Greater);
    this.#rarely(IF);
    out.s32(layout.functionType([I32, I32, I32], []));
    call();
    out.byte(ELSE);
    this.#copy(at, reader.at);
    out.byte(END);
    return reader.at;
  }

  #wait(width: number, at: number, end: number): void {
    const reader = new Reader(this.#module.bytes, at + 1, end);
    reader.u32();
    const from = reader.at;
    const memory = reader.u32() & 0x40 ? reader.u32() : 0;
    const helper = helpers.wait(this.#layout, width, memory, this.#module.bytes.slice(from, end));
    this.#toGlobal();
    this.#out.op(CALL, helper);
    this.#toLocal();
  }

  /** Writes a branch that is rarely taken, and notes it for the engine. */
  #rarely(opcode: number): void {
    this.#hints.push(this.#out.at - this.#bodyStart);
    this.#out.byte(opcode);
  }
}

/** What a function pays of `cost`, which is executed first: its caller's call has paid the rest. */
function ownCost(cost: number): number {
  return Math.max(0, cost - PREPAID);
}

function segmentCost(scan: Scan, segment: number): number {
  return Math.min(scan.segmentCost[segment]!, MAX_COST);
}
