export { Governor, type GovernorOptions, type GuestThread, type RunLimits } from "./governor.ts";
export { type Stop, stopError, type Usage } from "./stop.ts";
