export {
  type Abortable,
  Governor,
  type GovernorOptions,
  type GuestThread,
  type RunLimits,
} from "./governor.ts";
