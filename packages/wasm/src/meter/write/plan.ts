import type { Layout } from "../layout.ts";
import type { ModuleInfo } from "../read/module.ts";
import type { Scan } from "../scan/scan.ts";

/** A function without loops and calls that costs up to this needs no test of its own: its callers test. */
const UNTESTED_COST = 64;
/** Loops inside one another beyond this many test in place. */
const MAX_HOT_NESTING = 24;
/** Stack bytes of a call beyond parameters, locals and operands. */
const FRAME_BYTES = 96;
/** Frames of functions that call nothing are free up to this size. */
const FREE_FRAME_BYTES = 1024;

/** Decides, once a function was scanned, where its counter lives, which loops are hot, and what its frame costs. */
export class Plan {
  /** Of all functions so far. */
  hotLoops = 0;
  /** The function loops: the counter lives in a local, which the global follows at calls and exits. */
  local = false;
  /** Stack bytes; 0 where the frame is free. */
  frame = 0;
  /** The function writes the depth to its global where it takes its frame, and not again: it stays there. */
  tellsOnce = false;
  /** Nothing is tested here but where functions are called that do: see {@link UntestedFunctions}. */
  untested = false;
  /** A block stands around the body, whose label stands for the function's own. */
  wrapped = false;
  /** Where the function begins in earnest, or 0: see {@link LateStart.boundary}. */
  boundary = 0;
  /** Where the function first calls or loops, if it may end without, or 0: see {@link LateStart.commit}. */
  commit = 0;
  /** Of each loop: the hot loops from the outermost to this one. */
  #hot: Int32Array = new Int32Array(64);
  readonly #scan: Scan;
  readonly #countsDepth: boolean;
  readonly #exact: boolean;
  readonly #module: ModuleInfo;
  readonly #hasVectors: boolean;

  constructor(module: ModuleInfo, layout: Layout, scan: Scan, exact: boolean) {
    this.#module = module;
    this.#scan = scan;
    this.#countsDepth = layout.depth >= 0;
    this.#exact = exact;
    this.#hasVectors = module.types.some((type) => type.hasVectors);
  }

  /**
   * Decides for the function just scanned, whose parameters, locals and results take `valueBytes` of stack; whether it
   * `keepsDepth`, so that its callers find the depth's global as it was; and whether it can do without a test.
   */
  decide(valueBytes: number, keepsDepth: boolean, untested: boolean): void {
    const scan = this.#scan;
    this.untested = untested;
    this.#findHotLoops();
    // JavaScriptCore runs loops ten times slower around a counter in a global
    this.local = scan.loops.count > 0;
    this.frame = 0;
    if (this.#countsDepth) {
      const operand = this.#hasVectors || scan.usesVectors ? 16 : 8;
      const frame = FRAME_BYTES + valueBytes + operand * scan.maxHeight;
      if (scan.hasCalls || frame > FREE_FRAME_BYTES) this.frame = Math.min(frame, 2 ** 28);
    }
    this.wrapped = this.local || (this.frame > 0 && keepsDepth) || scan.functionLanding;
    // a frame that not every way through the function pays for has to be a small one
    const late = this.frame <= FREE_FRAME_BYTES && !untested;
    this.tellsOnce =
      this.frame > 0 && !untested && scan.depthReaders > 1 && scan.depthLosers === 0 && !scan.hasLanding;
    this.boundary = this.local || !late ? 0 : scan.late.boundary;
    this.commit = late ? scan.late.commit : 0;
  }

  #findHotLoops(): void {
    const scan = this.#scan;
    if (this.#hot.length < scan.loops.count) this.#hot = new Int32Array(scan.loops.parent.length);
    const hot = this.#hot;
    // parents come first
    for (let loop = 0; loop < scan.loops.count; loop++) {
      const parent = scan.loops.parent[loop]!;
      const above = parent < 0 ? 0 : hot[parent]!;
      const isHot =
        scan.loops.calls[loop] === 0 &&
        scan.loops.params[loop] === 0 &&
        scan.loops.landing[loop] === 0 &&
        above < MAX_HOT_NESTING;
      hot[loop] = isHot ? above + 1 : above;
      if (isHot) this.hotLoops++;
    }
  }

  /** The loop holds no calls: it is left for a refill, and entered again. */
  isHot(loop: number): boolean {
    return this.#hot[loop] !== this.hotAround(this.#scan.loops.parent[loop]!);
  }

  /** How many hot loops stand around code whose innermost loop is `loop`. */
  hotAround(loop: number): number {
    return loop < 0 ? 0 : this.#hot[loop]!;
  }

  /** Whether a function that pays `first` at its entry tests there. */
  testsAtEntry(first: number): boolean {
    const { hasCalls, loops, cost } = this.#scan;
    if (this.untested) return false;
    // where each block is charged by itself, the first segment is not all that may be executed
    const most = this.#exact ? cost : first;
    return hasCalls || loops.count > 0 || most > UNTESTED_COST || this.frame > 0;
  }

  /** What a function pays at least: one that a table holds has to show that it ran. */
  least(functionIndex: number): number {
    return this.#module.tabled.has(functionIndex) ? 1 : 0;
  }
}
