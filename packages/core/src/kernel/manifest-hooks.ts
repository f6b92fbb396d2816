import type { HookRegistry } from "../contract/hooks.ts";
import type { HookRequest } from "../contract/manifest.ts";
import type { Value } from "../contract/value.ts";
import { given } from "../primitives/given.ts";

/**
 * Adds the filters and actions that a manifest asks for. The module's method gets `{ kind: "filter", value, args }` and answers the new
 * value, or `{ kind: "action", args }`.
 */
export function addManifestHooks(
  requests: readonly HookRequest[],
  registry: HookRegistry,
  call: (method: string, payload: Value) => Promise<Value>,
): void {
  for (const { type, name, method = name, priority } of requests) {
    const options = given({ priority });
    if (type === "filter")
      registry.filter(name, (value, ...args) => call(method, { kind: "filter", value, args }), options);
    else
      registry.action(name, async (...args) => void (await call(method, { kind: "action", args })), options);
  }
}
