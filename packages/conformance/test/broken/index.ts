import { brokenBoundaries } from "./boundary.broken.ts";
import type { Breaking } from "./breaking.ts";
import { brokenBuses, brokenSupervisors } from "./bus.broken.ts";
import { brokenHostFunctions, brokenPooled, brokenWasm } from "./guests.broken.ts";
import { brokenIsolations } from "./isolation.broken.ts";
import { brokenKernels, brokenLifecycles, brokenReloads } from "./kernel.broken.ts";
import { brokenMeasures } from "./measure.broken.ts";
import { brokenClocks, brokenFiles, brokenLogs, brokenProcesses, brokenRandoms } from "./platform.broken.ts";
import { brokenPools } from "./pool.broken.ts";
import { brokenReconciles } from "./reconcile.broken.ts";
import { brokenSuspensions } from "./suspension.broken.ts";

/** For each check a subject that does not keep its promise. */
export const broken: Readonly<Record<string, Breaking>> = {
  ...brokenClocks,
  ...brokenRandoms,
  ...brokenLogs,
  ...brokenFiles,
  ...brokenProcesses,
  ...brokenLifecycles,
  ...brokenBuses,
  ...brokenPools,
  ...brokenPooled,
  ...brokenWasm,
  ...brokenHostFunctions,
  ...brokenIsolations,
  ...brokenSuspensions,
  ...brokenMeasures,
  ...brokenSupervisors,
  ...brokenBoundaries,
  ...brokenReloads,
  ...brokenKernels,
  ...brokenReconciles,
};
