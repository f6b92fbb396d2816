export { refusalDetails, type Refusals } from "./stop.ts";
export { Governor, type GovernorOptions, type GuestThread, type RunLimits } from "./governor.ts";
