import { KeelsonError, type CheckoutOptions, type Lease } from "@keelson/core";
import { breakPool, overlay, type Breaking } from "./breaking.ts";

/** A subject for each check of the pool that fails it. */
export const brokenPools: Readonly<Record<string, Breaking>> = {
  // hands everybody what it made first
  "pool.never-two-holders": breakPool((pool) => {
    let first: unknown;
    return {
      async checkout(options?: CheckoutOptions) {
        const lease = await pool.checkout(options);
        first ??= lease.value;
        return overlay(lease, { value: first } as Partial<Lease<unknown>>);
      },
    };
  }),
  "pool.bounded": breakPool(
    () => ({}),
    (options) => ({ ...options, max: (options.max ?? 1) + 1 }),
  ),
  // last come, first served
  "pool.first-come-first-served": breakPool((pool) => {
    const waiting: (() => void)[] = [];
    return {
      async checkout(options?: CheckoutOptions) {
        const wrap = (lease: Lease<unknown>): Lease<unknown> =>
          overlay(lease, {
            release() {
              lease.release();
              waiting.pop()?.();
            },
          });
        const free = pool.tryCheckout();
        if (free !== undefined) return wrap(free);
        if (pool.stats().size === 0) return wrap(await pool.checkout(options));
        const turn = Promise.withResolvers<void>();
        options?.signal?.addEventListener("abort", () => turn.reject(new KeelsonError("ABORTED", "aborted")));
        if (options?.signal === undefined) waiting.push(turn.resolve);
        await turn.promise;
        return wrap(await pool.checkout());
      },
    };
  }),
  "pool.stale-lease": breakPool((pool) => ({
    async checkout(options?: CheckoutOptions) {
      const lease = await pool.checkout(options);
      const { value } = lease;
      return overlay(lease, { value, release: () => lease[Symbol.dispose]() });
    },
  })),
  "pool.trap-recycles": breakPool((pool) => ({
    async checkout(options?: CheckoutOptions) {
      const lease = await pool.checkout(options);
      return overlay(lease, { discard: () => lease.release() });
    },
  })),
  "pool.max-uses": breakPool(
    () => ({}),
    ({ maxUses: _, ...options }) => options,
  ),
  // cuts leases off at once
  "pool.close-drains": breakPool((pool) => ({ close: () => pool.close({ timeoutMs: 0 }) })),
  // forgets the listener
  "pool.no-listener-left": breakPool((pool) => ({
    checkout(options?: CheckoutOptions) {
      options?.signal?.addEventListener("abort", () => {});
      return pool.checkout(options);
    },
  })),
};
