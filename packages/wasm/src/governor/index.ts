export { Governor } from "./governor.ts";
export type { Abortable, GovernorOptions, GuestThread, RunLimits } from "./options.ts";
