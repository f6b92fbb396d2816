import type { Platform } from "@keelson/core";
import { platform as own } from "./own.ts";

// Counts instead of making ids that are unique.
export function platform(): Platform {
  let count = 0;
  return { ...own(), random: { number: () => 0.5, id: () => `id-${++count}` } };
}
