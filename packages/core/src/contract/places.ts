import type { Call } from "./call.ts";

/** A pool, as one of those whose instances share a number of places. All of it answers at once. */
export interface PlaceUser {
  /** Since when the first of those waits for whom there was no place, monotonic ms; undefined while there is nobody. */
  readonly lackingSince: number | undefined;
  /** Idle instances that it can do without. */
  readonly spares: number;
  /** Instances that it will not give back while `call` waits: idle ones that it keeps, and those that are held on behalf of that very call. */
  keeps(call: Call | undefined): number;
  /** Ends one of the `spares`, the one used least recently. */
  spare(): void;
  /** A place is free: takes it now, or never mind. */
  retry(): void;
  /** Others lack a place, or do not any more: while they do, {@link PlaceShare.offer} is to be called whenever an instance becomes idle. */
  wanted(is: boolean): void;
}

/** A pool's part in the places. Disposing it ends that; what it still holds is given back by its instances. */
export interface PlaceShare extends Disposable {
  /** The pool begins to lack a place. */
  lack(): void;
  /** Something has become idle that may be spared. */
  offer(): void;
  /** Whether one that lacks a place in another pool has waited longer than since `since`, monotonic ms, and would get what is given back now. */
  behind(since: number): boolean;
  /** Whether one more instance can be hoped for on behalf of `call`; false when all that could make room is kept. */
  hopeful(call: Call | undefined): boolean;
}

/**
 * Places for instances that several pools share, such as those of a kernel's WebAssembly modules. Making an instance when none is free
 * fails with `INSTANCE_LIMIT`; a pool that knows of the places then lets its caller wait until there is one.
 */
export interface PoolPlaces {
  join(user: PlaceUser): PlaceShare;
}
