export type { BreakerOptions } from "../primitives/breaker.ts";
export { createHooksDoor, type HooksDoor } from "./door.ts";
export { createHooks, type HooksOptions, type KernelHooks, type PreparedHandler } from "./hooks.ts";
