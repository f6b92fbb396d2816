import type { Call, Clock, Instance, Value } from "@keelson/core";
import { KeelsonError } from "@keelson/core/plain";
import type { LaterBinding } from "../abi/profile.ts";
import type { Governor, RunLimits } from "../governor/index.ts";
import { endedBefore } from "../instance/call-errors.ts";
import type { GuestInstance } from "../instance/guest-instance.ts";
import type { Suspension } from "./suspension.ts";

/** An instance whose guest may be suspended in the midst of a call: it answers by promise, always, one call at a time. */
export class SuspendableInstance implements Instance {
  readonly #guest: GuestInstance;
  /** With the binding gone once the instance is disposed: both hold the guest's exports. */
  #bind: (() => LaterBinding) | undefined;
  #binding: LaterBinding | undefined;
  readonly #suspension: Suspension;
  readonly #governor: Governor | undefined;
  readonly #limits: RunLimits;
  readonly #clock: Clock;

  constructor(
    guest: GuestInstance,
    bind: () => LaterBinding,
    suspension: Suspension,
    governor: Governor | undefined,
    limits: RunLimits,
    clock: Clock,
  ) {
    this.#clock = clock;
    this.#guest = guest;
    this.#bind = bind;
    this.#binding = bind();
    this.#suspension = suspension;
    this.#governor = governor;
    this.#limits = limits;
  }

  get dead(): boolean {
    return this.#guest.dead || this.#suspension.ended;
  }

  get memoryBytes(): number {
    return this.#guest.memoryBytes;
  }

  call(call: Call): Promise<Value> {
    const guest = this.#guest;
    const suspension = this.#suspension;
    const governor = this.#governor;
    if (this.#binding === undefined) return Promise.reject(endedBefore(call.module));
    if (suspension.busy) return Promise.reject(busy(call));
    return new Promise((resolve, reject) => {
      governor?.enterDetached({ ...this.#limits, deadline: call.deadline, signal: undefined });
      const started = governor === undefined ? this.#clock.now() : 0;
      const finish = (): void => {
        guest.calledBy = undefined;
        if (call.measurement !== undefined) call.measurement.usage = guest.usageSince(started);
      };
      guest.calledBy = call;
      suspension.begin(call, (error) => {
        finish();
        reject(guest.abandon(error, call.method));
      });
      // Not kept in a variable: whoever keeps one of the errors below keeps those.
      (this.#binding as LaterBinding).call(call.method, call.payload).then(
        (value) => {
          if (suspension.ended) return;
          suspension.finish();
          governor?.leave();
          finish();
          try {
            guest.look(call.method);
            resolve(value);
          } catch (error) {
            reject(guest.fail(error, call.method));
          }
        },
        (error: unknown) => {
          if (suspension.ended) return;
          suspension.finish();
          const stop = governor?.leaveBy(error);
          finish();
          // A guest that was stopped may have been left by an answer that then made no sense: it is dead all the same.
          reject(
            governor?.dead === true
              ? guest.abandon(error, call.method, stop)
              : guest.fail(error, call.method),
          );
        },
      );
    });
  }

  /** Puts the guest back to where it was before its first call, if that can be done. */
  renew(): boolean {
    if (this.dead || this.#suspension.busy || !this.#guest.renew()) return false;
    this.#binding = this.#bind?.();
    return true;
  }

  [Symbol.dispose](): void {
    this.#suspension.dispose();
    this.#guest[Symbol.dispose]();
    this.#bind = this.#binding = undefined;
  }
}

function busy({ module, method }: Call): KeelsonError {
  return new KeelsonError("WOULD_BLOCK", `${module}: the instance is in the midst of another call`, {
    hint: "an instance runs one call at a time, also while its guest is suspended; lease another one",
    details: { module, method },
  });
}
