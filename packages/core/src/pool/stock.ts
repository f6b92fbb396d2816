import type { Clock } from "../contract/platform.ts";
import type { PoolSource, RecycleReason } from "../contract/pool.ts";
import { isPromise } from "../primitives/deferred.ts";
import { Slot, type SlotOwner } from "./slot.ts";
import type { Creation, Waiter } from "./waiters.ts";

/** What a {@link Stock} tells its pool. */
export interface StockOwner<T> extends SlotOwner<T> {
  made(slot: Slot<T>): void;
  failed(creation: Creation<T>, error: unknown): void;
  /** An asynchronous `destroy` has come to its end. */
  ended(): void;
}

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;
/** Turns of the microtask queue within which an error has reached its caller: up to three for each async function on its way. */
const ERROR_TURNS = 12;

/**
 * The instances that live or are being made, and the count of those that were: `made − destroyed = slots.size`. It keeps `min` of them: after a failure to make
 * one it tries again, later and later.
 */
export class Stock<T> {
  /** All that live, idle or not. */
  readonly slots: Set<Slot<T>> = new Set();
  readonly making: Set<Creation<T>> = new Set();
  readonly recycled: Record<RecycleReason, number> = { trap: 0, max_uses: 0, idle: 0, memory: 0, close: 0 };
  /** Those that live and those being made: what `min` and `max` are about. A count of its own, as each wait looks at it. */
  size = 0;
  made = 0;
  destroyed = 0;
  destroyErrors = 0;
  readonly #source: PoolSource<T>;
  readonly #owner: StockOwner<T>;
  readonly #min: number;
  readonly #clock: Clock;
  #destroying = 0;
  #warming: PromiseWithResolvers<void> | undefined;
  #retry: Disposable | undefined;
  #retryMs = FIRST_RETRY_MS;
  #closed = false;

  constructor(source: PoolSource<T>, owner: StockOwner<T>, min: number, clock: Clock) {
    this.#source = source;
    this.#owner = owner;
    this.#min = min;
    this.#clock = clock;
  }

  /** Nothing lives, is being made or is still being destroyed. */
  get empty(): boolean {
    return this.size === 0 && this.#destroying === 0;
  }

  /** An instance being made in advance, or for one who no longer waits. */
  unclaimed(): Creation<T> | undefined {
    for (const creation of this.making) if (creation.waiter?.waiting !== true) return creation;
    return undefined;
  }

  /** Begins to make an instance, for `waiter` if given. The owner is told of the outcome, at once if the source answers at once. */
  begin(waiter?: Waiter<T>): Creation<T> {
    const creation: Creation<T> = { waiter, failure: undefined };
    if (waiter !== undefined) waiter.creation = creation;
    this.making.add(creation);
    this.size++;
    let value: T | Promise<T>;
    let later: boolean;
    try {
      value = this.#source.create();
      later = isPromise(value);
    } catch (error) {
      this.#fail(creation, error);
      return creation;
    }
    if (later) {
      // What only looks like a promise may throw, or settle twice.
      Promise.resolve(value).then(
        (made) => this.#succeed(creation, made),
        (error: unknown) => this.#fail(creation, error),
      );
    } else this.#succeed(creation, value as T);
    return creation;
  }

  /** Begins to make what is missing to `min`. */
  refill(): void {
    // A failure that comes at once sets the retry, and ends the loop.
    while (!this.#closed && this.#retry === undefined && this.size < this.#min) this.begin();
  }

  /** The same, once the caller whose call has ended an instance has its error. */
  async refillBehind(): Promise<void> {
    for (let turn = 0; turn < ERROR_TURNS && this.size < this.#min; turn++) await undefined;
    this.refill();
  }

  /** Resolves when `min` instances live; rejects with the source's first failure, or with that of {@link Stock.close}. */
  warm(): Promise<void> {
    const { promise } = (this.#warming ??= Promise.withResolvers<void>());
    this.refill();
    this.#checkWarm();
    return promise;
  }

  /** Keeps `min` no longer; who waits for that gets `error`. */
  close(error: unknown): void {
    this.#closed = true;
    this.#retry?.[Symbol.dispose]();
    this.#endWarming(error);
  }

  /** Ends an instance. Its going is counted before the source is asked, whose failure is counted too. */
  end(slot: Slot<T>, reason: RecycleReason): void {
    slot.gone = true;
    slot.call = undefined;
    this.slots.delete(slot);
    this.size--;
    this.destroyed++;
    this.recycled[reason]++;
    try {
      const ending = this.#source.destroy(slot.value);
      if (!isPromise(ending)) return;
      this.#destroying++;
      Promise.resolve(ending).then(
        () => this.#endLater(0),
        () => this.#endLater(1),
      );
    } catch {
      this.destroyErrors++;
    }
  }

  /** The size of an instance, bytes; 0 if the source has no gauge. */
  memoryBytes(slot: Slot<T>): number {
    try {
      return this.#source.memoryBytes?.(slot.value) ?? 0;
    } catch {
      // What cannot say how large it is counts as too large.
      return Infinity;
    }
  }

  #succeed(creation: Creation<T>, value: T): void {
    this.making.delete(creation);
    this.made++;
    const slot = new Slot<T>(value, this.#owner);
    this.slots.add(slot);
    if (creation.waiter !== undefined) creation.waiter.creation = undefined;
    creation.waiter = undefined;
    this.#retryMs = FIRST_RETRY_MS;
    this.#owner.made(slot);
    this.#checkWarm();
  }

  #fail(creation: Creation<T>, error: unknown): void {
    this.making.delete(creation);
    this.size--;
    creation.failure = { error };
    this.#endWarming(error);
    if (!this.#closed) this.#retryLater();
    this.#owner.failed(creation, error);
  }

  #checkWarm(): void {
    if (this.#warming === undefined || this.slots.size < this.#min) return;
    this.#warming.resolve();
    this.#warming = undefined;
  }

  #endWarming(error: unknown): void {
    this.#warming?.reject(error);
    this.#warming = undefined;
  }

  #retryLater(): void {
    if (this.#retry !== undefined || this.size >= this.#min) return;
    const again = (): void => {
      this.#retry = undefined;
      this.refill();
    };
    this.#retry = this.#clock.after(this.#retryMs, again, true);
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
  }

  #endLater(errors: number): void {
    this.#destroying--;
    this.destroyErrors += errors;
    this.#owner.ended();
  }
}
