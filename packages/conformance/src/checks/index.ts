import type { Check } from "../check.ts";
import { boundaryChecks } from "./boundary.checks.ts";
import { busChecks } from "./bus.checks.ts";
import { filesChecks } from "./files.checks.ts";
import { hostFunctionChecks } from "./host-functions.checks.ts";
import { isolationChecks } from "./isolation.checks.ts";
import { kernelChecks } from "./kernel.checks.ts";
import { lifecycleChecks } from "./lifecycle.checks.ts";
import { measureChecks } from "./measure.checks.ts";
import { clockChecks, logChecks, randomChecks } from "./platform.checks.ts";
import { poolChecks } from "./pool.checks.ts";
import { pooledChecks } from "./pooled.checks.ts";
import { processesChecks } from "./processes.checks.ts";
import { reconcileChecks } from "./reconcile.checks.ts";
import { reloadChecks } from "./reload.checks.ts";
import { requestsChecks } from "./requests.checks.ts";
import { suspensionChecks } from "./suspension.checks.ts";
import { supervisorChecks } from "./supervisor.checks.ts";
import { wasmChecks } from "./wasm.checks.ts";

/** Every check, in the order of the floors: the ports of the platform, what runs on them, the kernel that wires it. */
export const allChecks: readonly Check[] = [
  ...clockChecks,
  ...randomChecks,
  ...logChecks,
  ...filesChecks,
  ...processesChecks,
  ...lifecycleChecks,
  ...requestsChecks,
  ...busChecks,
  ...poolChecks,
  ...pooledChecks,
  ...wasmChecks,
  ...hostFunctionChecks,
  ...isolationChecks,
  ...suspensionChecks,
  ...measureChecks,
  ...supervisorChecks,
  ...boundaryChecks,
  ...reloadChecks,
  ...kernelChecks,
  ...reconcileChecks,
];
