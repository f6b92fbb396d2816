import { Role } from "../read/opcodes.ts";
import { tooLarge } from "../read/reader.ts";
import { Action } from "./actions.ts";
import {
  ARM_ALIVE,
  BASE,
  ESCAPE,
  FRAME,
  Frame,
  KIND,
  LANDING,
  NONE,
  PARAMS,
  PASSES,
  RESULTS,
  SEGMENT,
  TARGETED,
  TEST_PAST,
} from "./control-frames.ts";
import { catchClauses } from "./exceptions.ts";
import { NO_LOOP } from "./loops.ts";
import type { Scan } from "./scan.ts";

/** Ways that part or meet at a block: an `if` has two arms, and a loop is two loops when it is metered, with branches to each, and may be repeated. */
const BLOCK_WAYS = 1;
const IF_WAYS = 3;
const LOOP_WAYS = 16;

// Where blocks and loops begin, go on with another arm, and end.

/** A `block`, an `if` or a block with handlers begins. */
export function openBlock(scan: Scan, role: number): void {
  const { body, late, loop, loops, ways } = scan;
  body.blockType();
  if (role === Role.if) body.height--;
  open(scan, kindOf(role), scan.segment);
  if (loop !== NO_LOOP) loops.stays[loop] = 1;
  ways?.open(scan.depth, body.total, false);
  if (role === Role.block) return;
  if (role === Role.if) {
    scan.frames.numbers[scan.depth * FRAME + PASSES] = late.passing();
    scan.fork();
    return;
  }
  scan.noteCall();
  scan.mayCatch = true;
  if (ways) ways.unknown = true;
  if (role === Role.tryTable) catchClauses(scan);
}

function kindOf(role: number): number {
  if (role === Role.block) return Frame.block;
  if (role === Role.if) return Frame.if;
  return role === Role.try ? Frame.try : Frame.tryTable;
}

/** A `loop` begins. */
export function openLoop(scan: Scan): void {
  const { actions, body, loops, segment } = scan;
  body.blockType();
  scan.late.commitNow();
  scan.settle();
  scan.segment = scan.segments.add(-1);
  const loop = loops.add(scan.loop, scan.segment, body.typeParams > 0);
  scan.loop = loop;
  scan.loopDepth++;
  open(scan, Frame.loop, segment);
  // the header tests what is inside; what follows the loop is charged with what stands before it
  body.testFromHere();
  scan.ways?.open(scan.depth, body.total, true);
  loops.first[loop] = actions.count;
  actions.add(body.start, Action.loop, loop, body.at);
}

/** Opens a block of the type read last, which began in `segment`. */
function open(scan: Scan, kind: number, segment: number): void {
  const { body } = scan;
  const { maxNesting } = scan.options;
  const depth = ++scan.depth;
  if (depth > maxNesting) throw tooLarge("maxNesting", depth, maxNesting);
  scan.noteWays(kind === Frame.loop ? LOOP_WAYS : kind === Frame.if ? IF_WAYS : BLOCK_WAYS);
  scan.frames.open(
    depth,
    kind,
    body.height - body.typeParams,
    body.typeParams,
    body.typeResults,
    segment,
    scan.loop,
    body.testPast + scan.beside,
  );
}

/** An `else` or a handler of `try` begins, where the arm before it ends. */
export function beginArm(scan: Scan, role: number): void {
  const { actions, body, late, ways } = scan;
  const { numbers } = scan.frames;
  const frame = scan.depth * FRAME;
  scan.joined = actions.count;
  if (scan.alive) {
    numbers[frame + ARM_ALIVE] = 1;
    ways?.join(scan.depth, body.total);
  }
  ways?.restart(scan.depth, body.total);
  scan.settle();
  body.height = numbers[frame + BASE]!;
  scan.alive = true;
  if (role === Role.else) {
    numbers[frame + KIND] = Frame.else;
    late.passBy(numbers[frame + PASSES]!, body.total);
    // at the block's end both arms meet
    if (numbers[frame + ARM_ALIVE] === 0 && numbers[frame + TARGETED] === 0) numbers[frame + PASSES] = NONE;
    late.markCommit(body.at, actions.count, body.total);
    body.height += numbers[frame + PARAMS]!;
    if (ways) scan.segment = numbers[frame + SEGMENT]!;
    else scan.charge(numbers[frame + SEGMENT]!);
  } else {
    const { tags, types } = scan.module;
    numbers[frame + KIND] = Frame.catch;
    if (role === Role.catch) body.height += types[tags[body.u32()]!]!.params;
    scan.hasLanding = true;
    actions.add(body.at, Action.landing, 0, 0);
    scan.charge(-1);
  }
  body.push(0);
  body.testPast = numbers[frame + TEST_PAST]! - scan.beside;
}

/** The innermost block ends; it is not the function. */
export function endBlock(scan: Scan): void {
  const { actions, alive, body, depth, late, ways } = scan;
  const { numbers } = scan.frames;
  const frame = depth * FRAME;
  const kind = numbers[frame + KIND]!;
  scan.joined = actions.count;
  scan.settle();
  if (kind === Frame.loop) closeLoop(scan);
  ways?.close(depth, body.total, alive, kind === Frame.if);
  body.height = numbers[frame + BASE]! + numbers[frame + RESULTS]!;
  body.push(0);
  if (numbers[frame + LANDING] === 1) actions.add(body.at, Action.landing, 0, 0);
  body.testPast = numbers[frame + TEST_PAST]! - scan.beside;
  late.passBy(numbers[frame + PASSES]!, body.total);

  scan.depth--;
  const outer = frame - FRAME;
  const escape = numbers[frame + ESCAPE]!;
  if (escape < numbers[outer + ESCAPE]!) numbers[outer + ESCAPE] = escape;
  const targeted = numbers[frame + TARGETED] === 1 && kind !== Frame.loop;
  scan.alive = alive || targeted || kind === Frame.if || numbers[frame + ARM_ALIVE] === 1;
  if (scan.alive) chooseSegment(scan, frame, escape < depth, alive && !targeted);
}

/**
 * Chooses the segment of the code behind the block whose frame is `frame`. Code inside may have left it for a block further out (`escapes`);
 * `onlyEnd`: what comes here is what reached the block's last instruction.
 */
function chooseSegment(scan: Scan, frame: number, escapes: boolean, onlyEnd: boolean): void {
  const { body, late } = scan;
  const { numbers } = scan.frames;
  const kind = numbers[frame + KIND];
  const before = numbers[frame + SEGMENT]!;
  if (escapes && kind !== Frame.loop) late.markCommit(body.at, scan.actions.count, body.total);
  if (escapes && scan.depth === 0 && body.height === 0 && markBoundary(scan)) {
    if (!scan.ways) scan.charge(-1);
  } else if (scan.ways || !escapes) scan.segment = before;
  else if (!onlyEnd || (kind !== Frame.block && kind !== Frame.loop)) scan.charge(before);
}

function closeLoop(scan: Scan): void {
  const { actions, body, loop, loops, ways } = scan;
  loops.last[loop] = actions.count;
  actions.add(body.start, Action.loopEnd, loop, scan.alive ? 1 : 0);
  const parent = loops.parent[loop]!;
  if (parent !== NO_LOOP) {
    loops.stays[parent] = 1;
    if (loops.calls[loop] === 1) loops.calls[parent] = 1;
  }
  if (ways) scan.segments.lower(loops.segment[loop]!, ways.closeLoop(scan.depth, body.total));
  scan.loop = parent;
  scan.loopDepth--;
}

/** Notes that the function may begin in earnest at the cursor, if it has done next to nothing so far. */
function markBoundary(scan: Scan): boolean {
  if (scan.hasCalls || scan.loops.count > 0 || scan.hasDynamicLength || scan.hasLanding) return false;
  if (scan.frames.numbers[TARGETED] === 0) return false;
  return scan.late.markBoundary(scan.body.at, scan.actions.count, scan.body.total);
}
