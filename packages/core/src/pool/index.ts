export { createPool, type PoolDeps } from "./pool.ts";
export { pooled } from "./pooled.ts";
