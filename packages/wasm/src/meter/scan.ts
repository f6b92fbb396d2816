import { ActionList } from "./action-list.ts";
import { Action, Bulk } from "./actions.ts";
import { BodyReader } from "./body-reader.ts";
import { END } from "./bytecode.ts";
import { granulesOf } from "./constants.ts";
import {
  ARM_ALIVE,
  BASE,
  ControlFrames,
  ESCAPE,
  FRAME,
  Frame,
  KIND,
  LANDING,
  LOOP,
  NONE,
  PARAMS,
  PASSES,
  RESULTS,
  SEGMENT,
  TARGETED,
  TEST_PAST,
} from "./control-frames.ts";
import { DepthBy } from "./depth.ts";
import { PREPAID } from "./layout.ts";
import { LateStart } from "./late-start.ts";
import { LongestWay } from "./longest-way.ts";
import { Loops, NO_LOOP } from "./loops.ts";
import type { ModuleInfo } from "./module.ts";
import { deltaOf, describeOpcode, Immediate, immediateOf, Role } from "./opcodes.ts";
import { tooLarge, truncated, unsupported } from "./reader.ts";
import { Segments } from "./segments.ts";

/**
 * The same within one block that calls, where what it calls is counted exactly. These calls may be the first of as many functions, which engines compile
 * then: some five thousand units' worth in a millisecond.
 */
const TEST_CALLS_EVERY = 5_000;
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

const BR_IF = 0x0d;

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
  readonly actions: ActionList = new ActionList();
  readonly segments: Segments = new Segments();
  readonly loops: Loops = new Loops();
  readonly late: LateStart = new LateStart();
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
  /** Has a tail call whose target is not known. */
  hasUnknownTailCall = false;

  /** How many actions there were where several ways last came together. */
  #joined = 0;

  readonly #module: ModuleInfo;
  readonly #options: ScanOptions;
  readonly #body: BodyReader;
  readonly #frames = new ControlFrames();

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
    const { actions, segments, loops, late } = this;
    const body = this.#body;
    const frames = this.#frames;
    const ways = this.#ways;
    this.#reset();
    body.begin(from, to);
    ways?.reset();

    let depth = 0;
    let current = segments.add(-1);
    let segmentStart = 0;
    // what functions without a test cost that were called so far, and were called up to the last test
    let beside = 0;
    let besideTested = 0;
    let loop = NO_LOOP;
    let alive = true;

    frames.open(0, Frame.function, 0, 0, types[functionType]!.results, current, loop, 0);

    for (;;) {
      const role = body.straight();
      const { start, slot } = body;
      let conditional = false;
      switch (role) {
        // the frequent ones first
        case Role.end:
        case Role.delegate: {
          this.#joined = actions.count;
          if (role === Role.delegate) body.skipLeb();
          segments.cost[current]! += body.total - segmentStart;
          segmentStart = body.total;
          const kind = frames.numbers[depth * FRAME + KIND]!;
          if (depth === 0) {
            actions.add(start, Action.dead, body.at, 0);
            if (body.at !== to) throw truncated(body.at);
            if (ways) segments.lower(0, ways.finish(body.total));
            else segments.chargeSmallBlocks();
            late.decide(
              body.total,
              frames.numbers[PASSES]!,
              !this.hasLanding && (this.hasCalls || loops.count > 0),
            );
            this.cost = body.total;
            this.maxHeight = body.maxHeight;
            this.usesVectors = body.usesVectors;
            this.functionLanding = frames.numbers[LANDING] === 1;
            return;
          }
          const escape = frames.numbers[depth * FRAME + ESCAPE]!;
          const escapes = escape < depth;
          const targeted = frames.numbers[depth * FRAME + TARGETED] === 1 && kind !== Frame.loop;
          const reachable =
            alive || targeted || kind === Frame.if || frames.numbers[depth * FRAME + ARM_ALIVE] === 1;
          const outer = frames.numbers[depth * FRAME + SEGMENT]!;
          if (kind === Frame.loop) {
            loops.last[loop] = actions.count;
            actions.add(start, Action.loopEnd, loop, alive ? 1 : 0);
            const parent = loops.parent[loop]!;
            if (parent !== NO_LOOP) {
              loops.stays[parent] = 1;
              if (loops.calls[loop] === 1) loops.calls[parent] = 1;
            }
            if (ways) segments.lower(loops.segment[loop]!, ways.closeLoop(depth, body.total));
            loop = parent;
          }
          ways?.close(depth, body.total, alive, kind === Frame.if);
          body.height = frames.numbers[depth * FRAME + BASE]! + frames.numbers[depth * FRAME + RESULTS]!;
          body.push(0);
          if (frames.numbers[depth * FRAME + LANDING] === 1) actions.add(body.at, Action.landing, 0, 0);
          body.testPast = frames.numbers[depth * FRAME + TEST_PAST]! - beside;
          const fallsThrough = alive && !targeted && (kind === Frame.block || kind === Frame.loop);
          late.passBy(frames.numbers[depth * FRAME + PASSES]!, body.total);
          depth--;
          if (escape < frames.numbers[depth * FRAME + ESCAPE]!)
            frames.numbers[depth * FRAME + ESCAPE] = escape;
          if (!reachable) {
            alive = false;
            break;
          }
          alive = true;
          if (escapes && kind !== Frame.loop) late.markCommit(body.at, actions.count, body.total);
          if (escapes && depth === 0 && body.height === 0 && this.#markBoundary()) {
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
          frames.open(
            depth,
            kind,
            base,
            body.typeParams,
            body.typeResults,
            current,
            loop,
            body.testPast + beside,
          );
          if (loop !== NO_LOOP) loops.stays[loop] = 1;
          ways?.open(depth, body.total, false);
          if (role === Role.if) {
            conditional = true;
            frames.numbers[depth * FRAME + PASSES] = late.passing();
          } else if (role !== Role.block) {
            late.commitNow();
            if (ways) ways.unknown = true;
            if (loop !== NO_LOOP) loops.calls[loop] = 1;
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
            body.testPast -= untested[target]!;
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
          actions.add(start, Action.return, depth, loop);
          this.#leaveFunction(depth);
          alive = false;
          break;
        case Role.else:
        case Role.catch:
        case Role.catchAll: {
          this.#joined = actions.count;
          if (alive) frames.numbers[depth * FRAME + ARM_ALIVE] = 1;
          if (alive) ways?.join(depth, body.total);
          ways?.restart(depth, body.total);
          segments.cost[current]! += body.total - segmentStart;
          segmentStart = body.total;
          body.height = frames.numbers[depth * FRAME + BASE]!;
          alive = true;
          if (role === Role.else) {
            frames.numbers[depth * FRAME + KIND] = Frame.else;
            late.passBy(frames.numbers[depth * FRAME + PASSES]!, body.total);
            // at the block's end both arms meet
            if (!frames.numbers[depth * FRAME + ARM_ALIVE])
              frames.numbers[depth * FRAME + PASSES] = frames.numbers[depth * FRAME + TARGETED]
                ? frames.numbers[depth * FRAME + PASSES]!
                : NONE;
            late.markCommit(body.at, actions.count, body.total);
            body.height += frames.numbers[depth * FRAME + PARAMS]!;
          } else {
            frames.numbers[depth * FRAME + KIND] = Frame.catch;
            if (role === Role.catch) body.height += types[tags[body.u32()]!]!.params;
            this.hasLanding = true;
            actions.add(body.at, Action.landing, 0, 0);
          }
          body.push(0);
          current =
            role !== Role.else
              ? this.#charge(body.at, -1)
              : exact
                ? this.#charge(body.at, frames.numbers[depth * FRAME + SEGMENT]!)
                : frames.numbers[depth * FRAME + SEGMENT]!;
          body.testPast = frames.numbers[depth * FRAME + TEST_PAST]! - beside;
          break;
        }
        case Role.loop: {
          body.blockType();
          late.commitNow();
          if (++depth > maxNesting) throw tooLarge("maxNesting", depth, maxNesting);
          segments.cost[current]! += body.total - segmentStart;
          segmentStart = body.total;
          const outer = current;
          current = segments.add(-1);
          loop = loops.add(loop, current, body.typeParams > 0);
          frames.open(
            depth,
            Frame.loop,
            body.height - body.typeParams,
            body.typeParams,
            body.typeResults,
            outer,
            loop,
            body.testPast + beside,
          );
          // the header tests what is inside; what follows the loop is charged with what stands before it
          body.testFromHere();
          ways?.open(depth, body.total, true);
          loops.first[loop] = actions.count;
          actions.add(start, Action.loop, loop, body.at);
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
            actions.add(start, Action.tailCallImport, target, body.at);
          } else {
            body.total += leafCosts[target]! >= 0 ? leafCosts[target]! : PREPAID;
            actions.add(start, Action.tailCall, target, body.at);
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
          actions.add(start, Action.tailCallUnknown, 0, body.at);
          this.#noteCall(loop);
          this.hasUnknownTailCall = true;
          this.#leaveFunction(depth);
          alive = false;
          break;
        case Role.throw: {
          late.commitNow();
          const type = types[tags[body.u32()]!]!;
          if (capped && (keepsExceptions || type.hasReferences || type.params > SMALL_EXCEPTION))
            actions.add(start, Action.allocate, granulesOf(type.paramStack * EXCEPTION_SHARE + 64), 0);
          if (loop !== NO_LOOP) loops.stays[loop] = 1;
          actions.add(start, Action.throw, 0, 0);
          alive = false;
          break;
        }
        case Role.rethrow:
          body.skipLeb();
          if (loop !== NO_LOOP) loops.calls[loop] = 1;
          late.commitNow();
          actions.add(start, Action.throw, 0, 0);
          alive = false;
          break;
        case Role.throwRef:
          if (loop !== NO_LOOP) loops.stays[loop] = 1;
          late.commitNow();
          actions.add(start, Action.throw, 0, 0);
          alive = false;
          break;
        case Role.unreachable:
          alive = false;
          break;
        case Role.memoryGrow: {
          const memory = body.u32();
          late.commitNow();
          if (capped) {
            actions.add(start, Action.memoryGrow, memory, body.at);
            this.#noteHelper(loop);
          }
          break;
        }
        case Role.tableGrow: {
          const table = body.u32();
          late.commitNow();
          if (tableCapped) {
            actions.add(start, Action.tableGrow, table, body.at);
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
          if (capped) actions.add(start, Action.allocateArray, type.size, 0);
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
          actions.add(start, Action.wait, slot & 1 ? 32 : 64, body.at);
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
          actions.add(from, Action.dead, resume, role === Role.end || role === Role.delegate ? 1 : 0);
        body.at = resume;
        segments.cost[current]! += body.total - segmentStart;
        segmentStart = body.total;
        continue;
      }
      if (conditional) {
        late.markCommit(body.at, actions.count, body.total);
        if (exact) {
          segments.cost[current]! += body.total - segmentStart;
          segmentStart = body.total;
          current = this.#charge(body.at, current);
        }
      }
      if (
        body.total > body.testPast ||
        (exact && body.total - segmentStart + beside - besideTested > TEST_CALLS_EVERY)
      ) {
        segments.cost[current]! += body.total - segmentStart;
        segmentStart = body.total;
        besideTested = beside;
        body.testFromHere();
        current = this.#charge(body.at, -1);
        segments.tested[current] = 1;
      }
    }
  }

  #reset(): void {
    this.#joined = 0;
    this.actions.count = this.segments.count = this.loops.count = 0;
    this.late.reset();
    if (this.tableLoops.length > 0) this.tableLoops.length = 0;
    this.hasCalls = this.hasLanding = this.hasTryTable = this.functionLanding = false;
    this.depthReaders = this.depthLosers = 0;
    this.hasDynamicLength = this.hasUnknownTailCall = false;
  }

  /** Notes a call, and in the action before whether that is one as well, from which alone this one is reached. */
  #call(start: number, action: number, target: number): void {
    const before = this.actions.count - 1;
    if (this.#options.exact && before >= this.#joined) {
      const kind = this.actions.numbers[before * 4 + 1]!;
      if (kind === Action.call || kind === Action.callUnknown || kind === Action.callImport)
        this.actions.numbers[before * 4 + 2]! |= 1;
    }
    this.actions.add(start, action, target * 2, this.#body.at);
  }

  /** Begins a segment at `at`; segment `parent` leads there. */
  #charge(at: number, parent: number): number {
    const segment = this.segments.add(parent);
    this.actions.add(at, Action.charge, segment, 0);
    return segment;
  }

  /** Notes that the function may begin in earnest at the cursor, if it has done next to nothing so far. */
  #markBoundary(): boolean {
    const body = this.#body;
    if (this.hasCalls || this.loops.count > 0 || this.hasDynamicLength || this.hasLanding) return false;
    if (this.#frames.numbers[TARGETED] === 0) return false;
    return this.late.markBoundary(body.at, this.actions.count, body.total);
  }

  #noteCall(loop: number): void {
    this.hasCalls = true;
    this.#noteHelper(loop);
  }

  /** A call that does not nest: it ends in the engine or the host. */
  #noteHelper(loop: number): void {
    this.late.commitNow();
    if (loop !== NO_LOOP) this.loops.calls[loop] = 1;
  }

  /** A bulk operation of unknown length: charged where it stands. */
  #bulk(at: number, unit: number, wide: boolean, loop: number): void {
    this.hasDynamicLength = true;
    this.actions.add(at, Action.bulk, unit, wide ? 1 : 0);
    this.#noteHelper(loop);
  }

  #allocate(at: number, granules: number, loop: number): void {
    this.actions.add(at, Action.allocate, granules, 0);
    this.#noteHelper(loop);
  }

  /** Reads a bulk instruction's indices and tells whether its length has 64 bits. */
  #bulkIsWide(slot: number, entries: readonly { readonly limits: { readonly wide: boolean } }[]): boolean {
    const body = this.#body;
    const first = body.u32();
    if (immediateOf[slot] === Immediate.leb) return entries[first]?.limits.wide === true;
    const second = body.u32();
    if (isInit(slot)) return false;
    return entries[first]?.limits.wide === true && entries[second]?.limits.wide === true;
  }

  /** Notes that control leaves the block at `depth` for the label that stands at the cursor. */
  #branch(depth: number, loop: number, total: number, conditional: boolean): void {
    const body = this.#body;
    const { numbers } = this.#frames;
    const at = body.at;
    const target = depth - body.u32();
    numbers[target * FRAME + TARGETED] = 1;
    if (target === 0) this.late.branchesOut = true;
    this.#passTo(target, total);
    if (target < numbers[depth * FRAME + ESCAPE]!) numbers[depth * FRAME + ESCAPE] = target;
    const targetLoop = numbers[target * FRAME + LOOP]!;
    if (targetLoop === loop) return;
    this.actions.add(at, Action.branch, loop, targetLoop);
    // values that a conditional branch takes along, or leaves if it is not taken, are in the way
    const values =
      numbers[target * FRAME + KIND] === Frame.loop
        ? numbers[target * FRAME + PARAMS]!
        : numbers[target * FRAME + RESULTS]!;
    if (conditional && (values > 0 || body.bytes[at - 1] !== BR_IF)) this.loops.stays[loop] = 1;
  }

  #branchTable(depth: number, loop: number, total: number): void {
    const body = this.#body;
    const { numbers } = this.#frames;
    const at = body.at;
    const list = this.tableLoops.length;
    let leavesLoop = false;
    for (let labels = body.u32() + 1; labels > 0; labels--) {
      const target = depth - body.u32();
      numbers[target * FRAME + TARGETED] = 1;
      if (target === 0) this.late.branchesOut = true;
      this.#passTo(target, total);
      if (target < numbers[depth * FRAME + ESCAPE]!) numbers[depth * FRAME + ESCAPE] = target;
      const targetLoop = numbers[target * FRAME + LOOP]!;
      if (loop !== NO_LOOP) this.tableLoops.push(targetLoop);
      if (targetLoop !== loop) leavesLoop = true;
    }
    if (!leavesLoop) return;
    this.actions.add(at, Action.branchTable, loop, list);
    this.loops.stays[loop] = 1;
  }

  #passTo(target: number, total: number): void {
    const { numbers } = this.#frames;
    if (numbers[target * FRAME + KIND] !== Frame.loop) this.#ways?.join(target, total);
    const passing = this.late.passing();
    if (passing < numbers[target * FRAME + PASSES]!) numbers[target * FRAME + PASSES] = passing;
  }

  #leaveFunction(depth: number): void {
    const { numbers } = this.#frames;
    numbers[TARGETED] = 1;
    numbers[depth * FRAME + ESCAPE] = 0;
  }

  /** Reads the handlers of the try_table that was just opened; their labels count from outside of it. */
  #catchClauses(depth: number): void {
    const body = this.#body;
    const { numbers } = this.#frames;
    this.hasTryTable = this.hasLanding = true;
    for (let clauses = body.u32(); clauses > 0; clauses--) {
      const at = body.at;
      const kind = body.byte();
      if (kind > 3) throw unsupported(`a handler of kind ${kind}`, at);
      if (kind < 2) body.u32();
      const target = depth - 1 - body.u32();
      numbers[target * FRAME + TARGETED] = numbers[target * FRAME + LANDING] = 1;
      if (target < numbers[depth * FRAME + ESCAPE]!) numbers[depth * FRAME + ESCAPE] = target;
      if (numbers[target * FRAME + KIND] === Frame.loop)
        this.loops.landing[numbers[target * FRAME + LOOP]!] = 1;
    }
  }
}

function isInit(slot: number): boolean {
  return slot === 0x148 || slot === 0x14c;
}
