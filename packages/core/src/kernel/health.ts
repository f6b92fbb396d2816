import { KeelsonError } from "../contract/errors.ts";
import type { Health } from "../contract/module.ts";
import type { Clock } from "../contract/platform.ts";
import type { Value } from "../contract/value.ts";
import type { Lifecycle } from "../lifecycle/lifecycle.ts";
import { isPromise } from "../primitives/deferred.ts";
import { CallFrame, type CallMeter, type CallRouter } from "./call.ts";

const HEALTH_TIMEOUT_MS = 5_000;

const uncounted: CallMeter = { ended() {} };

/**
 * Asks the health function of what `lifecycle` has live; an absent one means healthy. Whoever gives a `signal` ends the wait by it, else it
 * ends after 5,000 ms.
 */
export async function checkHealth(
  id: string,
  { live: life, state }: Lifecycle,
  { clock, router }: { readonly clock: Clock; readonly router: CallRouter },
  signal: AbortSignal | undefined,
): Promise<Health> {
  if (life === undefined) return { healthy: false, message: `the module is ${state}` };
  const { module } = life;
  if (module?.health === undefined) return { healthy: true };
  const now = clock.now();
  const deadline = signal === undefined ? now + HEALTH_TIMEOUT_MS : Infinity;
  const frame = new CallFrame(router, id, "health", undefined, undefined, now, deadline, signal, undefined);
  const answer = module.health(frame);
  const health = isPromise(answer)
    ? ((await frame.settle(life, answer as unknown as PromiseLike<Value>, uncounted)) as unknown as Health)
    : answer;
  if (typeof (health as Health | undefined)?.healthy === "boolean") return health;
  throw new KeelsonError("UNHEALTHY", `The health function of "${id}" says neither yes nor no`, {
    hint: "let it answer { healthy: true }, or false with a message",
  });
}
