import { KeelsonError, type Platform } from "@keelson/core";

/** Live instances a kernel may have by default: each memory reserves 4 to 8 GB of address space on V8, which ends at some 16,000. */
export const DEFAULT_MAX_INSTANCES = 1000;

/** How many instances are alive. */
export interface LiveInstances {
  readonly count: number;
  /** Counts one more; `INSTANCE_LIMIT` when there are `max` already. */
  take(module: string, max: number): void;
  /** Counts one less. */
  give(): void;
}

/** A count that begins at 0. */
export function createLiveInstances(): LiveInstances {
  let count = 0;
  return {
    get count() {
      return count;
    },
    take(module, max) {
      if (count >= max) {
        throw new KeelsonError(
          "INSTANCE_LIMIT",
          `${module}: ${count} WebAssembly instances are alive, which is the cap`,
          {
            hint: "lower pool.max of the wasm modules, or raise limits.instances",
            details: { live: count, max },
          },
        );
      }
      count++;
    },
    give() {
      count--;
    },
  };
}

// The address space belongs to the program, and a kernel is known here by its platform alone. The keys are weak: a kernel that
// is gone takes its count with it.
const byPlatform = new WeakMap<Platform, LiveInstances>();

/** The count shared by all modules of the kernel that runs on `platform`. */
export function liveInstances(platform: Platform): LiveInstances {
  let live = byPlatform.get(platform);
  if (live === undefined) {
    live = createLiveInstances();
    byPlatform.set(platform, live);
  }
  return live;
}
