import type { Call } from "../contract/call.ts";
import { isKeelsonError, type KeelsonError } from "../contract/errors.ts";
import type { Labels, Metrics } from "../contract/metrics.ts";
import type { PlaceShare, PlaceUser } from "../contract/places.ts";
import type { Clock } from "../contract/platform.ts";
import type {
  CheckoutOptions,
  Lease,
  Pool,
  PoolOptions,
  PoolSource,
  PoolStats,
  RecycleReason,
  Relief,
} from "../contract/pool.ts";
import { DeadlineQueue } from "../primitives/deadline.ts";
import { SlotLease } from "./lease.ts";
import { type ParsedPoolOptions, parsePoolOptions } from "./options.ts";
import { Reaper } from "./reaper.ts";
import {
  callCycle,
  checkoutAborted,
  checkoutTimedOut,
  noPlace,
  poolClosed,
  poolExhausted,
} from "./refusals.ts";
import { exposePool, type PoolSeries } from "./series.ts";
import type { Slot } from "./slot.ts";
import { Stock, type StockOwner } from "./stock.ts";
import { type Creation, Waiter, type WaitOwner, WaitQueue } from "./waiters.ts";
import { fits, requireFit } from "../primitives/call-options.ts";
import {
  invalidOptions,
  requireFunction,
  requireOptions,
  requirePorts,
  requireRange,
} from "../primitives/invalid-options.ts";

/** What a pool needs from its surroundings. */
export interface PoolDeps {
  readonly clock: Clock;
  /** Where the series `keelson_pool_*` are shown while the pool is open. Default: nowhere. */
  readonly metrics?: Metrics;
  /** Labels of the series. Default: none. */
  readonly labels?: Labels;
  /** Name of the pool in messages. Default "pool". */
  readonly name?: string;
}

/**
 * Makes a pool over `source` and begins to warm `min` instances; a failure to make one of these is tried again, later and later.
 *
 * @throws KeelsonError `INVALID_OPTIONS`
 */
export function createPool<T>(source: PoolSource<T>, options: PoolOptions, deps: PoolDeps): Pool<T> {
  requirePorts("createPool", deps, "clock");
  if (deps.metrics != null) requireFunction("scoped() of a pool's metrics", deps.metrics.scoped);
  const pool = new SlotPool(source, options, deps);
  pool.refill();
  return pool;
}

/**
 * The pool behind {@link createPool}. Everything in it happens at once, with no promise between a release and the first
 * waiter's lease, so an abort, a time-out and a release never meet half-way. Two invariants carry the order: while someone waits,
 * no instance is idle; and all that becomes free goes through `#offer`. How instances come and go, and that there are `min` of them,
 * is the {@link Stock}'s part, how long callers wait the {@link WaitQueue}'s.
 *
 * To read it: callers come by {@link SlotPool.take}, {@link SlotPool.grow} or {@link SlotPool.checkout}. Who has to wait is put into the queue by `#enter`,
 * and `#provide` has instances made for those in it, which come back by {@link SlotPool.made}. What `lackingSince` to `wanted` answer is asked by
 * the places that pools share.
 */
export class SlotPool<T> implements Pool<T>, StockOwner<T>, WaitOwner<T>, PlaceUser {
  readonly #options: ParsedPoolOptions;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #deadlines: DeadlineQueue;
  readonly #series: PoolSeries | undefined;
  readonly #reaper: Reaper;
  readonly #stock: Stock<T>;
  /** The least recently used first; taken from the end, so that those at the front may grow old. */
  readonly #idle: Slot<T>[] = [];
  readonly #queue: WaitQueue<T>;
  readonly #maxUses: number;
  /** A returned instance needs a second look: there is a size limit, or the pool is closed. */
  #watchful: boolean;
  #providing = false;
  #checkouts = 0;
  #checkoutErrors = 0;
  #closed: Promise<void> | undefined;
  #drained: (() => void) | undefined;
  readonly #places: PlaceShare | undefined;
  /** What the source said when it had no place for one more; until there is one nothing is made for those who wait. */
  #noPlace: KeelsonError | undefined;
  #othersLack = false;

  constructor(source: PoolSource<T>, options: PoolOptions, deps: PoolDeps) {
    if (typeof source?.create !== "function" || typeof source.destroy !== "function")
      throw invalidOptions("A pool needs a source", "give an object with create() and destroy(value)");
    this.#options = parsePoolOptions(options);
    this.#maxUses = this.#options.maxUses;
    this.#watchful = this.#options.maxMemoryBytes < Infinity;
    if (this.#watchful && source.memoryBytes === undefined) {
      throw invalidOptions(
        "maxMemoryBytes is set, but the source has no memoryBytes()",
        "give the source a memoryBytes(value), or leave maxMemoryBytes out",
      );
    }
    this.#name = deps.name ?? "pool";
    this.#clock = deps.clock;
    this.#deadlines = new DeadlineQueue(deps.clock);
    this.#queue = new WaitQueue(deps.clock, this.#deadlines, this.#options.timeoutMs, this);
    this.#stock = new Stock(source, this, this.#options.min, deps.clock);
    this.#reaper = new Reaper(deps.clock, this.#options.maxIdleMs, (staleBefore) => this.#reap(staleBefore));
    this.#places = source.places?.join(this);
    this.#series = deps.metrics && exposePool(() => this.stats(), deps.metrics, deps.labels ?? {});
  }

  tryCheckout(call?: Call): Lease<T> | undefined {
    const slot = this.take(call);
    return slot === undefined ? undefined : new SlotLease(slot);
  }

  /** As {@link SlotPool.tryCheckout} without a lease, for who is sure to give the slot back once and to forget it then. */
  take(call?: Call): Slot<T> | undefined {
    const slot = this.#idle.pop();
    if (slot !== undefined) {
      this.#checkouts++;
      slot.call = call;
      return slot;
    }
    if (this.#closed !== undefined) throw poolClosed(this.#name);
    return undefined;
  }

  /**
   * As {@link SlotPool.take}, but makes an instance if there is room, for whoever waits longest; undefined if the source answers
   * with a promise: the next checkout then waits for what was begun. Throws what the source throws.
   */
  grow(call?: Call): Slot<T> | undefined {
    if (this.#closed === undefined && this.#stock.unclaimed() === undefined && this.#hasRoom()) {
      const { failure } = this.#stock.begin();
      if (failure !== undefined && this.#lacksPlace(failure.error) === undefined) {
        this.#checkoutErrors++;
        throw failure.error;
      }
    }
    return this.take(call);
  }

  checkout(options?: CheckoutOptions): Promise<Lease<T>> {
    if (options === undefined || (fits(options, "call") && options?.signal?.aborted !== true)) {
      const slot = this.#idle.pop();
      if (slot !== undefined) {
        this.#checkouts++;
        slot.call = options?.call;
        return Promise.resolve(new SlotLease(slot));
      }
    }
    return this.#wait(options);
  }

  stats(): PoolStats {
    const { slots, making, made, destroyed, destroyErrors, recycled } = this.#stock;
    return {
      size: slots.size,
      idle: this.#idle.length,
      inUse: slots.size - this.#idle.length,
      waiting: this.#queue.size,
      making: making.size,
      made,
      destroyed,
      checkouts: this.#checkouts,
      checkoutErrors: this.#checkoutErrors,
      recycled: { ...recycled },
      destroyErrors,
    };
  }

  relieve(bytes: number = Infinity): Relief {
    requireRange("bytes", bytes, 0, Infinity);
    const sized = this.#idle.map((slot) => ({ slot, size: this.#stock.memoryBytes(slot) }));
    sized.sort((one, other) => other.size - one.size);
    const victims: Slot<T>[] = [];
    let freed = 0;
    for (const { slot, size } of sized) {
      if (freed >= bytes) break;
      this.#idle.splice(this.#idle.indexOf(slot), 1);
      victims.push(slot);
      // One whose size cannot be read goes first, and is no reason to stop.
      if (size < Infinity) freed += size;
    }
    for (const slot of victims) this.#stock.end(slot, "memory");
    this.#replace();
    return { instances: victims.length, bytes: freed };
  }

  /** Begins to make what is missing to `min`. */
  refill(): void {
    this.#stock.refill();
  }

  /** Resolves when `min` instances live; rejects with the source's first failure, or `POOL_CLOSED`. */
  warm(): Promise<void> {
    return this.#closed === undefined ? this.#stock.warm() : Promise.reject(poolClosed(this.#name));
  }

  /** Fails all who wait now; leases and later callers are not touched. */
  refuseWaiting(error: unknown): void {
    while (this.#queue.first !== undefined) this.#refuse(this.#queue.first, error);
  }

  close(options?: { readonly timeoutMs?: number }): Promise<void> {
    if (this.#closed === undefined) {
      const { timeoutMs = this.#options.drainMs } = options ?? {};
      requireOptions("close", options, { timeoutMs: 0 }, Infinity);
      const { promise, resolve } = Promise.withResolvers<void>();
      // Set first: what is called on the way may close again.
      this.#closed = promise;
      resolve(this.#shut(timeoutMs));
    }
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Closes, or hastens the close that is under way: no lease is waited for. */
  end(): Promise<void> {
    const closed = this.close({ timeoutMs: 0 });
    this.#drained?.();
    return closed;
  }

  /** A lease ended well. For leases only. */
  giveBack(slot: Slot<T>): void {
    // An idle instance must not keep the last call's payload alive.
    slot.call = undefined;
    if (++slot.uses >= this.#maxUses || this.#watchful) this.#giveBackWatchfully(slot);
    else this.#offer(slot);
  }

  /** A lease ended, and its instance with it; `behind`: another is made once the caller has its error. For leases only. */
  discard(slot: Slot<T>, reason: RecycleReason, behind?: boolean): void {
    // Closing has ended it under its holder.
    if (slot.gone) return;
    this.#stock.end(slot, reason);
    this.#replace(behind);
  }

  /** An instance came into being. For the stock only. */
  made(slot: Slot<T>): void {
    if (this.#closed !== undefined) {
      this.discard(slot, "close");
      return;
    }
    this.#offer(slot);
    // The one it was made for waits on if another was before it.
    this.#provide();
    if (this.#stock.slots.size > this.#options.min) this.#reaper.wake();
  }

  /** An instance could not be made. For the stock only. */
  failed(creation: Creation<T>, error: unknown): void {
    if (this.#closed !== undefined) {
      this.ended();
      return;
    }
    const { waiter } = creation;
    const lack = this.#lacksPlace(error);
    if (waiter !== undefined) {
      waiter.creation = undefined;
      if (lack === undefined) this.#refuse(waiter, error);
      else if (waiter.waiting) this.#lack(waiter, lack);
    }
    this.#provide();
  }

  /** Something is gone for good. For the stock only. */
  ended(): void {
    if (this.#stock.empty) this.#drained?.();
  }

  /** A caller's time is over. For the queue only. */
  timedOut(waiter: Waiter<T>, timeoutMs: number): void {
    this.#refuse(
      waiter,
      this.#noPlace !== undefined && this.#hasSize()
        ? noPlace(this.#name, this.#noPlace, timeoutMs)
        : checkoutTimedOut(this.#name, timeoutMs, this.#occupation()),
    );
  }

  /** A caller's signal fired. For the queue only. */
  aborted(waiter: Waiter<T>, signal: AbortSignal): void {
    this.#refuse(waiter, checkoutAborted(this.#name, signal));
  }

  get lackingSince(): number | undefined {
    const waiter = this.#noPlace && this.#queue.firstUnprovided();
    return waiter && this.#queue.since(waiter);
  }

  get spares(): number {
    return Math.max(0, Math.min(this.#idle.length, this.#stock.slots.size - this.#options.min));
  }

  keeps(call: Call | undefined): number {
    let kept = this.#idle.length - this.spares;
    if (call === undefined) return kept;
    for (const slot of this.#stock.slots) if (slot.call !== undefined && isWithin(call, slot.call)) kept++;
    return kept;
  }

  spare(): void {
    const slot = this.spares > 0 ? this.#idle.shift() : undefined;
    if (slot !== undefined) this.#stock.end(slot, "idle");
  }

  retry(): void {
    this.#noPlace = undefined;
    this.#provide();
  }

  wanted(is: boolean): void {
    this.#othersLack = is;
    this.#watchful = is || this.#closed !== undefined || this.#options.maxMemoryBytes < Infinity;
  }

  #wait(options: CheckoutOptions | null | undefined): Promise<Lease<T>> {
    try {
      // Found out once it waits, it would be handed a lease that nobody gives back.
      requireFit(options, "call");
      return this.#enter(options ?? {});
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #enter({ signal, call, timeoutMs = this.#options.timeoutMs }: CheckoutOptions): Promise<Lease<T>> {
    const refusal =
      signal?.aborted === true ? checkoutAborted(this.#name, signal) : this.#closed && poolClosed(this.#name);
    if (refusal !== undefined) {
      this.#checkoutErrors++;
      throw refusal;
    }
    const waiter = new Waiter<T>(call, timeoutMs === this.#options.timeoutMs);
    const lease = this.#queue.add(waiter);
    if (this.#series !== undefined) this.#queue.reckon();
    this.#provide();
    // A source that makes its instances at once has served or refused it by now.
    if (waiter.waiting) this.#await(waiter, timeoutMs, signal);
    return lease;
  }

  #await(waiter: Waiter<T>, timeoutMs: number, signal: AbortSignal | undefined): void {
    const { call } = waiter;
    // Short of places it is no cycle of this pool's own, which may have no instance at all.
    if (this.#noPlace !== undefined && this.#hasSize()) this.#lack(waiter, this.#noPlace);
    else if (call !== undefined && this.#waitsForItself(call))
      this.#refuse(waiter, callCycle(this.#name, call));
    if (!waiter.waiting) return;
    if (this.#queue.size > this.#options.maxWaiting) {
      this.#refuse(waiter, poolExhausted(this.#name, this.#occupation()));
    } else if (timeoutMs === 0) this.timedOut(waiter, timeoutMs);
    else this.#queue.watch(waiter, timeoutMs, signal);
  }

  /** Takes a waiter out of the queue. */
  #dequeue(waiter: Waiter<T>): void {
    this.#queue.remove(waiter);
    if (this.#queue.first === undefined) this.#noPlace = undefined;
  }

  #refuse(waiter: Waiter<T>, error: unknown): void {
    // What comes too late concerns nobody: a creation that failed when its waiter had been served or had left.
    if (!waiter.waiting) return;
    this.#dequeue(waiter);
    this.#checkoutErrors++;
    waiter.reject(error);
  }

  /** Gives a free instance to whoever waits longest, else keeps it. */
  #offer(slot: Slot<T>): void {
    const waiter = this.#queue.first;
    if (waiter === undefined) {
      slot.idleSince = this.#reaper.now;
      this.#idle.push(slot);
      if (this.#othersLack) this.#places?.offer();
      return;
    }
    this.#dequeue(waiter);
    this.#checkouts++;
    slot.call = waiter.call;
    if (this.#series !== undefined) this.#series.waited((this.#clock.now() - waiter.since) / 1000);
    waiter.resolve(new SlotLease(slot));
  }

  /** Lets a waiter wait for a place, unless that would be in vain. */
  #lack(waiter: Waiter<T>, error: KeelsonError): void {
    if (this.#places?.hopeful(waiter.call) === false) {
      this.#refuse(waiter, noPlace(this.#name, error, undefined));
      return;
    }
    this.#noPlace = error;
    this.#places?.lack();
  }

  /**
   * Sees to it that for each waiter an instance is being made, as far as there is room. A creation that fails takes its
   * waiter with it: so each waiter costs at most one failure, and there is no endless loop.
   */
  #provide(): void {
    // A source that answers at once leads back here: the loop that is running goes on, instead of one inside the other.
    if (this.#providing || this.#queue.first === undefined) return;
    if (this.#stock.making.size === 0 && !this.#hasRoom()) return;
    this.#providing = true;
    try {
      for (let waiter = this.#queue.firstUnprovided(); waiter; waiter = this.#queue.firstUnprovided()) {
        const unclaimed = this.#stock.unclaimed();
        if (unclaimed !== undefined) {
          unclaimed.waiter = waiter;
          waiter.creation = unclaimed;
        } else if (this.#hasRoom()) this.#stock.begin(waiter);
        else return;
      }
    } finally {
      this.#providing = false;
    }
  }

  #hasRoom(): boolean {
    return this.#noPlace === undefined && this.#hasSize();
  }

  #hasSize(): boolean {
    return this.#stock.size < this.#options.max;
  }

  /** The error, if it says that the places shared with others are taken. */
  #lacksPlace(error: unknown): KeelsonError | undefined {
    return this.#places !== undefined && isKeelsonError(error, "INSTANCE_LIMIT") ? error : undefined;
  }

  /** Whether all instances are held by the very chain of calls that now wants one more. */
  #waitsForItself(call: Call): boolean {
    if (this.#stock.making.size > 0) return false;
    for (const slot of this.#stock.slots) {
      if (!isWithin(call, slot.call)) return false;
    }
    return true;
  }

  #giveBackWatchfully(slot: Slot<T>): void {
    const { maxMemoryBytes } = this.#options;
    if (this.#closed !== undefined) this.discard(slot, "close");
    else if (slot.uses >= this.#maxUses) this.discard(slot, "max_uses");
    else if (maxMemoryBytes < Infinity && this.#stock.memoryBytes(slot) > maxMemoryBytes)
      this.discard(slot, "memory");
    else if (this.#othersLack && this.#yields()) this.discard(slot, "idle");
    else this.#offer(slot);
  }

  /** Whether what is given back goes to a caller of another pool, who has waited longer than those of this one. */
  #yields(): boolean {
    const { first } = this.#queue;
    if (first === undefined || this.#stock.slots.size <= this.#options.min) return false;
    return this.#places?.behind(this.#queue.since(first)) === true;
  }

  /** Makes anew what is needed, after something ended. */
  #replace(behind?: boolean): void {
    if (this.#closed !== undefined) return this.ended();
    this.#provide();
    if (behind === true) void this.#stock.refillBehind();
    else this.#stock.refill();
  }

  #reap(staleBefore: number): boolean {
    const { slots } = this.#stock;
    const most = Math.min(slots.size - this.#options.min, this.#idle.length);
    let stale = 0;
    while (stale < most && (this.#idle[stale] as Slot<T>).idleSince < staleBefore) stale++;
    for (const slot of this.#idle.splice(0, stale)) this.#stock.end(slot, "idle");
    return slots.size > this.#options.min;
  }

  async #shut(timeoutMs: number): Promise<void> {
    this.#watchful = true;
    this.#reaper[Symbol.dispose]();
    while (this.#queue.first !== undefined) this.#refuse(this.#queue.first, poolClosed(this.#name));
    this.#stock.close(poolClosed(this.#name));
    for (const slot of this.#idle.splice(0)) this.#stock.end(slot, "close");
    if (!this.#stock.empty) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#drained = resolve;
      const timer = timeoutMs === Infinity ? undefined : this.#clock.after(timeoutMs, resolve);
      await promise;
      timer?.[Symbol.dispose]();
    }
    for (const slot of this.#stock.slots) this.#stock.end(slot, "close");
    this.#places?.[Symbol.dispose]();
    this.#deadlines.close();
    this.#series?.[Symbol.dispose]();
  }

  #occupation(): string {
    const inUse = this.#stock.slots.size - this.#idle.length;
    return `${inUse} of ${this.#options.max} in use, ${this.#queue.size} waiting`;
  }
}

function isWithin(call: Call, holder: Call | undefined): boolean {
  for (let link: Call | undefined = call; link !== undefined; link = link.parent)
    if (link === holder) return true;
  return false;
}
