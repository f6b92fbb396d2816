import { grown } from "./grown.ts";

/** What a block is. */
export const Frame = {
  function: 0,
  block: 1,
  loop: 2,
  if: 3,
  else: 4,
  try: 5,
  catch: 6,
  tryTable: 7,
} as const;

// Of each open block so many numbers are kept, one block after another: what it is, the height below its parameters, their count and the results',
// the segment that it begins in, the outermost block that code inside leaves for, the innermost loop; whether branches lead to its label, exception
// handlers do, and the end of an arm before `else` or `catch` is reached; where a test has to stand; and from which place for `commit` on branches
// to its label pass by all.
export const FRAME: number = 12;
export const KIND: number = 0;
export const BASE: number = 1;
export const PARAMS: number = 2;
export const RESULTS: number = 3;
export const SEGMENT: number = 4;
export const ESCAPE: number = 5;
export const LOOP: number = 6;
export const TARGETED: number = 7;
export const LANDING: number = 8;
export const ARM_ALIVE: number = 9;
export const TEST_PAST: number = 10;
export const PASSES: number = 11;

/** No place is passed by: see {@link PASSES}. */
export const NONE: number = 2 ** 30;

/** The stack of open blocks: that of depth 0 is the function. */
export class ControlFrames {
  /** {@link FRAME} numbers for each, of which the one at `depth * FRAME + KIND` says what the block is; the others alike. */
  numbers: Int32Array = new Int32Array(64 * FRAME);

  open(
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
    if (at === this.numbers.length) this.numbers = grown(this.numbers);
    const { numbers } = this;
    numbers[at + KIND] = kind;
    numbers[at + BASE] = base;
    numbers[at + PARAMS] = params;
    numbers[at + RESULTS] = results;
    numbers[at + SEGMENT] = segment;
    numbers[at + ESCAPE] = depth;
    numbers[at + LOOP] = loop;
    numbers[at + TARGETED] = 0;
    numbers[at + LANDING] = 0;
    numbers[at + ARM_ALIVE] = 0;
    numbers[at + TEST_PAST] = testPast;
    numbers[at + PASSES] = NONE;
  }
}
