import type { Call } from "../contract/call.ts";
import type { RecycleReason } from "../contract/pool.ts";

/** What a lease brings its slot back to. */
export interface SlotOwner<T> {
  giveBack(slot: Slot<T>): void;
  discard(slot: Slot<T>, reason: RecycleReason, behind?: boolean): void;
}

/** The place of one instance in a pool, from its making to its end. */
export class Slot<T> {
  readonly value: T;
  readonly owner: SlotOwner<T>;
  /** Leases that have ended. */
  uses = 0;
  /** The reaper's tick at which it last became idle: a number at hand instead of a look at the clock for each release. */
  idleSince = 0;
  /** On whose behalf it is held. */
  call: Call | undefined;
  /** Its value was handed to the source's `destroy`. */
  gone = false;

  constructor(value: T, owner: SlotOwner<T>) {
    this.value = value;
    this.owner = owner;
  }

  /** For who took it without a lease. */
  release(): void {
    this.owner.giveBack(this);
  }

  /** For who took it without a lease. @param behind another is made once the caller has its error */
  discard(reason: RecycleReason = "trap", behind?: boolean): void {
    this.owner.discard(this, reason, behind);
  }
}
