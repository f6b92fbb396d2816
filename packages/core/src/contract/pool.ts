import type { Call } from "./call.ts";
import type { PoolPlaces } from "./places.ts";
import type { MaybePromise } from "./value.ts";

/** Makes and destroys what a pool holds. */
export interface PoolSource<T> {
  create(): MaybePromise<T>;
  /** Must not throw; if it does the pool counts it and goes on. */
  destroy(value: T): MaybePromise<void>;
  /** Size of a value now, bytes; read at each return if there is a {@link PoolOptions.maxMemoryBytes}, and by {@link Pool.relieve}. A cheap read. */
  memoryBytes?(value: T): number;
  /** Set when its values share a number of places with others: then a caller waits where `create` fails with `INSTANCE_LIMIT`. */
  readonly places?: PoolPlaces | undefined;
}

/** Why an instance was taken out of a pool. */
export type RecycleReason = "trap" | "max_uses" | "idle" | "memory" | "close";

/** Options of a pool. */
export interface PoolOptions {
  /** Instances kept warm. Default 0. */
  readonly min?: number | undefined;
  /** Instances at most, those being made included. Default 8, or `min` if that is more. */
  readonly max?: number | undefined;
  /** Uses after which an instance is replaced. Default: no limit. */
  readonly maxUses?: number | undefined;
  /** Idle time after which an instance above `min` is ended, up to a quarter later, ms. Default 60,000; `Infinity` for never. */
  readonly maxIdleMs?: number | undefined;
  /** How long a checkout waits, ms. Default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Callers that may wait at a time; one more gets `POOL_EXHAUSTED`. Default 10,000. */
  readonly maxWaiting?: number | undefined;
  /** Size above which a returned instance is replaced, bytes, by `memoryBytes(value)` of the source. Default: no limit. */
  readonly maxMemoryBytes?: number | undefined;
  /** How long closing lets leases end, ms; `Infinity` for as long as they take. Default 5,000; 4,000 for the stop of a pooled module, whose `deadlines.stopMs` has to be longer. */
  readonly drainMs?: number | undefined;
}

/** What {@link Pool.relieve}, a module's `relieve` and `kernel.relieve` gave back. */
export interface Relief {
  /** Instances that were ended. */
  readonly instances: number;
  /** What they had taken of memory, bytes, as far as their sizes could be read. */
  readonly bytes: number;
}

/** Options of one checkout. */
export interface CheckoutOptions {
  /** Gives the wait up; the checkout rejects with `ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait, ms. Default: the pool's. */
  readonly timeoutMs?: number | undefined;
  /** The call on whose behalf; lets the pool see that a chain of calls waits for itself (`CALL_CYCLE`). */
  readonly call?: Call | undefined;
}

/** The right to use one instance. A new object for each checkout: a stale one can do no harm. */
export interface Lease<T> extends Disposable {
  /** The instance. Throws `LEASE_RELEASED` once the lease is over. */
  readonly value: T;
  /** Gives the instance back. A second time throws `LEASE_RELEASED`; disposing an ended lease is fine. */
  release(): void;
  /** Takes the instance out of the pool. Default reason: `"trap"`; `INVALID_OPTIONS` for one that there is not, and the lease goes on. */
  discard(reason?: RecycleReason): void;
}

/** Instances kept warm, handed out first come, first served. */
export interface Pool<T> extends AsyncDisposable {
  /** A lease if an instance is free this moment, else undefined. Makes no promise; throws `POOL_CLOSED`. */
  tryCheckout(call?: Call): Lease<T> | undefined;
  /**
   * @throws KeelsonError `CHECKOUT_TIMEOUT`, `ABORTED`, `POOL_EXHAUSTED`, `POOL_CLOSED`, `CALL_CYCLE`, or what the source threw
   */
  checkout(options?: CheckoutOptions): Promise<Lease<T>>;
  /** Counts as of now; a new object each time. */
  stats(): PoolStats;
  /**
   * For when memory is short: ends instances that are idle, the largest first, until `bytes` (default: all) are given
   * back; `min` is refilled with new ones. Leases are not touched. `INVALID_OPTIONS` for bytes that are no number from 0.
   */
  relieve(bytes?: number): Relief;
  /** Refuses new callers, rejects those who wait, lets leases drain until `timeoutMs` (default 5,000), then destroys all the same. A second close joins the first. */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void>;
}

/** Counts of a pool, as of now. `made − destroyed = size`, `size = idle + inUse`. */
export interface PoolStats {
  readonly size: number;
  readonly idle: number;
  readonly inUse: number;
  readonly waiting: number;
  /** Instances being made. */
  readonly making: number;
  readonly made: number;
  readonly destroyed: number;
  readonly checkouts: number;
  readonly checkoutErrors: number;
  readonly recycled: Readonly<Record<RecycleReason, number>>;
  /** How often the source's `destroy` threw. */
  readonly destroyErrors: number;
}
