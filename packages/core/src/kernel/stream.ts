import type { CallOptions } from "../contract/call.ts";
import type { KeelsonError } from "../contract/errors.ts";
import type { Value } from "../contract/value.ts";
import type { PendingCall } from "../lifecycle/life.ts";
import { callFailed, type CallMeter } from "./call.ts";
import { requireFit } from "../primitives/call-options.ts";
import { noMethod, notRunning } from "./refusals.ts";
import type { Router } from "./router.ts";

/**
 * Streams what a module answers, value by value as its reader asks. Nothing is done before the first is asked for; the call ends with the last, with
 * its reader's leaving, or with its deadline.
 */
export async function* streamCall(
  router: Router,
  id: string,
  method: string,
  payload: Value,
  options: CallOptions | undefined,
): AsyncGenerator<Value> {
  const entry = router.find(id);
  requireFit(options);
  const admitted = entry.open === undefined ? entry.admit() : undefined;
  const life = entry.open ?? admitted?.life;
  if (life === undefined) throw notRunning(entry);
  const frame = router.frame(entry, method, payload, options, undefined);
  if (life.module?.stream === undefined) {
    const error = router.failed(entry, frame, noMethod(frame));
    admitted?.trial.ended(error);
    throw error;
  }
  const hold = new StreamHold();
  life.began(hold);
  let iterator: AsyncIterator<Value> | undefined;
  let over = false;
  let waitsForReader = false;
  const end = (failure: KeelsonError | undefined): void => {
    if (over) return;
    over = true;
    if (timer !== undefined) router.deadlines.cancel(timer);
    life.ended(hold);
    entry.ended(router.clock.now() - frame.startedAt, failure);
    admitted?.trial.ended(failure);
    // Not awaited for ever: a module that hangs in its own clean-up must not hold the caller.
    void iterator?.return?.()?.then(undefined, () => {});
  };
  // A reader that never comes back must not keep the instance, the trial or a drain for longer than a call may take.
  const onDeadline = (): void => {
    hold.fail(frame.tooLate());
    if (waitsForReader) end(hold.error);
  };
  const timer = frame.deadline < Infinity ? router.deadlines.add(frame.deadline, onDeadline) : undefined;
  let failure: KeelsonError | undefined;
  try {
    iterator = life.module.stream(frame)[Symbol.asyncIterator]();
    for (;;) {
      if (hold.error !== undefined) throw hold.error;
      const step = (await frame.settle(
        life,
        iterator.next() as unknown as PromiseLike<Value>,
        uncounted,
      )) as unknown as IteratorResult<Value>;
      if (step.done === true) break;
      waitsForReader = true;
      yield step.value;
      waitsForReader = false;
    }
  } catch (thrown) {
    failure = callFailed(frame, thrown);
    throw failure;
  } finally {
    end(failure);
  }
}

/** A stream among the calls in flight: it holds what failed it until its reader asks for more. */
class StreamHold implements PendingCall {
  place = -1;
  error: KeelsonError | undefined;

  fail(error: KeelsonError): void {
    this.error ??= error;
  }
}

/** Steps are no calls: the stream is counted as one, at its end. */
const uncounted: CallMeter = { ended() {} };
