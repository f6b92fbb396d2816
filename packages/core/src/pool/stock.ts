import type { PoolSource, RecycleReason } from "../contract/pool.ts";
import { isPromise } from "../primitives/deferred.ts";
import { Slot, type SlotOwner } from "./slot.ts";
import type { Creation, Waiter } from "./waiters.ts";

/** What a {@link Stock} tells its pool. */
export interface StockOwner<T> extends SlotOwner<T> {
  made(creation: Creation<T>, slot: Slot<T>): void;
  failed(creation: Creation<T>, error: unknown): void;
  /** An asynchronous `destroy` has come to its end. */
  ended(): void;
}

/** The instances that live or are being made, and the count of those that were: `made − destroyed = slots.size`. */
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
  #destroying = 0;

  constructor(source: PoolSource<T>, owner: StockOwner<T>) {
    this.#source = source;
    this.#owner = owner;
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
    try {
      value = this.#source.create();
    } catch (error) {
      this.#fail(creation, error);
      return creation;
    }
    if (isPromise(value)) {
      value.then(
        (made) => this.#succeed(creation, made),
        (error: unknown) => this.#fail(creation, error),
      );
    } else this.#succeed(creation, value);
    return creation;
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
      ending.then(
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
    this.#owner.made(creation, slot);
  }

  #fail(creation: Creation<T>, error: unknown): void {
    this.making.delete(creation);
    this.size--;
    creation.failure = { error };
    this.#owner.failed(creation, error);
  }

  #endLater(errors: number): void {
    this.#destroying--;
    this.destroyErrors += errors;
    this.#owner.ended();
  }
}
