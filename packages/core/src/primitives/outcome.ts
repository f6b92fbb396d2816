import { Deferred } from "./deferred.ts";

/**
 * The end of an operation that may come at once: a promise is made only for somebody who asks before it has come, or who asks at all. Thousands of
 * modules that start without waiting for anything then make no promise each.
 */
export class Outcome {
  #settled = false;
  #error: unknown;
  #failed = false;
  /** What a failure waits for before it is told. */
  #after: Promise<void> | undefined;
  #deferred: Deferred | undefined;

  get promise(): Promise<void> {
    if (!this.#settled) return (this.#deferred ??= new Deferred()).promise;
    if (!this.#failed) return Promise.resolve();
    const deferred = new Deferred();
    this.#tell(deferred);
    return deferred.promise;
  }

  resolve(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#deferred?.resolve();
  }

  /** @param after what those who wait do not hear of it before */
  reject(error: unknown, after?: Promise<void>): void {
    if (this.#settled) return;
    this.#settled = this.#failed = true;
    this.#error = error;
    this.#after = after;
    if (this.#deferred !== undefined) this.#tell(this.#deferred);
  }

  #tell(deferred: Deferred): void {
    if (this.#after === undefined) deferred.reject(this.#error);
    else void this.#after.then(() => deferred.reject(this.#error));
  }
}
