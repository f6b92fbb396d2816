import type { Check } from "../check.ts";
import { poolChecks } from "./pool.checks.ts";

/** Every check, in the order of the floors. */
export const allChecks: readonly Check[] = [...poolChecks];
