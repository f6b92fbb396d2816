import { grown } from "./grown.ts";

/**
 * What the longest way through a function's body, and through each loop in it, can cost: at most that is executed in
 * a turn. Of an interpreter's loop, whose body holds an arm for each instruction, it is the costliest arm. A loop
 * inside counts once; what it costs more is charged at its own header. Costs are told as the cost of all code read so far.
 */
export class LongestWay {
  /** The cost of all code before the cursor, less this, is what the longest way to the cursor costs. */
  #left = 0;
  /** What the longest way costs, by depth of blocks: to where the block begins, and over the branches to its end (-1: none). */
  #start = new Float64Array(64);
  #label = new Float64Array(64);
  /** By depth of loops, and 0 for the function: the longest way to any place inside, and the next loop outside. */
  #peak = new Float64Array(64);
  #outer = new Int32Array(64);
  #loop = 0;
  /** There are exception handlers, to which control comes from everywhere: ways are not followed. */
  unknown = false;

  reset(): void {
    this.#left = this.#loop = this.#peak[0] = 0;
    this.unknown = false;
    this.#start[0] = 0;
    this.#label[0] = -1;
  }

  /** A block begins at the cursor. */
  open(depth: number, total: number, isLoop: boolean): void {
    if (depth === this.#start.length) this.#grow();
    this.#start[depth] = total - this.#left;
    this.#label[depth] = -1;
    if (!isLoop) return;
    this.#peak[depth] = total - this.#left;
    this.#outer[depth] = this.#loop;
    this.#loop = depth;
  }

  /** A branch stands at the cursor, or the end of an arm, that leads to the end of the block at `depth`. */
  join(depth: number, total: number): void {
    this.#label[depth] = Math.max(this.#label[depth]!, total - this.#left);
  }

  /** The code at the cursor, an `else`, is reached from where the block began. */
  restart(depth: number, total: number): void {
    this.note(total);
    this.#left = total - this.#start[depth]!;
  }

  /** The way to the cursor ends here, or goes on elsewhere. */
  note(total: number): void {
    this.#peak[this.#loop] = Math.max(this.#peak[this.#loop]!, total - this.#left);
  }

  /** A block ends; `alive`: its last instruction leads here, `skips`: so does its beginning. */
  close(depth: number, total: number, alive: boolean, skips: boolean): void {
    if (alive) {
      this.note(total);
      this.join(depth, total);
    }
    const way = Math.max(this.#label[depth]!, skips ? this.#start[depth]! : -1);
    if (way >= 0) this.#left = total - way;
  }

  /** The loop at `depth`, which is about to be closed, ends: the cost of the longest way through it. */
  closeLoop(depth: number, total: number): number {
    this.note(total);
    const peak = this.#peak[depth]!;
    this.#loop = this.#outer[depth]!;
    this.#peak[this.#loop] = Math.max(this.#peak[this.#loop]!, peak);
    return this.unknown ? Number.POSITIVE_INFINITY : peak - this.#start[depth]!;
  }

  /** The function ends: the cost of the longest way through it. */
  finish(total: number): number {
    this.note(total);
    return this.unknown ? Number.POSITIVE_INFINITY : this.#peak[0]!;
  }

  #grow(): void {
    this.#start = grown(this.#start);
    this.#label = grown(this.#label);
    this.#peak = grown(this.#peak);
    this.#outer = grown(this.#outer);
  }
}
