import type { Breaking } from "./breaking.ts";
import { brokenKernels, brokenLifecycles, brokenReloads } from "./kernel.broken.ts";
import { brokenPools } from "./pool.broken.ts";

/** For each check a subject that does not keep its promise. */
export const broken: Readonly<Record<string, Breaking>> = { ...brokenLifecycles, ...brokenPools, ...brokenReloads, ...brokenKernels };
