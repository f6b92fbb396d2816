import { HOST_FRAME_BYTES, PARKED_BELOW } from "../meter/layout.ts";
import { counterGiven } from "../meter/runtime.ts";
import type { Charge } from "./charges.ts";

/**
 * The calls of host functions that a guest is in, from which it may come back unseen: see {@link MeterMeta.watchedImports}. It knows by
 * its counter, which must be as it was, that it comes back from the host, and asks at once. If the host called it back in between, the counter is put back
 * here, and what it used meanwhile is taken from it when it asks.
 */
export class HostCalls {
  /** What counter and depth of each instance were when host functions began, and how many instances there were; innermost last. */
  readonly #before: number[] = [];

  /** Those of an earlier run were left by what was thrown. */
  forget(): void {
    // To set the length of an array costs 25 ns on V8, also where it is that already.
    if (this.#before.length > 0) this.#before.length = 0;
  }

  begin(charges: readonly Charge[]): void {
    for (const { attached, meta } of charges) {
      const { counter, depth } = attached;
      this.#before.push(counter, depth);
      // a guest that calls it by its name has left room for its frames
      if (counter >= PARKED_BELOW && meta.stackBytes > 0) attached.depth = depth - HOST_FRAME_BYTES;
    }
    this.#before.push(charges.length);
  }

  end(charges: readonly Charge[]): void {
    // Of a guest that was ended while it waited nothing is left to be put back; instances that were adopted since are as they are.
    const count = this.#before.pop() ?? 0;
    for (let index = count - 1; index >= 0; index--) {
      const charge = charges[index];
      const depth = this.#before.pop()!;
      const before = this.#before.pop()!;
      // the guest was let go while it waited
      if (charge === undefined) continue;
      const { attached } = charge;
      attached.depth = depth;
      const now = attached.counter;
      if (now === before) continue;
      charge.unseen += counterGiven(before) - counterGiven(now);
      attached.counter = before;
    }
  }
}
