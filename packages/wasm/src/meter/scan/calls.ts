import { DepthBy } from "./depth.ts";
import { PREPAID } from "../layout.ts";
import { Role } from "../read/opcodes.ts";
import { Action } from "./actions.ts";
import { leaveFunction } from "./branches.ts";
import type { Scan } from "./scan.ts";

// Calls: what the caller pays, and what they do to the depth.

/** What a call of an import costs beyond a call. */
const IMPORT_COST = 100;

/** `call`: of an import, of a function whose caller pays for it, or of any other of the module. */
export function callFunction(scan: Scan): void {
  const { body } = scan;
  const { types, functions, importedFunctions } = scan.module;
  const { depthBy, foreignTailCalls, leafCosts, untested } = scan.options;
  const target = body.u32();
  const type = types[functions[target]!]!;
  body.push(type.results - type.params);
  if (target < importedFunctions) {
    body.total += IMPORT_COST;
    scan.depthLosers++;
    addCall(scan, Action.callImport, target);
  } else if (leafCosts[target]! >= 0) body.total += leafCosts[target]!;
  else {
    body.total += PREPAID;
    scan.beside += untested[target]!;
    body.testPast -= untested[target]!;
    if (depthBy[target] === DepthBy.global && !foreignTailCalls) scan.depthReaders++;
    else if (depthBy[target] !== DepthBy.none) scan.depthLosers++;
    addCall(scan, Action.call, target);
  }
}

/** A call through a table or a reference. */
export function callUnknown(scan: Scan, role: number): void {
  const { body } = scan;
  const type = scan.module.types[body.u32()]!;
  if (role === Role.callIndirect) body.skipLeb();
  body.push(type.results - type.params - 1);
  body.total += PREPAID;
  // what is not this module's may call it and catch what it throws
  scan.depthLosers++;
  addCall(scan, Action.callUnknown, 0);
}

/** Notes the call just read, and in the action before whether that is one as well, from which alone this one is reached. */
function addCall(scan: Scan, action: number, target: number): void {
  const { actions, body } = scan;
  const before = actions.count - 1;
  if (!scan.ways && before >= scan.joined) {
    const kind = actions.numbers[before * 4 + 1]!;
    if (kind === Action.call || kind === Action.callUnknown || kind === Action.callImport)
      actions.numbers[before * 4 + 2]! |= 1;
  }
  actions.add(body.start, action, target * 2, body.at);
  scan.hasCalls = true;
  scan.noteCall();
}

/** `return_call`. */
export function tailCall(scan: Scan): void {
  const { actions, body } = scan;
  const target = body.u32();
  if (target < scan.module.importedFunctions) {
    body.total += IMPORT_COST;
    scan.depthLosers++;
    actions.add(body.start, Action.tailCallImport, target, body.at);
  } else {
    const leafCost = scan.options.leafCosts[target]!;
    body.total += leafCost >= 0 ? leafCost : PREPAID;
    actions.add(body.start, Action.tailCall, target, body.at);
  }
  leaveByCall(scan);
}

/** A tail call through a table or a reference. */
export function tailCallUnknown(scan: Scan, role: number): void {
  const { body } = scan;
  body.skipLeb();
  if (role === Role.tailCallIndirect) body.skipLeb();
  body.total += PREPAID;
  scan.actions.add(body.start, Action.tailCallUnknown, 0, body.at);
  scan.hasUnknownTailCall = true;
  leaveByCall(scan);
}

function leaveByCall(scan: Scan): void {
  scan.hasCalls = true;
  scan.noteCall();
  leaveFunction(scan);
}
