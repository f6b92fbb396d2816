import { Action, Bulk } from "./actions.ts";
import { BodyReader } from "./body-reader.ts";
import { END } from "./bytecode.ts";
import { granulesOf } from "./constants.ts";
import { DepthBy } from "./depth.ts";
import { PREPAID } from "./layout.ts";
import { LongestWay } from "./longest-way.ts";
import type { ModuleInfo } from "./module.ts";
import { deltaOf, describeOpcode, Immediate, immediateOf, Role } from "./opcodes.ts";
import { tooLarge, truncated, unsupported } from "./reader.ts";

/**
 * The same within one block that calls, where what it calls is counted exactly. These calls may be the first of as many functions, which engines compile
 * then: some five thousand units' worth in a millisecond.
 */
const TEST_CALLS_EVERY = 5_000;
/** Blocks up to this cost are charged with the block that leads to them, whether or not they are executed. */
const SMALL_BLOCK = 12;
/** What a block may be charged for such blocks in all. */
const SMALL_BLOCKS = 20;
/** What may be executed before a function's boundary, see {@link Scan.boundary}. */
const PRELUDE_COST = 48;
/** More places than this are not remembered, see {@link Scan.commit}. */
const MAX_COMMITS = 32;
/** No place is passed by. */
const NONE = 2 ** 30;
/** What a call of an import costs beyond a call. */
const IMPORT_COST = 100;
/** Values of an exception that is charged only where it can be kept: the stack holds few of them. */
const SMALL_EXCEPTION = 8;
/** How much more an exception takes for its values than the stack does: V8 keeps them in pieces of 16 bits, a word for each. */
const EXCEPTION_SHARE = 4;
/** A literal length up to which a bulk operation is charged with its block. */
const LITERAL_BULK = 1024;

/** What the scan has to know beyond the module. */
export interface ScanOptions {
  /** Charge each basic block, rather than each loop's body as a whole. */
  readonly exact: boolean;
  /** Growth and allocation are held to a cap. */
  readonly capped: boolean;
  readonly tableCapped: boolean;
  readonly refuseRelaxedSimd: boolean;
  readonly maxNesting: number;
  /** The cost of a function that its callers pay for, by index; -1 for the others. */
  readonly leafCosts: Int32Array;
  /** How each function comes to know the depth: see {@link DepthBy}. */
  readonly depthBy: Uint8Array;
  /** What a call of a function without a test costs at most, beside what its caller pays; 0 for the others. */
  readonly untested: Int32Array;
  /** Calls of this module's functions may return from a foreign one, reached by a tail call. */
  readonly foreignTailCalls: boolean;
}

const Frame = { function: 0, block: 1, loop: 2, if: 3, else: 4, try: 5, catch: 6, tryTable: 7 } as const;

const NO_LOOP = -1;
const BR_IF = 0x0d;

// Of each open block so many numbers are kept, one block after another: what it is, the height below its parameters, their count and the results',
// the segment that it begins in, the outermost block that code inside leaves for, the innermost loop; whether branches lead to its label, exception
// handlers do, and the end of an arm before `else` or `catch` is reached; where a test has to stand; and from which place for `commit` on branches
// to its label pass by all.
const FRAME = 12;
const KIND = 0;
const BASE = 1;
const PARAMS = 2;
const RESULTS = 3;
const SEGMENT = 4;
const ESCAPE = 5;
const LOOP = 6;
const TARGETED = 7;
const LANDING = 8;
const ARM_ALIVE = 9;
const TEST_PAST = 10;
const PASSES = 11;

/**
 * Reads the bodies of a module's functions one after another and notes for each what has to be inserted where.
 * Bodies are read with a loop and a stack of its own, so that deep nesting costs memory and no call depth.
 *
 * Charges: code is divided into segments, each charged where it begins. In exact mode a segment holds the
 * instructions that are executed if its first one is, exceptions and traps aside: code behind a block from which no
 * branch leads further out belongs to the segment before the block. In deadline mode a segment is a loop's body, or
 * the function, without the loops inside, and costs what the longest way through it does.
 */
export class Scan {
  actions: Int32Array = new Int32Array(4096);
  actionCount = 0;
  segmentCost: Float64Array = new Float64Array(256);
  segmentTested: Uint8Array = new Uint8Array(256);
  /** The segment that is executed whenever this one is; -1 where the two are not to be charged together. */
  #segmentParent: Int32Array = new Int32Array(256);
  #segmentExtra: Int32Array = new Int32Array(256);
  segments = 0;
  loops = 0;
  loopParent: Int32Array = new Int32Array(64);
  loopSegment: Int32Array = new Int32Array(64);
  /** 1: the loop makes calls, or holds exception handlers. */
  loopCalls: Uint8Array = new Uint8Array(64);
  /** 1: the loop takes parameters. */
  loopParams: Uint8Array = new Uint8Array(64);
  /** 1: an exception handler branches to the loop's header. */
  loopLanding: Uint8Array = new Uint8Array(64);
  /** 1: the loop holds blocks or loops, or is left by something before which nothing can be done. */
  loopStays: Uint8Array = new Uint8Array(64);
  /** The actions of the loop's header and end. */
  loopFirst: Int32Array = new Int32Array(64);
  loopLast: Int32Array = new Int32Array(64);
  /** The loops that br_table's targets stand in, one list after another. */
  tableLoops: number[] = [];
  /** What all code of the function costs, whether executed or not. */
  cost = 0;
  maxHeight = 0;
  /** Has instructions on vectors. */
  usesVectors = false;
  /** Makes calls that can nest. */
  hasCalls = false;
  /** Calls of what finds the depth in its global, and leaves it as it was. */
  depthReaders = 0;
  /** Calls after which it may be lower than it was. */
  depthLosers = 0;
  hasLanding = false;
  hasTryTable = false;
  /** An exception handler branches out of the function's body. */
  functionLanding = false;
  hasDynamicLength = false;
  /**
   * A position up to which the function has cost little, called nothing, and may have returned: 0 when there is none.
   * What comes before is not worth a test, nor a frame, and is paid for at the boundary or where the function returns
   * before it. The operand stack is empty there, and no block is open.
   */
  boundary = 0;
  /** The first action behind the boundary. */
  boundaryAction = 0;
  /** What all code before the boundary costs, whether executed or not. */
  boundaryCost = 0;
  /**
   * Where there is no such boundary: the last position that all calls, loops and operations of unknown length lie behind,
   * on every way through the function, and that some way to its end passes by; 0 when there is none. Blocks may be open
   * there, and operands on the stack. What a way past it executes costs little, and calls nothing.
   */
  commit = 0;
  /** The first action behind it. */
  commitAction = 0;
  /** Code that ends the function normally is reached past it as well as through it, other than by `return`. */
  commitJoins = false;
  /** Leaves the function by something else than `return`. */
  #branchesOut = false;
  /** Places that may become {@link commit}: each lies behind those before it. */
  #commits = 0;
  readonly #commitAt = new Int32Array(MAX_COMMITS);
  readonly #commitActions = new Int32Array(MAX_COMMITS);
  readonly #commitSerials = new Int32Array(MAX_COMMITS);
  /** How many places there were, forgotten ones too. */
  #serial = 0;
  /** Something that counts was met: there are no further places. */
  #committed = false;
  /** The code at the cursor is reached past all places from this one on. */
  #passed = NONE;
  /** The cost of all code up to where that began. */
  #passedFrom = 0;
  /** Has a tail call whose target is not known. */
  hasUnknownTailCall = false;

  /** How many actions there were where several ways last came together. */
  #joined = 0;

  readonly #module: ModuleInfo;
  readonly #options: ScanOptions;
  readonly #body: BodyReader;

  // the stack of open blocks
  #frames: Int32Array = new Int32Array(64 * FRAME);

  /** In deadline mode. */
  readonly #ways: LongestWay | undefined;

  constructor(module: ModuleInfo, options: ScanOptions) {
    this.#module = module;
    this.#options = options;
    this.#body = new BodyReader(module, options.refuseRelaxedSimd);
    this.#ways = options.exact ? undefined : new LongestWay();
  }

  /** Reads one body, from the first instruction to its end. */
  run(from: number, to: number, functionType: number): void {
    const { exact, capped, tableCapped, maxNesting, leafCosts, depthBy, untested, foreignTailCalls } =
      this.#options;
    const { types, functions, importedFunctions, memories, tables, tags, keepsExceptions } = this.#module;
    const body = this.#body;
    const ways = this.#ways;
    this.#reset();
    body.begin(from, to);
    ways?.reset();

    let depth = 0;
    let current = this.#newSegment(-1);
    let segmentStart = 0;
    // what functions without a test cost that were called since the last one
    let beside = 0;
    let loop = NO_LOOP;
    let alive = true;

    this.#open(0, Frame.function, 0, 0, types[functionType]!.results, current, loop, 0);

    for (;;) {
      const role = body.straight();
      const { start, slot } = body;
      let conditional = false;
      switch (role) {
        // the frequent ones first
        case Role.end:
        case Role.delegate: {
          this.#joined = this.actionCount;
          if (role === Role.delegate) body.skipLeb();
          this.segmentCost[current]! += body.total - segmentStart;
          segmentStart = body.total;
          const kind = this.#frames[depth * FRAME + KIND]!;
          if (depth === 0) {
            this.#act(start, Action.dead, body.at, 0);
            if (body.at !== to) throw truncated(body.at);
            if (ways) this.#lower(0, ways.finish(body.total));
            else this.#chargeSmallBlocks();
            this.#decideCommit(body.total);
            this.cost = body.total;
            this.maxHeight = body.maxHeight;
            this.usesVectors = body.usesVectors;
            this.functionLanding = this.#frames[LANDING] === 1;
            return;
          }
          const escape = this.#frames[depth * FRAME + ESCAPE]!;
          const escapes = escape < depth;
          const targeted = this.#frames[depth * FRAME + TARGETED] === 1 && kind !== Frame.loop;
          const reachable =
            alive || targeted || kind === Frame.if || this.#frames[depth * FRAME + ARM_ALIVE] === 1;
          const outer = this.#frames[depth * FRAME + SEGMENT]!;
          if (kind === Frame.loop) {
            this.loopLast[loop] = this.actionCount;
            this.#act(start, Action.loopEnd, loop, alive ? 1 : 0);
            const parent = this.loopParent[loop]!;
            if (parent !== NO_LOOP) {
              this.loopStays[parent] = 1;
              if (this.loopCalls[loop] === 1) this.loopCalls[parent] = 1;
            }
            if (ways) this.#lower(this.loopSegment[loop]!, ways.closeLoop(depth, body.total));
            loop = parent;
          }
          ways?.close(depth, body.total, alive, kind === Frame.if);
          body.height = this.#frames[depth * FRAME + BASE]! + this.#frames[depth * FRAME + RESULTS]!;
          body.push(0);
          if (this.#frames[depth * FRAME + LANDING] === 1) this.#act(body.at, Action.landing, 0, 0);
          body.testPast = this.#frames[depth * FRAME + TEST_PAST]!;
          const fallsThrough = alive && !targeted && (kind === Frame.block || kind === Frame.loop);
          this.#passBy(this.#frames[depth * FRAME + PASSES]!, body.total);
          depth--;
          if (escape < this.#frames[depth * FRAME + ESCAPE]!) this.#frames[depth * FRAME + ESCAPE] = escape;
          if (!reachable) {
            alive = false;
            break;
          }
          alive = true;
          if (escapes && kind !== Frame.loop) this.#markCommit(body.total);
          if (escapes && depth === 0 && body.height === 0 && this.#markBoundary(body.total)) {
            if (exact) current = this.#charge(body.at, -1);
          } else if (!exact || !escapes) current = outer;
          else if (!fallsThrough) current = this.#charge(body.at, outer);
          break;
        }
        case Role.block:
        case Role.if:
        case Role.tryTable:
        case Role.try: {
          body.blockType();
          if (role === Role.if) body.height--;
          const base = body.height - body.typeParams;
          if (++depth > maxNesting) throw tooLarge("maxNesting", depth, maxNesting);
          const kind =
            role === Role.block
              ? Frame.block
              : role === Role.if
                ? Frame.if
                : role === Role.try
                  ? Frame.try
                  : Frame.tryTable;
          this.#open(depth, kind, base, body.typeParams, body.typeResults, current, loop, body.testPast);
          if (loop !== NO_LOOP) this.loopStays[loop] = 1;
          ways?.open(depth, body.total, false);
          if (role === Role.if) {
            conditional = true;
            this.#frames[depth * FRAME + PASSES] = this.#passing();
          } else if (role !== Role.block) {
            this.#commitNow();
            if (ways) ways.unknown = true;
            if (loop !== NO_LOOP) this.loopCalls[loop] = 1;
            if (role === Role.tryTable) this.#catchClauses(depth);
          }
          break;
        }
        case Role.call: {
          const target = body.u32();
          const type = types[functions[target]!]!;
          body.push(type.results - type.params);
          if (target < importedFunctions) {
            body.total += IMPORT_COST;
            this.depthLosers++;
            this.#call(start, Action.callImport, target);
            this.#noteCall(loop);
          } else if (leafCosts[target]! >= 0) body.total += leafCosts[target]!;
          else {
            body.total += PREPAID;
            beside += untested[target]!;
            if (depthBy[target] === DepthBy.global && !foreignTailCalls) this.depthReaders++;
            else if (depthBy[target] !== DepthBy.none) this.depthLosers++;
            this.#call(start, Action.call, target);
            this.#noteCall(loop);
          }
          break;
        }
        case Role.branchIf:
          if (immediateOf[slot] === Immediate.castBranch) body.at++;
          this.#branch(depth, loop, body.total, true);
          if (immediateOf[slot] === Immediate.castBranch) {
            body.heapType();
            body.heapType();
          }
          body.height += deltaOf[slot]!;
          conditional = true;
          break;
        case Role.branch:
          this.#branch(depth, loop, body.total, false);
          alive = false;
          break;
        case Role.return:
          this.#act(start, Action.return, depth, loop);
          this.#leaveFunction(depth);
          alive = false;
          break;
        case Role.else:
        case Role.catch:
        case Role.catchAll: {
          this.#joined = this.actionCount;
          if (alive) this.#frames[depth * FRAME + ARM_ALIVE] = 1;
          if (alive) ways?.join(depth, body.total);
          ways?.restart(depth, body.total);
          this.segmentCost[current]! += body.total - segmentStart;
          segmentStart = body.total;
          body.height = this.#frames[depth * FRAME + BASE]!;
          alive = true;
          if (role === Role.else) {
            this.#frames[depth * FRAME + KIND] = Frame.else;
            this.#passBy(this.#frames[depth * FRAME + PASSES]!, body.total);
            // at the block's end both arms meet
            if (!this.#frames[depth * FRAME + ARM_ALIVE])
              this.#frames[depth * FRAME + PASSES] = this.#frames[depth * FRAME + TARGETED]
                ? this.#frames[depth * FRAME + PASSES]!
                : NONE;
            this.#markCommit(body.total);
            body.height += this.#frames[depth * FRAME + PARAMS]!;
          } else {
            this.#frames[depth * FRAME + KIND] = Frame.catch;
            if (role === Role.catch) body.height += types[tags[body.u32()]!]!.params;
            this.hasLanding = true;
            this.#act(body.at, Action.landing, 0, 0);
          }
          body.push(0);
          current =
            role !== Role.else
              ? this.#charge(body.at, -1)
              : exact
                ? this.#charge(body.at, this.#frames[depth * FRAME + SEGMENT]!)
                : this.#frames[depth * FRAME + SEGMENT]!;
          body.testPast = this.#frames[depth * FRAME + TEST_PAST]!;
          break;
        }
        case Role.loop: {
          body.blockType();
          this.#commitNow();
          if (++depth > maxNesting) throw tooLarge("maxNesting", depth, maxNesting);
          this.segmentCost[current]! += body.total - segmentStart;
          segmentStart = body.total;
          const outer = current;
          current = this.#newSegment(-1);
          loop = this.#newLoop(loop, current, body.typeParams > 0);
          this.#open(
            depth,
            Frame.loop,
            body.height - body.typeParams,
            body.typeParams,
            body.typeResults,
            outer,
            loop,
            body.testPast,
          );
          // the header tests what is inside; what follows the loop is charged with what stands before it
          body.testFromHere();
          ways?.open(depth, body.total, true);
          this.loopFirst[loop] = this.actionCount;
          this.#act(start, Action.loop, loop, body.at);
          break;
        }
        case Role.callIndirect:
        case Role.callRef: {
          const type = types[body.u32()]!;
          if (role === Role.callIndirect) body.skipLeb();
          body.push(type.results - type.params - 1);
          body.total += PREPAID;
          // what is not this module's may call it and catch what it throws
          this.depthLosers++;
          this.#call(start, Action.callUnknown, 0);
          this.#noteCall(loop);
          break;
        }
        case Role.branchTable:
          this.#branchTable(depth, loop, body.total);
          alive = false;
          break;
        case Role.tailCall: {
          const target = body.u32();
          if (target < importedFunctions) {
            body.total += IMPORT_COST;
            this.depthLosers++;
            this.#act(start, Action.tailCallImport, target, body.at);
          } else {
            body.total += leafCosts[target]! >= 0 ? leafCosts[target]! : PREPAID;
            this.#act(start, Action.tailCall, target, body.at);
          }
          this.#noteCall(loop);
          this.#leaveFunction(depth);
          alive = false;
          break;
        }
        case Role.tailCallIndirect:
        case Role.tailCallRef:
          body.skipLeb();
          if (role === Role.tailCallIndirect) body.skipLeb();
          body.total += PREPAID;
          this.#act(start, Action.tailCallUnknown, 0, body.at);
          this.#noteCall(loop);
          this.hasUnknownTailCall = true;
          this.#leaveFunction(depth);
          alive = false;
          break;
        case Role.throw: {
          this.#commitNow();
          const type = types[tags[body.u32()]!]!;
          if (capped && (keepsExceptions || type.hasReferences || type.params > SMALL_EXCEPTION))
            this.#act(start, Action.allocate, granulesOf(type.paramStack * EXCEPTION_SHARE + 64), 0);
          if (loop !== NO_LOOP) this.loopStays[loop] = 1;
          this.#act(start, Action.throw, 0, 0);
          alive = false;
          break;
        }
        case Role.rethrow:
          body.skipLeb();
          if (loop !== NO_LOOP) this.loopCalls[loop] = 1;
          this.#commitNow();
          this.#act(start, Action.throw, 0, 0);
          alive = false;
          break;
        case Role.throwRef:
          if (loop !== NO_LOOP) this.loopStays[loop] = 1;
          this.#commitNow();
          this.#act(start, Action.throw, 0, 0);
          alive = false;
          break;
        case Role.unreachable:
          alive = false;
          break;
        case Role.memoryGrow: {
          const memory = body.u32();
          this.#commitNow();
          if (capped) {
            this.#act(start, Action.memoryGrow, memory, body.at);
            this.#noteHelper(loop);
          }
          break;
        }
        case Role.tableGrow: {
          const table = body.u32();
          this.#commitNow();
          if (tableCapped) {
            this.#act(start, Action.tableGrow, table, body.at);
            this.#noteHelper(loop);
          }
          body.height--;
          break;
        }
        case Role.bulkMemory:
        case Role.bulkTable: {
          const unit = role === Role.bulkMemory ? Bulk.bytes : Bulk.entries;
          const literal = body.literal();
          const known = literal >= 0 && literal <= LITERAL_BULK;
          const wide = this.#bulkIsWide(slot, role === Role.bulkMemory ? memories : tables);
          if (known && !wide) body.total += unit === Bulk.bytes ? literal >>> 4 : literal * 8;
          else this.#bulk(start, unit, wide, loop);
          body.height -= 3;
          break;
        }
        case Role.bulkArray:
          body.skipImmediate(immediateOf[slot]!);
          this.#bulk(start, Bulk.elements, false, loop);
          body.height += deltaOf[slot]!;
          break;
        case Role.structNew:
        case Role.structNewDefault: {
          const type = types[body.u32()]!;
          if (capped) this.#allocate(start, granulesOf(type.size), loop);
          body.push(1 - (role === Role.structNew ? type.params : 0));
          break;
        }
        case Role.arrayNew: {
          const type = types[body.u32()]!;
          if (immediateOf[slot] === Immediate.leb2) body.skipLeb();
          this.#bulk(start, Bulk.elements, false, loop);
          if (capped) this.#act(start, Action.allocateArray, type.size, 0);
          body.height += deltaOf[slot]!;
          break;
        }
        case Role.arrayNewFixed: {
          const type = types[body.u32()]!;
          const count = body.u32();
          body.total += count;
          if (capped) this.#allocate(start, granulesOf(type.size * count), loop);
          body.push(1 - count);
          break;
        }
        case Role.wait:
          body.skipMemory();
          this.#act(start, Action.wait, slot & 1 ? 32 : 64, body.at);
          this.#noteHelper(loop);
          body.height -= 2;
          break;
        case Role.plain:
          break;
        default:
          throw unsupported(describeOpcode(slot), start);
      }
      if (!alive) {
        // What follows, up to the end of the block, is left out: nothing there can be executed. Behind a block that never
        // ends, an `unreachable` says so, since the operands left on the stack are not what the next `end` expects.
        const from = body.at;
        const resume = body.bytes[from] === END ? from : body.skipDead();
        ways?.note(body.total);
        if (resume > from)
          this.#act(from, Action.dead, resume, role === Role.end || role === Role.delegate ? 1 : 0);
        body.at = resume;
        this.segmentCost[current]! += body.total - segmentStart;
        segmentStart = body.total;
        continue;
      }
      if (conditional) {
        this.#markCommit(body.total);
        if (exact) {
          this.segmentCost[current]! += body.total - segmentStart;
          segmentStart = body.total;
          current = this.#charge(body.at, current);
        }
      }
      if (
        body.total + beside > body.testPast ||
        (exact && body.total - segmentStart + beside > TEST_CALLS_EVERY)
      ) {
        this.segmentCost[current]! += body.total - segmentStart;
        segmentStart = body.total;
        beside = 0;
        body.testFromHere();
        current = this.#charge(body.at, -1);
        this.segmentTested[current] = 1;
      }
    }
  }
  #reset(): void {
    this.#joined = 0;
    this.actionCount = this.segments = this.loops = 0;
    if (this.tableLoops.length > 0) this.tableLoops.length = 0;
    this.hasCalls = this.hasLanding = this.hasTryTable = this.functionLanding = false;
    this.depthReaders = this.depthLosers = 0;
    this.hasDynamicLength = this.hasUnknownTailCall = false;
    this.boundary = this.boundaryAction = this.boundaryCost = 0;
    this.#branchesOut = this.#committed = this.commitJoins = false;
    this.commit = this.commitAction = this.#commits = this.#serial = 0;
    this.#passed = NONE;
  }

  #open(
    depth: number,
    kind: number,
    base: number,
    params: number,
    results: number,
    segment: number,
    loop: number,
    testPast: number,
  ): void {
    const at = depth * FRAME;
    if (at === this.#frames.length) this.#frames = grown(this.#frames);
    const frames = this.#frames;
    frames[at + KIND] = kind;
    frames[at + BASE] = base;
    frames[at + PARAMS] = params;
    frames[at + RESULTS] = results;
    frames[at + SEGMENT] = segment;
    frames[at + ESCAPE] = depth;
    frames[at + LOOP] = loop;
    frames[at + TARGETED] = 0;
    frames[at + LANDING] = 0;
    frames[at + ARM_ALIVE] = 0;
    frames[at + TEST_PAST] = testPast;
    frames[at + PASSES] = NONE;
  }

  #act(at: number, action: number, a: number, b: number): void {
    const index = this.actionCount * 4;
    if (index === this.actions.length) this.actions = grown(this.actions);
    const { actions } = this;
    actions[index] = at;
    actions[index + 1] = action;
    actions[index + 2] = a;
    actions[index + 3] = b;
    this.actionCount++;
  }

  /** Notes a call, and in the action before whether that is one as well, from which alone this one is reached. */
  #call(start: number, action: number, target: number): void {
    const before = this.actionCount - 1;
    if (this.#options.exact && before >= this.#joined) {
      const kind = this.actions[before * 4 + 1]!;
      if (kind === Action.call || kind === Action.callUnknown || kind === Action.callImport)
        this.actions[before * 4 + 2]! |= 1;
    }
    this.#act(start, action, target * 2, this.#body.at);
  }

  #newSegment(parent: number): number {
    if (this.segments === this.segmentCost.length) {
      this.segmentCost = grown(this.segmentCost);
      this.segmentTested = grown(this.segmentTested);
      this.#segmentParent = grown(this.#segmentParent);
      this.#segmentExtra = grown(this.#segmentExtra);
    }
    const segment = this.segments++;
    this.segmentCost[segment] = this.segmentTested[segment] = this.#segmentExtra[segment] = 0;
    this.#segmentParent[segment] = parent;
    return segment;
  }

  /** Begins a segment at `at`; segment `parent` leads there. */
  #charge(at: number, parent: number): number {
    const segment = this.#newSegment(parent);
    this.#act(at, Action.charge, segment, 0);
    return segment;
  }

  /** Moves the cost of small segments to those that lead to them: a charge costs more than they do. */
  #chargeSmallBlocks(): void {
    for (let segment = this.segments - 1; segment > 0; segment--) {
      const parent = this.#segmentParent[segment]!;
      const cost = this.segmentCost[segment]!;
      if (parent < 0 || cost > SMALL_BLOCK || this.#segmentExtra[parent]! + cost > SMALL_BLOCKS) continue;
      this.#segmentExtra[parent]! += cost;
      this.segmentCost[parent]! += cost;
      this.segmentCost[segment] = 0;
    }
  }

  /** Notes that the function may begin in earnest at the cursor, if it has done next to nothing so far. */
  #markBoundary(total: number): boolean {
    if (this.hasCalls || this.loops > 0 || this.hasDynamicLength || this.hasLanding) return false;
    if (total > PRELUDE_COST || this.#frames[TARGETED] === 0 || this.#branchesOut) return false;
    this.boundary = this.#body.at;
    this.boundaryAction = this.actionCount;
    this.boundaryCost = Math.max(1, total);
    return true;
  }

  /** Notes that the code at the cursor, which costly things may follow, is not reached on every way. */
  #markCommit(total: number): void {
    if (this.#committed || total > PRELUDE_COST || this.#commits === MAX_COMMITS) return;
    this.#commitAt[this.#commits] = this.#body.at;
    this.#commitActions[this.#commits] = this.actionCount;
    this.#commitSerials[this.#commits++] = this.#serial++;
  }

  /** Something stands at the cursor that no way past the commit may meet. */
  #commitNow(): void {
    this.#committed = true;
    this.#forgetFrom(this.#passed);
    this.#passed = NONE;
  }

  #forgetFrom(first: number): void {
    while (this.#lastCommit() >= first) this.#commits--;
  }

  #lastCommit(): number {
    return this.#commits === 0 ? -1 : this.#commitSerials[this.#commits - 1]!;
  }

  /** The first place that whoever leaves the code at the cursor has not gone through. */
  #passing(): number {
    return Math.min(this.#passed, this.#serial);
  }

  /** The code at the cursor is reached past all places from `first` on. */
  #passBy(first: number, total: number): void {
    // before anything counts, the places that were passed by are of no use
    if (!this.#committed) this.#forgetFrom(first);
    else if (first <= this.#lastCommit() && first < this.#passed) {
      if (this.#passed === NONE) this.#passedFrom = total;
      this.#passed = first;
    }
  }

  #decideCommit(total: number): void {
    const joins = Math.min(this.#passed, this.#frames[PASSES]!);
    if (this.#passed !== NONE && total - this.#passedFrom > PRELUDE_COST) this.#commitNow();
    if (this.#commits === 0 || this.boundary > 0 || this.hasLanding) return;
    if (!this.hasCalls && this.loops === 0) return;
    this.commit = this.#commitAt[this.#commits - 1]!;
    this.commitAction = this.#commitActions[this.#commits - 1]!;
    this.commitJoins = joins <= this.#lastCommit();
  }

  /** A segment costs no more than the longest way through it. */
  #lower(segment: number, cost: number): void {
    this.segmentCost[segment] = Math.min(this.segmentCost[segment]!, cost);
  }

  #newLoop(parent: number, segment: number, params: boolean): number {
    if (this.loops === this.loopParent.length) {
      this.loopParent = grown(this.loopParent);
      this.loopSegment = grown(this.loopSegment);
      this.loopCalls = grown(this.loopCalls);
      this.loopParams = grown(this.loopParams);
      this.loopLanding = grown(this.loopLanding);
      this.loopStays = grown(this.loopStays);
      this.loopFirst = grown(this.loopFirst);
      this.loopLast = grown(this.loopLast);
    }
    const loop = this.loops++;
    this.loopParent[loop] = parent;
    this.loopSegment[loop] = segment;
    this.loopCalls[loop] = this.loopLanding[loop] = this.loopStays[loop] = 0;
    this.loopParams[loop] = params ? 1 : 0;
    return loop;
  }

  #noteCall(loop: number): void {
    this.hasCalls = true;
    this.#noteHelper(loop);
  }

  /** A call that does not nest: it ends in the engine or the host. */
  #noteHelper(loop: number): void {
    this.#commitNow();
    if (loop !== NO_LOOP) this.loopCalls[loop] = 1;
  }

  /** A bulk operation of unknown length: charged where it stands. */
  #bulk(at: number, unit: number, wide: boolean, loop: number): void {
    this.hasDynamicLength = true;
    this.#act(at, Action.bulk, unit, wide ? 1 : 0);
    this.#noteHelper(loop);
  }

  #allocate(at: number, granules: number, loop: number): void {
    this.#act(at, Action.allocate, granules, 0);
    this.#noteHelper(loop);
  }

  /** Reads a bulk instruction's indices and tells whether its length has 64 bits. */
  #bulkIsWide(slot: number, entries: readonly { readonly limits: { readonly wide: boolean } }[]): boolean {
    const first = this.#body.u32();
    if (immediateOf[slot] === Immediate.leb) return entries[first]?.limits.wide === true;
    const second = this.#body.u32();
    if (isInit(slot)) return false;
    return entries[first]?.limits.wide === true && entries[second]?.limits.wide === true;
  }

  /** Notes that control leaves the block at `depth` for the label that stands at the cursor. */
  #branch(depth: number, loop: number, total: number, conditional: boolean): void {
    const at = this.#body.at;
    const target = depth - this.#body.u32();
    this.#frames[target * FRAME + TARGETED] = 1;
    if (target === 0) this.#branchesOut = true;
    this.#passTo(target, total);
    if (target < this.#frames[depth * FRAME + ESCAPE]!) this.#frames[depth * FRAME + ESCAPE] = target;
    const targetLoop = this.#frames[target * FRAME + LOOP]!;
    if (targetLoop === loop) return;
    this.#act(at, Action.branch, loop, targetLoop);
    // values that a conditional branch takes along, or leaves if it is not taken, are in the way
    const values =
      this.#frames[target * FRAME + KIND] === Frame.loop
        ? this.#frames[target * FRAME + PARAMS]!
        : this.#frames[target * FRAME + RESULTS]!;
    if (conditional && (values > 0 || this.#body.bytes[at - 1] !== BR_IF)) this.loopStays[loop] = 1;
  }

  #branchTable(depth: number, loop: number, total: number): void {
    const at = this.#body.at;
    const list = this.tableLoops.length;
    let leavesLoop = false;
    for (let labels = this.#body.u32() + 1; labels > 0; labels--) {
      const target = depth - this.#body.u32();
      this.#frames[target * FRAME + TARGETED] = 1;
      if (target === 0) this.#branchesOut = true;
      this.#passTo(target, total);
      if (target < this.#frames[depth * FRAME + ESCAPE]!) this.#frames[depth * FRAME + ESCAPE] = target;
      const targetLoop = this.#frames[target * FRAME + LOOP]!;
      if (loop !== NO_LOOP) this.tableLoops.push(targetLoop);
      if (targetLoop !== loop) leavesLoop = true;
    }
    if (!leavesLoop) return;
    this.#act(at, Action.branchTable, loop, list);
    this.loopStays[loop] = 1;
  }

  #passTo(target: number, total: number): void {
    if (this.#frames[target * FRAME + KIND] !== Frame.loop) this.#ways?.join(target, total);
    const passing = this.#passing();
    if (passing < this.#frames[target * FRAME + PASSES]!) this.#frames[target * FRAME + PASSES] = passing;
  }

  #leaveFunction(depth: number): void {
    this.#frames[TARGETED] = 1;
    this.#frames[depth * FRAME + ESCAPE] = 0;
  }

  /** Reads the handlers of the try_table that was just opened; their labels count from outside of it. */
  #catchClauses(depth: number): void {
    this.hasTryTable = this.hasLanding = true;
    for (let clauses = this.#body.u32(); clauses > 0; clauses--) {
      const at = this.#body.at;
      const kind = this.#body.byte();
      if (kind > 3) throw unsupported(`a handler of kind ${kind}`, at);
      if (kind < 2) this.#body.u32();
      const target = depth - 1 - this.#body.u32();
      this.#frames[target * FRAME + TARGETED] = this.#frames[target * FRAME + LANDING] = 1;
      if (target < this.#frames[depth * FRAME + ESCAPE]!) this.#frames[depth * FRAME + ESCAPE] = target;
      if (this.#frames[target * FRAME + KIND] === Frame.loop)
        this.loopLanding[this.#frames[target * FRAME + LOOP]!] = 1;
    }
  }
}

function isInit(slot: number): boolean {
  return slot === 0x148 || slot === 0x14c;
}

/** A copy of `array`, twice as long. */
function grown<T extends Uint8Array | Int32Array | Float64Array>(array: T): T {
  const copy = new (array.constructor as new (length: number) => T)(array.length * 2);
  copy.set(array);
  return copy;
}
