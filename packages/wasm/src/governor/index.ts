// The governor: stops guests by fuel, time and signal, and tells what they used.

export { Governor } from "./governor.ts";
export type { Abortable, GovernorOptions, GuestThread, RunLimits } from "./options.ts";
