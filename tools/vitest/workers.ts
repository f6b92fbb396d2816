import { availableParallelism } from "node:os";

/**
 * How many test files run at a time. Vitest leaves a core to itself: on two it would run one file, though many only wait for children. Each takes some
 * hundred MB with its children, which a machine of many cores need not have.
 */
export const WORKERS: number = Math.min(8, Math.max(2, availableParallelism()));
