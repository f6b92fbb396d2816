import type { Body } from "../read/bodies.ts";
import { I32, I64 } from "../bytecode.ts";
import { callsNothing } from "./calls-nothing.ts";
import type { ModuleInfo } from "../read/module.ts";

/** How a function comes to know the stack that is left. */
export const DepthBy = {
  /** It finds it in the depth's global and leaves that as it was: code outside of the module can call it. */
  global: 0,
  /** Its callers, all of them functions of this module, hand it over in a parameter of its own behind the others. */
  parameter: 1,
  /** The same, where that parameter has 64 bits. */
  wideParameter: 2,
  /** It calls nothing, so its frame is free. */
  none: 3,
} as const;

/** Whether depth that is told by `depthBy` comes in a parameter. */
export function isParameter(depthBy: number): boolean {
  return depthBy === DepthBy.parameter || depthBy === DepthBy.wideParameter;
}

/** Engines accept a thousand. */
const MAX_PARAMS = 900;
/** Engines accept a million; some are left for the meter's own functions. */
const MAX_TYPES = 999_000;

/**
 * For each function how it comes to know the depth, as far as can be told before it is read whole. `bodies` are those of
 * the functions defined here, `leafCosts` the functions that their callers pay for.
 */
export function findDepthBy(module: ModuleInfo, bodies: readonly Body[], leafCosts: Int32Array): Uint8Array {
  const { bytes, exposed, functions, importedFunctions, types } = module;
  const depthBy = new Uint8Array(functions.length);
  // each function may need a type of its own
  const maxParams = types.length + bodies.length <= MAX_TYPES ? MAX_PARAMS : -1;
  for (let index = 0; index < bodies.length; index++) {
    const { from, to } = bodies[index]!;
    const number = importedFunctions + index;
    if (leafCosts[number]! >= 0 || callsNothing(bytes, from, to)) depthBy[number] = DepthBy.none;
    else if (!exposed.has(number) && types[functions[number]!]!.params <= maxParams)
      depthBy[number] = placeFor(bytes, from);
  }
  return depthBy;
}

/**
 * The parameter behind the others that leaves the numbers of the function's locals alone: it declares none, or the first
 * is an integer, whose number and type the parameter takes.
 */
function placeFor(bytes: Uint8Array, from: number): number {
  if (bytes[from] === 0) return DepthBy.parameter;
  // numbers of more than one byte are rare: not worth decoding
  const count = bytes[from + 1]!;
  if (bytes[from]! >= 0x80 || count === 0 || count >= 0x80) return DepthBy.global;
  const type = bytes[from + 2];
  return type === I32 ? DepthBy.parameter : type === I64 ? DepthBy.wideParameter : DepthBy.global;
}
