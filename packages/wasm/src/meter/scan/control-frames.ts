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

/** How many numbers are kept of each open block, one block after another; those that follow say at which place what stands. */
export const FRAME: number = 12;
/** What it is: see {@link Frame}. */
export const KIND: number = 0;
/** The operand stack's height below its parameters. */
export const BASE: number = 1;
/** How many parameters it takes, and how many results it leaves. */
export const PARAMS: number = 2;
export const RESULTS: number = 3;
/** The segment that it begins in. */
export const SEGMENT: number = 4;
/** The depth of the outermost block that code inside leaves for; its own where none leaves it. */
export const ESCAPE: number = 5;
/** The innermost loop around its label. */
export const LOOP: number = 6;
/** 1: branches lead to its label. */
export const TARGETED: number = 7;
/** 1: exception handlers lead to its label. */
export const LANDING: number = 8;
/** 1: the end of an arm before `else` or `catch` is reached. */
export const ARM_ALIVE: number = 9;
/** What the cost of all code, functions without a test that were called included, may reach without a test after its end. */
export const TEST_PAST: number = 10;
/** From which place for `LateStart.commit` on the branches to its label pass by all; {@link NONE} where they pass by none. */
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
