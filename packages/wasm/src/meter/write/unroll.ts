import { Action } from "../scan/actions.ts";
import {
  EMPTY,
  BLOCK,
  LOOP,
  END,
  BR,
  CALL,
  localGet,
  localSet,
  localTee,
  i32LtS,
  i32Add,
  i32Sub,
} from "../bytecode.ts";
import type { Scan } from "../scan/scan.ts";
import type { Writer } from "./writer.ts";

/** Bodies up to this many bytes are written three times, … */
const SMALL_BODY = 32;
/** … up to this many twice; beside what larger ones do, a test weighs little. */
const MAX_BODY = 56;
/** Levels of blocks that a hot loop has around its own. */
export const HOT_LEVELS = 3;

/** How a loop is unrolled. */
export interface Unrolling {
  /** Where the loop's `end` stands. */
  readonly end: number;
  /** Its body's end is reached. */
  readonly endsAlive: boolean;
  /** How often the body stands behind one test. */
  readonly copies: number;
  /** What one iteration is charged at the header. */
  readonly cost: number;
  /** What has to be left of the counter so that none of the iterations paid for would have failed a test of its own. */
  readonly reserve: number;
  /** Each iteration counts: see {@link writeUnrolled}. */
  readonly exact: boolean;
}

/** How hot loop `loop` is unrolled, if it is worth it: when it is small and holds no blocks. */
export function planUnrolling(scan: Scan, loop: number, exact: boolean): Unrolling | undefined {
  if (scan.loops.stays[loop] === 1) return undefined;
  const { numbers: actions } = scan.actions;
  const { cost: segmentCost } = scan.segments;
  const first = scan.loops.first[loop]! * 4;
  const last = scan.loops.last[loop]! * 4;
  const end = actions[last]!;
  const bytes = end - actions[first + 3]!;
  if (bytes > MAX_BODY) return undefined;
  const copies = bytes <= SMALL_BODY ? 3 : 2;
  const cost = Math.max(1, segmentCost[scan.loops.segment[loop]!]!);
  // what an iteration may be charged beyond that, behind its conditional branches
  let more = 0;
  for (let index = first; index < last; index += 4) {
    if (actions[index + 1] === Action.charge) more += segmentCost[actions[index + 2]!]!;
  }
  return { end, endsAlive: actions[last + 3] === 1, copies, cost, reserve: (copies - 1) * more, exact };
}

/** What an unrolled loop is made of. */
export interface UnrolledParts {
  readonly out: Writer;
  /** The local that holds the counter. */
  readonly counter: number;
  /** The loop's own type, encoded. */
  readonly blockType: Uint8Array;
  /** The function that takes the counter and answers it refilled. */
  readonly refill: number;
  /** Writes the opcode of a conditional branch that is rarely taken. */
  rarely(): void;
  /** Writes the body, in `deeper` more blocks than a hot loop's; whoever leaves the loop from it adds `giveBack` first. */
  body(deeper: number, giveBack: number): void;
}

/**
 * Writes a hot loop that tests once for several iterations. In each copy of the body but the last, a branch to the
 * loop's header leads to the end of a block, where the next copy begins.
 *
 * In a deadline's code all are paid for, executed or not:
 * `block loop block LOOP test (block BODY br 4 end)… BODY end br 2 end refill br 0 end end`.
 *
 * Where each iteration counts, whoever leaves gives back what was not executed; and one iteration is tested by itself,
 * which most loops that end soon do not get past, and which goes on alone when there is not enough left for several:
 * `block loop block test (block BODY br 3 end) block LOOP test (block BODY add br 5 end)… BODY end br 3 end add br 1 end …`
 */
export function writeUnrolled(unrolling: Unrolling, parts: UnrolledParts): void {
  const { copies, cost, exact } = unrolling;
  const { out, counter } = parts;
  const paid = copies * cost;
  const deeper = exact ? 1 : 0;
  open(BLOCK, parts);
  open(LOOP, parts);
  openEmpty(out);
  if (exact) {
    test(parts, cost, 0, 0);
    copy(unrolling, parts, 0, 0);
    openEmpty(out);
  }
  open(LOOP, parts);
  test(parts, paid, unrolling.reserve * deeper, 1);
  for (let left = copies - 1; left > 0; left--) copy(unrolling, parts, deeper + 1, left * cost * deeper);
  parts.body(deeper, 0);
  out.byte(END);
  out.op(BR, HOT_LEVELS - 1 + deeper);
  out.byte(END);
  if (exact) {
    addToLocal(out, counter, paid);
    out.op(BR, 1);
    out.byte(END);
  }
  out.op(localGet, counter);
  out.op(CALL, parts.refill);
  out.i32(exact ? cost : paid);
  out.byte(i32Add);
  out.op(localSet, counter);
  out.op(BR, 0);
  out.byte(END);
  out.byte(END);
}

/** Adds `value` to a local. */
export function addToLocal(out: Writer, local: number, value: number): void {
  out.op(localGet, local);
  out.i32(value);
  out.byte(i32Add);
  out.op(localSet, local);
}

function open(opcode: number, { out, blockType }: UnrolledParts): void {
  out.byte(opcode);
  out.raw(blockType);
}

function openEmpty(out: Writer): void {
  out.byte(BLOCK);
  out.byte(EMPTY);
}

/** Takes `price` from the counter, and branches when less than `least` is left. */
function test({ out, counter, rarely }: UnrolledParts, price: number, least: number, label: number): void {
  out.op(localGet, counter);
  out.i32(price);
  out.byte(i32Sub);
  out.op(localTee, counter);
  out.i32(least);
  out.byte(i32LtS);
  rarely();
  out.u32(label);
}

/** The body in a block of its own, behind which the next iteration follows. */
function copy({ endsAlive }: Unrolling, parts: UnrolledParts, deeper: number, giveBack: number): void {
  const { out, counter } = parts;
  openEmpty(out);
  parts.body(deeper, giveBack);
  if (endsAlive) {
    if (giveBack > 0) addToLocal(out, counter, giveBack);
    out.op(BR, HOT_LEVELS + deeper);
  }
  out.byte(END);
}
