import type { Call, Clock, Instance, MaybePromise, Value } from "@keelson/core";

/** An instance that can be as new again, at less than the cost of another. */
export interface RenewableInstance extends Instance {
  /** Puts the guest back to where it was before its first call; false when that cannot be, for sure. */
  renew?(): boolean;
}

/**
 * An instance whose every call meets a guest as new: nothing that a call has left in it is there for the next. After a call it is renewed when
 * the event loop turns, so that the next call need not wait for it; a call that comes sooner does it itself.
 */
export class FreshInstance implements Instance {
  #guest: RenewableInstance | undefined;
  readonly #replace: (end: () => void) => RenewableInstance;
  readonly #clock: Clock;
  #used = false;
  #busy = false;
  #dead = false;
  #preparing = false;

  /** @param replace makes another guest, after calling `end` */
  constructor(first: RenewableInstance, replace: (end: () => void) => RenewableInstance, clock: Clock) {
    this.#guest = first;
    this.#replace = replace;
    this.#clock = clock;
  }

  get dead(): boolean {
    return this.#dead || this.#guest?.dead === true;
  }

  get memoryBytes(): number {
    return this.#guest?.memoryBytes ?? 0;
  }

  call(call: Call): MaybePromise<Value> {
    const guest = this.#used ? this.#renew() : (this.#guest as RenewableInstance);
    this.#used = this.#busy = true;
    let answer: MaybePromise<Value>;
    try {
      answer = guest.call(call);
    } catch (error) {
      this.#ended();
      throw error;
    }
    if (answer instanceof Promise) answer.then(this.#ended, this.#ended);
    else this.#ended();
    return answer;
  }

  [Symbol.dispose](): void {
    this.#dead = true;
    this.#guest?.[Symbol.dispose]();
    this.#guest = undefined;
  }

  readonly #ended = (): void => {
    this.#busy = false;
    if (this.#preparing || this.dead) return;
    this.#preparing = true;
    if (this.#clock.turn === undefined) this.#clock.after(0, this.#prepare, true);
    else this.#clock.turn(this.#prepare);
  };

  readonly #prepare = (): void => {
    this.#preparing = false;
    if (!this.#used || this.#busy || this.dead) return;
    try {
      this.#renew();
    } catch {
      // The next call tries again, and tells its caller.
      this.#dead = false;
    }
  };

  #renew(): RenewableInstance {
    const guest = this.#guest;
    if (guest === undefined || guest.renew?.() !== true) {
      // What cannot be made leaves nothing to be used.
      this.#dead = true;
      this.#guest = undefined;
      this.#guest = this.#replace(() => guest?.[Symbol.dispose]());
      this.#dead = false;
    }
    this.#used = false;
    return this.#guest as RenewableInstance;
  }
}
