import type { Charge } from "./charges.ts";

/** Stack bytes reckoned for the host's frames between two guests. */
const CROSSING_BYTES = 4096;

/** Gives each instance the stack that a guest entered from outside has; where another guest is on the stack, what that one has left. */
export function fillDepths(charges: readonly Charge[], left: number = Number.POSITIVE_INFINITY): void {
  for (const { attached, meta } of charges) attached.depth = Math.min(meta.stackBytes, left - CROSSING_BYTES);
}

/** The least that an instance has left of its stack, bytes. */
export function depthLeft(charges: readonly Charge[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { attached, meta } of charges) if (meta.stackBytes > 0) least = Math.min(least, attached.depth);
  return least;
}

/** The host calls the guest back: its frames are on the stack as well. Answers what to give {@link restoreDepths}. */
export function crossDepths(charges: readonly Charge[]): readonly number[] {
  return charges.map(({ attached }) => {
    const { depth } = attached;
    attached.depth = depth - CROSSING_BYTES;
    return depth;
  });
}

/** The guest returned, or was left, and its host goes on; instances that were adopted since stay as they are, and those let go are gone. */
export function restoreDepths(charges: readonly Charge[], depths: readonly number[]): void {
  for (const [index, { attached }] of charges.entries()) attached.depth = depths[index] ?? attached.depth;
}
