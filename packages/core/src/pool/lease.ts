import { KeelsonError } from "../contract/errors.ts";
import type { Lease, RecycleReason } from "../contract/pool.ts";
import { invalidOption } from "../primitives/invalid-options.ts";
import type { Slot } from "./slot.ts";

const REASONS: readonly RecycleReason[] = ["trap", "max_uses", "idle", "memory", "close"];

/**
 * The right to use one slot. It lets go of the slot when it ends, so a stale lease has nothing left to harm: neither
 * the instance nor whoever holds it now.
 */
export class SlotLease<T> implements Lease<T> {
  #slot: Slot<T> | undefined;

  constructor(slot: Slot<T>) {
    this.#slot = slot;
  }

  get value(): T {
    const slot = this.#slot;
    if (slot === undefined || slot.gone) throw leaseOver(slot !== undefined);
    return slot.value;
  }

  release(): void {
    const slot = this.#slot;
    if (slot === undefined) throw leaseOver(false);
    this.#slot = undefined;
    slot.owner.giveBack(slot);
  }

  discard(reason: RecycleReason = "trap", behind?: boolean): void {
    const slot = this.#slot;
    if (slot === undefined) throw leaseOver(false);
    if (!REASONS.includes(reason)) throw invalidOption("reason", reason, `one of ${REASONS.join(", ")}`);
    this.#slot = undefined;
    slot.owner.discard(slot, reason, behind);
  }

  [Symbol.dispose](): void {
    if (this.#slot !== undefined) this.release();
  }
}

function leaseOver(closed: boolean): KeelsonError {
  return closed
    ? new KeelsonError("LEASE_RELEASED", "The pool was closed and has ended this lease's instance", {
        hint: "give the pool's close more time, or end the work when the module stops",
      })
    : new KeelsonError("LEASE_RELEASED", "This lease was released or discarded before", {
        hint: "use a lease only between its checkout and its release, and release it once",
      });
}
