// Hooks: a host's own extension points, the filters and actions that modules handle.

export type { BreakerOptions } from "../primitives/breaker.ts";
export { createHooksDoor, type HooksDoor } from "./door.ts";
export { createHooks, type HooksOptions, type KernelHooks, type PreparedHandler } from "./hooks.ts";
