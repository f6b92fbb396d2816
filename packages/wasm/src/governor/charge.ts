import type { MeterMeta } from "../meter/options.ts";
import type { Attached } from "../meter/runtime.ts";

/** One instance of a guest, and what it holds of the run in progress. */
export interface Charge {
  readonly attached: Attached;
  readonly meta: MeterMeta;
  /** Units handed out in this run. */
  granted: number;
  started: boolean;
}

/** Units that were spent, as of the guest's last call or exit. */
export function spentBy(charges: readonly Charge[]): number {
  let spent = 0;
  for (let index = 0; index < charges.length; index++) {
    const { granted, attached } = charges[index]!;
    spent += granted - attached.fuel;
  }
  return spent;
}

/** Takes back what instances other than `except` hold; they wait for this one, and ask when they go on. Answers the units. */
export function reclaim(charges: readonly Charge[], except: Charge): number {
  let reclaimed = 0;
  for (const charge of charges) {
    if (charge === except) continue;
    const unspent = charge.attached.fuel;
    if (unspent <= 0) continue;
    charge.attached.fuel = 0;
    charge.granted -= unspent;
    reclaimed += unspent;
  }
  return reclaimed;
}

/** Bytes of stack that the fullest of them has left. */
export function depthLeft(charges: readonly Charge[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { attached, meta } of charges) if (meta.stackBytes > 0) least = Math.min(least, attached.depth);
  return least;
}

/** Bytes that all of them take of their caps on memory. */
export function memoryTaken(charges: readonly Charge[]): number {
  let bytes = 0;
  for (const { attached, meta } of charges) {
    // the room is counted in granules, of which a cap may leave a part over
    if (meta.memoryBytes !== undefined) bytes += Math.floor(meta.memoryBytes / 16) * 16 - attached.roomBytes;
  }
  return bytes;
}
