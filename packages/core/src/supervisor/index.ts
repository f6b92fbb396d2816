export { parseRestart } from "./restart.ts";
export { createSupervisor, type SupervisorOptions } from "./supervisor.ts";
