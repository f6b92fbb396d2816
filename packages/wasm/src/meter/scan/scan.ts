import type { ModuleInfo } from "../read/module.ts";
import { tooLarge } from "../read/reader.ts";
import { Action } from "./actions.ts";
import { BodyReader } from "./body-reader.ts";
import { ControlFrames, Frame } from "./control-frames.ts";
import { Findings } from "./findings.ts";
import { LongestWay } from "./longest-way.ts";
import { NO_LOOP } from "./loops.ts";

/**
 * The most fuel that may pass between two tests in code that calls, where blocks are charged one by one. Each call may be the first of its function,
 * which engines compile then: some five thousand units' worth in a millisecond.
 */
const TEST_CALLS_EVERY = 5_000;

/** What the scan has to know beyond the module. */
export interface ScanOptions {
  /** Charge each basic block, rather than each loop's body as a whole. */
  readonly exact: boolean;
  /** Growth and allocation are held to a cap. */
  readonly capped: boolean;
  readonly tableCapped: boolean;
  readonly refuseRelaxedSimd: boolean;
  readonly maxNesting: number;
  readonly maxMergedValues: number;
  /** The cost of a function that its callers pay for, by index; -1 for the others. */
  readonly leafCosts: Int32Array;
  /** How each function comes to know the depth: see {@link DepthBy}. */
  readonly depthBy: Uint8Array;
  /** What a call of a function without a test costs at most, beside what its caller pays; 0 for the others. */
  readonly untested: Int32Array;
  /** Calls of this module's functions may return from a foreign one, reached by a tail call. */
  readonly foreignTailCalls: boolean;
}

/**
 * The reading of one function's body after another by `scanFunction`: where it stands, and what it has found so far.
 *
 * Code is divided into segments, each charged where it begins. In exact mode a segment holds the instructions that are executed if its first one is,
 * exceptions and traps aside: code behind a block from which no branch leads further out belongs to the segment before the block. In deadline mode a
 * segment is a loop's body, or the function, without the loops inside, and costs what the longest way through it does.
 */
export class Scan extends Findings {
  readonly module: ModuleInfo;
  readonly options: ScanOptions;
  readonly body: BodyReader;
  readonly frames: ControlFrames = new ControlFrames();
  /** In deadline mode. */
  readonly ways: LongestWay | undefined;
  /** How many blocks are open. */
  depth = 0;
  /** The innermost loop, or {@link NO_LOOP}. */
  loop: number = NO_LOOP;
  /** How many loops are open. */
  loopDepth = 0;
  /** The segment that the code at the cursor belongs to. */
  segment = 0;
  /** The code at the cursor can be reached. */
  alive = true;
  #mergedValues = 0;
  #locals = 0;
  /** What the functions without a test that were called so far cost, beside what their callers pay. */
  beside = 0;
  /** How many actions there were where several ways last came together. */
  joined = 0;
  /** The cost of all code up to where {@link settle} was called last. */
  #settled = 0;
  /** What {@link beside} was at the last test that was put in. */
  #besideTested = 0;

  constructor(module: ModuleInfo, options: ScanOptions) {
    super();
    this.module = module;
    this.options = options;
    this.body = new BodyReader(module, options.refuseRelaxedSimd);
    this.ways = options.exact ? undefined : new LongestWay();
  }

  /** Goes to the first instruction of another function. */
  begin(from: number, to: number, functionType: number, locals: number): void {
    this.forget();
    this.#mergedValues = 0;
    this.#locals = locals;
    this.body.begin(from, to);
    this.ways?.reset();
    this.depth = this.loopDepth = this.#settled = this.beside = this.#besideTested = this.joined = 0;
    this.loop = NO_LOOP;
    this.alive = true;
    this.segment = this.segments.add(-1);
    this.frames.open(
      0,
      Frame.function,
      0,
      0,
      this.module.types[functionType]!.results,
      this.segment,
      NO_LOOP,
      0,
    );
  }

  /**
   * As many ways of control part or meet at the cursor. For each of them engines note what every local and every operand is, the optimizing compiler until
   * it is done, and it looks at the loops around it.
   */
  noteWays(ways: number): void {
    this.#mergedValues += ways * (this.#locals + this.body.height) + this.loopDepth / 2;
  }

  /** Throws `WASM_TOO_LARGE` when that was too much for one function. */
  requireFewValues(): void {
    const { maxMergedValues } = this.options;
    const found = Math.ceil(this.#mergedValues);
    if (found > maxMergedValues) throw tooLarge("maxMergedValues", found, maxMergedValues);
  }

  /** Adds the code read since the last time to the present segment. */
  settle(): void {
    const { total } = this.body;
    this.segments.cost[this.segment]! += total - this.#settled;
    this.#settled = total;
  }

  /** A segment begins at the cursor, and is charged there; `parent`: the segment that is executed whenever this one is, or -1. */
  charge(parent: number): void {
    this.segment = this.segments.add(parent);
    this.actions.add(this.body.at, Action.charge, this.segment, 0);
  }

  /** The code at the cursor, behind an `if` or a conditional branch, is not reached on every way. */
  fork(): void {
    this.late.markCommit(this.body.at, this.actions.count, this.body.total);
    if (this.ways) return;
    this.settle();
    this.charge(this.segment);
  }

  /** A call, or what is as good as one, stands before the cursor: the function's work has begun, and the loop around it is not hot. */
  noteCall(): void {
    // it may throw, and lead to a handler: a way that parts here, and meets the others there
    if (this.mayCatch) this.noteWays(1);
    this.late.commitNow();
    if (this.loop !== NO_LOOP) this.loops.calls[this.loop] = 1;
  }

  /** Puts a test at the cursor where no more fuel may pass without one. */
  testWhereDue(): void {
    const { body } = this;
    if (
      body.total <= body.testPast &&
      (this.ways || body.total - this.#settled + this.beside - this.#besideTested <= TEST_CALLS_EVERY)
    )
      return;
    this.settle();
    this.#besideTested = this.beside;
    body.testFromHere();
    this.charge(-1);
    this.segments.tested[this.segment] = 1;
  }
}
