import type { MeterMeta } from "../meter/options.ts";
import type { Attached } from "../meter/runtime.ts";

/** What one of the guest's instances was given in the run in progress, and what it has of that. */
export interface Charge {
  readonly attached: Attached;
  readonly meta: MeterMeta;
  /** Units handed out. */
  granted: number;
  /** Units used while the host had called the guest back, that the counter does not show yet: see {@link HostCalls}. */
  unseen: number;
  /** Units used when the guest last wrote its counter, as of the last slice; kept once the counter may come to wrap around. */
  written: number;
  started: boolean;
}

/** Beyond so many units the counter may wrap around: a hot loop keeps its own, and moves the one that it wrote last by all that it is given. */
const WRAPS_FROM = 2 ** 30;

/** The fuel that the instances of a guest were given in the run in progress, or the last one, and what they used of it. */
export class Charges {
  readonly all: Charge[] = [];
  /** Units that the run may use. */
  limit: number = Number.POSITIVE_INFINITY;
  /** Units handed out in this run, to all instances. */
  granted = 0;

  /** Begins a run: nothing is handed out. */
  begin(limit: number | undefined): void {
    this.limit = limit ?? Number.POSITIVE_INFINITY;
    this.granted = 0;
  }

  /** Gives each instance its first slice. */
  open(units: number): void {
    const charges = this.all;
    for (let index = 0; index < charges.length; index++) {
      const charge = charges[index]!;
      const grant = Math.min(units, this.limit - this.granted);
      charge.granted = grant;
      charge.unseen = charge.written = 0;
      charge.attached.fuel = grant;
      this.granted += grant;
    }
  }

  /** The run does not begin: nobody was given anything. */
  refuse(): void {
    for (const charge of this.all) {
      charge.granted = charge.attached.fuel;
      charge.unseen = 0;
    }
  }

  /**
   * Gives an instance, which has `counter` left, so many units, or as many as the run may still use. Answers its new counter. If that is below zero
   * there was not enough, and nothing was given.
   */
  grant(charge: Charge, counter: number, units: number): number {
    let available = this.limit - this.granted;
    if (units - counter > available) {
      this.#reclaim(charge);
      available = this.limit - this.granted;
    }
    const grant = Math.min(units - counter, available);
    if (counter + grant >= 0) {
      charge.granted += grant;
      this.granted += grant;
    }
    return counter + grant;
  }

  /** Takes back what an instance has left, so that it asks at its next test. Answers its new counter. */
  takeBack(charge: Charge, counter: number): number {
    if (counter < 0) return counter;
    charge.granted -= counter + 1;
    this.granted -= counter + 1;
    return -1;
  }

  /** Takes back what other instances of the guest hold; they wait for this one, and ask when they go on. */
  #reclaim(except: Charge): void {
    for (const charge of this.all) {
      if (charge === except) continue;
      const unspent = charge.attached.fuel;
      if (unspent <= 0) continue;
      charge.attached.fuel = 0;
      charge.granted -= unspent;
      this.granted -= unspent;
    }
  }

  /** The guest asks for its next slice: keeps what is needed to know what a long run uses. */
  noteSlice(charge: Charge): void {
    if (charge.granted > WRAPS_FROM) charge.written = usedWhenWritten(charge);
  }

  /** Units spent in this run, as of the guest's last call or exit. @param asking whose `counter` is at hand */
  used(asking?: Charge, counter = 0): number {
    // Apart, so that this stays small enough to be compiled into its callers.
    if (this.granted > WRAPS_FROM) return this.#usedInLongRun(asking, counter);
    const charges = this.all;
    let used = 0;
    for (let index = 0; index < charges.length; index++) {
      const charge = charges[index]!;
      used += charge.granted - (charge === asking ? counter : charge.attached.fuel);
    }
    return used;
  }

  #usedInLongRun(asking: Charge | undefined, counter: number): number {
    let used = 0;
    for (const charge of this.all) {
      if (charge === asking) used += charge.granted - counter;
      else if (charge.granted > WRAPS_FROM) used += usedWhenWritten(charge);
      else used += charge.granted - charge.attached.fuel;
    }
    return used;
  }

  /** Bytes of memory that the guest's caps have given out at most in its life. */
  get memoryPeakBytes(): number {
    let bytes = 0;
    const charges = this.all;
    for (let index = 0; index < charges.length; index++) {
      const { attached, meta } = charges[index]!;
      // the room is counted in granules, of which a cap may leave a part over
      if (meta.memoryBytes !== undefined)
        bytes += Math.floor(meta.memoryBytes / 16) * 16 - attached.roomBytes;
    }
    return bytes;
  }
}

/** Units used when the guest last wrote its counter, however long it has been in one loop since. */
function usedWhenWritten({ attached, granted, written }: Charge): number {
  return (granted - written) % 2 ** 32 === (attached.counter + 2 ** 32) % 2 ** 32
    ? written
    : granted - attached.fuel;
}
