import { granulesOf } from "../read/constants.ts";
import { unsupported } from "../read/reader.ts";
import { Action } from "./actions.ts";
import { ESCAPE, FRAME, Frame, KIND, LANDING, LOOP, TARGETED } from "./control-frames.ts";
import { NO_LOOP } from "./loops.ts";
import type { Scan } from "./scan.ts";

// Exceptions: where they are thrown, and where handlers of try_table lead.

/** Values of an exception that is charged only where it can be kept: the stack holds few of them. */
const SMALL_EXCEPTION = 8;
/** How much more an exception takes for its values than the stack does: V8 keeps them in pieces of 16 bits, a word for each. */
const EXCEPTION_SHARE = 4;

/** `throw`. */
export function throwTag(scan: Scan): void {
  const { actions, body } = scan;
  const { keepsExceptions, tags, types } = scan.module;
  const type = types[tags[body.u32()]!]!;
  if (scan.options.capped && (keepsExceptions || type.hasReferences || type.params > SMALL_EXCEPTION))
    actions.add(body.start, Action.allocate, granulesOf(type.paramStack * EXCEPTION_SHARE + 64), 0);
  leaveByThrow(scan);
}

/** `throw_ref`. */
export function throwRef(scan: Scan): void {
  leaveByThrow(scan);
}

function leaveByThrow(scan: Scan): void {
  if (scan.loop !== NO_LOOP) scan.loops.stays[scan.loop] = 1;
  scan.late.commitNow();
  scan.actions.add(scan.body.start, Action.throw, 0, 0);
  scan.alive = false;
}

/** `rethrow`, of the older exception handling. */
export function rethrow(scan: Scan): void {
  scan.body.skipLeb();
  scan.noteCall();
  scan.actions.add(scan.body.start, Action.throw, 0, 0);
  scan.alive = false;
}

/** Reads the handlers of the try_table that was just opened; their labels count from outside of it. */
export function catchClauses(scan: Scan): void {
  const { body, depth } = scan;
  const { numbers } = scan.frames;
  scan.hasTryTable = scan.hasLanding = true;
  for (let clauses = body.u32(); clauses > 0; clauses--) {
    const { at } = body;
    const kind = body.byte();
    if (kind > 3) throw unsupported(`a handler of kind ${kind}`, at);
    if (kind < 2) body.u32();
    scan.noteWays(1);
    const target = depth - 1 - body.u32();
    const frame = target * FRAME;
    numbers[frame + TARGETED] = numbers[frame + LANDING] = 1;
    if (target < numbers[depth * FRAME + ESCAPE]!) numbers[depth * FRAME + ESCAPE] = target;
    if (numbers[frame + KIND] === Frame.loop) scan.loops.landing[numbers[frame + LOOP]!] = 1;
  }
}
