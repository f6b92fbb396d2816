import { DEFAULT_MEMORY_BYTES, DEFAULT_STACK_BYTES, DEFAULT_TABLE_ELEMENTS } from "../module/settings.ts";
import type { MeterOptions } from "../meter/options.ts";

/** How a plugin is metered of which nothing else is said: exact, 64 MiB of memory, 512 KiB of stack, a million elements in tables. */
export const pluginMetering: MeterOptions = {
  mode: "exact",
  memoryBytes: DEFAULT_MEMORY_BYTES,
  stackBytes: DEFAULT_STACK_BYTES,
  tableElements: DEFAULT_TABLE_ELEMENTS,
};
