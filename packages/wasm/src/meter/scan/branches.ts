import { deltaOf, Immediate, immediateOf } from "../read/opcodes.ts";
import { Action } from "./actions.ts";
import { ESCAPE, FRAME, Frame, KIND, LOOP, PARAMS, PASSES, RESULTS, TARGETED } from "./control-frames.ts";
import { NO_LOOP } from "./loops.ts";
import type { Scan } from "./scan.ts";

// Where control leaves a block for a label further out, or the function.

const BR_IF = 0x0d;
/** What a label of br_table counts: JavaScriptCore keeps most of these. */
const TABLE_WAYS = 4;

/** `br`. */
export function branch(scan: Scan): void {
  toLabel(scan, false);
  scan.alive = false;
}

/** `br_if`, and the branches on null and on casts. */
export function branchIf(scan: Scan): void {
  const { body } = scan;
  const { slot } = body;
  if (immediateOf[slot] === Immediate.castBranch) {
    // flags stand before the label, two types behind it
    body.at++;
    toLabel(scan, true);
    body.heapType();
    body.heapType();
  } else toLabel(scan, true);
  body.height += deltaOf[slot]!;
  scan.fork();
}

/** A branch to the label that stands at the cursor. */
function toLabel(scan: Scan, conditional: boolean): void {
  const { body, loop } = scan;
  const { numbers } = scan.frames;
  const { at } = body;
  const frame = toBlock(scan, scan.depth - body.u32(), 1);
  const targetLoop = numbers[frame + LOOP]!;
  if (targetLoop === loop) return;
  scan.actions.add(at, Action.branch, loop, targetLoop);
  if (!conditional) return;
  // values that a conditional branch takes along, or leaves if it is not taken, are in the way
  const values = numbers[frame + (numbers[frame + KIND] === Frame.loop ? PARAMS : RESULTS)]!;
  if (values > 0 || body.bytes[at - 1] !== BR_IF) scan.loops.stays[loop] = 1;
}

/** `br_table`. */
export function branchTable(scan: Scan): void {
  const { body, loop, tableLoops } = scan;
  const { numbers } = scan.frames;
  const { at } = body;
  const list = tableLoops.length;
  let leavesLoop = false;
  for (let labels = body.u32() + 1; labels > 0; labels--) {
    const targetLoop = numbers[toBlock(scan, scan.depth - body.u32(), TABLE_WAYS) + LOOP]!;
    if (loop !== NO_LOOP) tableLoops.push(targetLoop);
    if (targetLoop !== loop) leavesLoop = true;
  }
  scan.alive = false;
  if (!leavesLoop) return;
  scan.actions.add(at, Action.branchTable, loop, list);
  scan.loops.stays[loop] = 1;
}

/** Notes that a branch leads from the cursor to the label of the block at depth `target`, and answers where its frame's numbers begin. */
function toBlock(scan: Scan, target: number, ways: number): number {
  const { late } = scan;
  const { numbers } = scan.frames;
  const frame = target * FRAME;
  const from = scan.depth * FRAME;
  numbers[frame + TARGETED] = 1;
  if (target === 0) late.branchesOut = true;
  if (numbers[frame + KIND] !== Frame.loop) scan.ways?.join(target, scan.body.total);
  scan.noteWays(ways);
  const passing = late.passing();
  if (passing < numbers[frame + PASSES]!) numbers[frame + PASSES] = passing;
  if (target < numbers[from + ESCAPE]!) numbers[from + ESCAPE] = target;
  return frame;
}

/** The function is left at the cursor, by `return` or a tail call. */
export function leaveFunction(scan: Scan): void {
  const { numbers } = scan.frames;
  numbers[TARGETED] = 1;
  numbers[scan.depth * FRAME + ESCAPE] = 0;
  scan.alive = false;
}
