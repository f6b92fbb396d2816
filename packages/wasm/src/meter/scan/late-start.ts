import { NONE } from "./control-frames.ts";

/** What may be executed before a function's boundary, see {@link LateStart.boundary}. */
const PRELUDE_COST = 48;
/** More places than this are not remembered, see {@link LateStart.commit}. */
const MAX_COMMITS = 32;

/** Finds where a function begins in earnest: what it does before that is not worth a test, nor a frame. */
export class LateStart {
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
  branchesOut = false;
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

  reset(): void {
    this.boundary = this.boundaryAction = this.boundaryCost = 0;
    this.branchesOut = this.#committed = this.commitJoins = false;
    this.commit = this.commitAction = this.#commits = this.#serial = 0;
    this.#passed = NONE;
  }

  /** Notes that the function may begin in earnest at `at`, where action `action` would stand, if it has cost next to nothing so far. */
  markBoundary(at: number, action: number, total: number): boolean {
    if (total > PRELUDE_COST || this.branchesOut) return false;
    this.boundary = at;
    this.boundaryAction = action;
    this.boundaryCost = Math.max(1, total);
    return true;
  }

  /** Notes that the code at `at`, which costly things may follow, is not reached on every way. */
  markCommit(at: number, action: number, total: number): void {
    if (this.#committed || total > PRELUDE_COST || this.#commits === MAX_COMMITS) return;
    this.#commitAt[this.#commits] = at;
    this.#commitActions[this.#commits] = action;
    this.#commitSerials[this.#commits++] = this.#serial++;
  }

  /** Something stands at the cursor that no way past the commit may meet. */
  commitNow(): void {
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
  passing(): number {
    return Math.min(this.#passed, this.#serial);
  }

  /** The code at the cursor is reached past all places from `first` on. */
  passBy(first: number, total: number): void {
    // before anything counts, the places that were passed by are of no use
    if (!this.#committed) this.#forgetFrom(first);
    else if (first <= this.#lastCommit() && first < this.#passed) {
      if (this.#passed === NONE) this.#passedFrom = total;
      this.#passed = first;
    }
  }

  /** The function ends; branches to its end pass by all places from `passes` on, and it does something that counts if it `counts`. */
  decide(total: number, passes: number, counts: boolean): void {
    const joins = Math.min(this.#passed, passes);
    if (this.#passed !== NONE && total - this.#passedFrom > PRELUDE_COST) this.commitNow();
    if (this.#commits === 0 || this.boundary > 0 || !counts) return;
    this.commit = this.#commitAt[this.#commits - 1]!;
    this.commitAction = this.#commitActions[this.#commits - 1]!;
    this.commitJoins = joins <= this.#lastCommit();
  }
}
