// An adapter whose pools never give anything away.
import { createPool } from "@keelson/core";
import type { AdapterModule } from "@keelson/conformance";
import { createTestPlatform } from "@keelson/core/testing";

export const platform: AdapterModule["platform"] = () => createTestPlatform();

export const createBrokenPool: NonNullable<AdapterModule["createPool"]> = (source, options, deps) => {
  const pool = createPool(source, options, deps);
  return Object.assign(Object.create(pool) as typeof pool, {
    tryCheckout: () => undefined,
    checkout: () => Promise.reject(new Error("broken on purpose")),
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  });
};
export { createBrokenPool as createPool };
