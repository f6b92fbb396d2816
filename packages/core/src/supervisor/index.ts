// Supervision: what restarts modules that ended, how often it may, and the checks of their health.

export { parseRestart } from "./restart.ts";
export { createSupervisor, type SupervisorOptions } from "./supervisor.ts";
