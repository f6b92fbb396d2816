import type { Random } from "@keelson/core";

/** Chance from the runtime: `Math.random` for numbers, random UUIDs for ids. Not for secrets. */
export function createRandom(): Random {
  return { number: Math.random, id: () => crypto.randomUUID() };
}
