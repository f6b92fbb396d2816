import { END } from "../bytecode.ts";
import { describeOpcode, Role } from "../read/opcodes.ts";
import { truncated, unsupported } from "../read/reader.ts";
import { Action } from "./actions.ts";
import { beginArm, endBlock, openBlock, openLoop } from "./blocks.ts";
import { branch, branchIf, branchTable, leaveFunction } from "./branches.ts";
import { bulkArray, bulkMemory, bulkTable } from "./bulk.ts";
import { callFunction, callUnknown, tailCall, tailCallUnknown } from "./calls.ts";
import { LANDING, PASSES } from "./control-frames.ts";
import { rethrow, throwRef, throwTag } from "./exceptions.ts";
import { growMemory, growTable, newArray, newFixedArray, newStruct } from "./growth.ts";
import type { Scan } from "./scan.ts";

/**
 * Reads a function's body, from its first instruction to its end, and notes what has to be inserted where.
 * Open blocks are kept on a stack of the scan's own, so that deep nesting costs memory and no call depth.
 *
 * @throws `UNSUPPORTED_WASM` naming an instruction that cannot be metered, `WASM_TOO_LARGE` where blocks are nested too deep, or too much would have to be noted of them
 * @param locals parameters included
 */
export function scanFunction(
  scan: Scan,
  from: number,
  to: number,
  functionType: number,
  locals: number,
): void {
  scan.begin(from, to, functionType, locals);
  const { body } = scan;
  for (;;) {
    const role = body.straight();
    switch (role) {
      // the frequent ones first
      case Role.end:
      case Role.delegate:
        if (role === Role.delegate) body.skipLeb();
        if (scan.depth === 0) return endFunction(scan, to);
        endBlock(scan);
        break;
      case Role.block:
      case Role.if:
      case Role.tryTable:
      case Role.try:
        openBlock(scan, role);
        break;
      case Role.call:
        callFunction(scan);
        break;
      case Role.branchIf:
        branchIf(scan);
        break;
      case Role.branch:
        branch(scan);
        break;
      case Role.return:
        scan.actions.add(body.start, Action.return, scan.depth, scan.loop);
        leaveFunction(scan);
        break;
      case Role.else:
      case Role.catch:
      case Role.catchAll:
        beginArm(scan, role);
        break;
      case Role.loop:
        openLoop(scan);
        break;
      case Role.callIndirect:
      case Role.callRef:
        callUnknown(scan, role);
        break;
      case Role.branchTable:
        branchTable(scan);
        break;
      case Role.tailCall:
        tailCall(scan);
        break;
      case Role.tailCallIndirect:
      case Role.tailCallRef:
        tailCallUnknown(scan, role);
        break;
      case Role.throw:
        throwTag(scan);
        break;
      case Role.rethrow:
        rethrow(scan);
        break;
      case Role.throwRef:
        throwRef(scan);
        break;
      case Role.unreachable:
        scan.alive = false;
        break;
      case Role.memoryGrow:
        growMemory(scan);
        break;
      case Role.tableGrow:
        growTable(scan);
        break;
      case Role.bulkMemory:
        bulkMemory(scan);
        break;
      case Role.bulkTable:
        bulkTable(scan);
        break;
      case Role.bulkArray:
        bulkArray(scan);
        break;
      case Role.structNew:
      case Role.structNewDefault:
        newStruct(scan, role);
        break;
      case Role.arrayNew:
        newArray(scan);
        break;
      case Role.arrayNewFixed:
        newFixedArray(scan);
        break;
      case Role.wait:
        body.skipMemory();
        scan.actions.add(body.start, Action.wait, body.slot & 1 ? 32 : 64, body.at);
        scan.noteCall();
        body.height -= 2;
        break;
      case Role.plain:
        break;
      default:
        throw unsupported(describeOpcode(body.slot), body.start);
    }
    if (scan.alive) scan.testWhereDue();
    else skipDead(scan, role);
  }
}

/**
 * Leaves out what follows, up to the end of the block: nothing there can be executed. Behind a block that never ends, an `unreachable`
 * says so, since the operands left on the stack are not what the next `end` expects.
 */
function skipDead(scan: Scan, role: number): void {
  const { body } = scan;
  const from = body.at;
  const resume = body.bytes[from] === END ? from : body.skipDead();
  scan.ways?.note(body.total);
  if (resume > from) {
    const behindBlock = role === Role.end || role === Role.delegate;
    scan.actions.add(from, Action.dead, resume, behindBlock ? 1 : 0);
  }
  body.at = resume;
  scan.settle();
}

function endFunction(scan: Scan, to: number): void {
  const { actions, body, frames, late, loops, segments, ways } = scan;
  scan.settle();
  actions.add(body.start, Action.dead, body.at, 0);
  if (body.at !== to) throw truncated(body.at);
  scan.requireFewValues();
  if (ways) segments.lower(0, ways.finish(body.total));
  else segments.chargeSmallBlocks();
  late.decide(body.total, frames.numbers[PASSES]!, !scan.hasLanding && (scan.hasCalls || loops.count > 0));
  scan.cost = body.total;
  scan.maxHeight = body.maxHeight;
  scan.usesVectors = body.usesVectors;
  scan.functionLanding = frames.numbers[LANDING] === 1;
}
