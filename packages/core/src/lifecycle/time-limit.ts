import type { KeelsonError } from "../contract/errors.ts";
import type { Clock } from "../contract/platform.ts";
import type { DeadlineQueue, PendingDeadline } from "../primitives/deadline.ts";

/** Where a time limit has the time from. */
export interface TimeLimitHost {
  readonly clock: Clock;
  readonly deadlines: DeadlineQueue;
}

/**
 * What `promise` settles with, or a rejection with what `late` makes after `ms`: the limit ends the wait, not what is waited for. `armed` gets the
 * deadline, for who may want to cancel it before.
 */
export function within<T>(
  { clock, deadlines }: TimeLimitHost,
  promise: PromiseLike<T>,
  ms: number,
  late: () => KeelsonError,
  armed?: (pending: PendingDeadline) => void,
): Promise<T> {
  if (ms === Infinity) return Promise.resolve(promise);
  return new Promise<T>((resolve, reject) => {
    const pending = deadlines.add(clock.now() + ms, () => reject(late()));
    armed?.(pending);
    const settled = (): void => deadlines.cancel(pending);
    promise.then(
      (value) => (settled(), resolve(value)),
      (error: unknown) => (settled(), reject(error)),
    );
  });
}
