import type { Check } from "../check.ts";
import { kernelChecks } from "./kernel.checks.ts";
import { lifecycleChecks } from "./lifecycle.checks.ts";
import { poolChecks } from "./pool.checks.ts";
import { reloadChecks } from "./reload.checks.ts";

/** Every check, in the order of the floors. */
export const allChecks: readonly Check[] = [...lifecycleChecks, ...poolChecks, ...reloadChecks, ...kernelChecks];
