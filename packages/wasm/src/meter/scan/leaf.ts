import type { Body } from "../read/bodies.ts";
import type { ModuleInfo } from "../read/module.ts";
import { pastImmediate } from "../read/immediates.ts";
import {
  costOf,
  Immediate,
  immediateOf,
  prefixBase,
  prefixRoom,
  relaxedSimd,
  Role,
  roleOf,
} from "../read/opcodes.ts";

/** Bodies up to this size are looked at. */
const MAX_BYTES = 48;
const MAX_LOCALS = 16;

/**
 * What a tiny function costs that neither branches nor calls, so that its callers can pay for it and it needs no
 * code of its own; -1 for every other function. `from` stands at the body's declarations of locals.
 */
function leafCost(bytes: Uint8Array, from: number, to: number): number {
  if (to - from > MAX_BYTES) return -1;
  let at = from;
  const groups = bytes[at++]!;
  if (groups > 4) return -1;
  for (let group = 0; group < groups; group++) {
    // a reference type of more bytes ends the look: its locals are not worth decoding
    if (bytes[at]! > MAX_LOCALS || bytes[at + 1]! < 0x69) return -1;
    at += 2;
  }
  let cost = 0;
  while (at < to) {
    let slot = bytes[at++]!;
    if (slot >= 0xfb && slot <= 0xfe) {
      const code = bytes[at++]!;
      if (code >= 0x80 || code >= prefixRoom[slot - 0xfb]!) return -1;
      slot = prefixBase[slot - 0xfb]! + code;
    }
    const role = roleOf[slot];
    if (role === Role.end) return at === to ? cost : -1;
    if ((role !== Role.plain && role !== Role.constant) || slot >= relaxedSimd) return -1;
    cost += costOf[slot]!;
    const immediate = immediateOf[slot]!;
    // a struct's field, or a memory's index
    if (immediate === Immediate.leb2 || (immediate === Immediate.memory && (bytes[at]! & 0x40) !== 0))
      return -1;
    at = pastImmediate(bytes, at, immediate);
    if (at < 0) return -1;
  }
  return -1;
}

/** {@link leafCost} of each function; -1 also for those that a host or a table can reach, which must show that they ran. */
export function findLeaves(module: ModuleInfo, bodies: readonly Body[]): Int32Array {
  const costs = new Int32Array(module.functions.length).fill(-1);
  for (let index = 0; index < bodies.length; index++) {
    const { from, to } = bodies[index]!;
    const number = module.importedFunctions + index;
    if (!module.exposed.has(number)) costs[number] = leafCost(module.bytes, from, to);
  }
  return costs;
}
