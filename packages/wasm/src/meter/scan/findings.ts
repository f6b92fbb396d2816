import { ActionList } from "./action-list.ts";
import { LateStart } from "./late-start.ts";
import { Loops } from "./loops.ts";
import { Segments } from "./segments.ts";

/** What is known of a function once its body was scanned: the plan and the emitter work from it. */
export class Findings {
  readonly actions: ActionList = new ActionList();
  readonly segments: Segments = new Segments();
  readonly loops: Loops = new Loops();
  readonly late: LateStart = new LateStart();
  /** The loops that br_table's targets stand in, one list after another. */
  tableLoops: number[] = [];
  /** What all code of the function costs, whether executed or not. */
  cost = 0;
  /** The most operands that are on the stack at once. */
  maxHeight = 0;
  /** Has instructions on vectors. */
  usesVectors = false;
  /** Makes calls that can nest. */
  hasCalls = false;
  /** Calls of functions that find the depth in its global, and leave it as it was. */
  depthReaders = 0;
  /** Calls after which the global may hold less depth than before. */
  depthLosers = 0;
  /** Control arrives somewhere in it from a caught exception. */
  hasLanding = false;
  hasTryTable = false;
  /** A `try` of either kind was opened: what throws from now on may be caught. */
  mayCatch = false;
  /** An exception handler branches out of the function's body. */
  functionLanding = false;
  /** Has a bulk operation whose length is known only when it is executed. */
  hasDynamicLength = false;
  /** Has a tail call whose target is not known. */
  hasUnknownTailCall = false;

  /** Forgets the function scanned before. */
  protected forget(): void {
    this.actions.count = this.segments.count = this.loops.count = 0;
    this.late.reset();
    if (this.tableLoops.length > 0) this.tableLoops.length = 0;
    this.hasCalls = this.hasLanding = this.hasTryTable = this.mayCatch = this.functionLanding = false;
    this.depthReaders = this.depthLosers = 0;
    this.hasDynamicLength = this.hasUnknownTailCall = false;
  }
}
