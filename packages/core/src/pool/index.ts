// Pools: instances kept warm and lent to one holder at a time, and the module whose calls are answered by them.

export { createPool, type PoolDeps } from "./pool.ts";
export { pooled } from "./pooled.ts";
