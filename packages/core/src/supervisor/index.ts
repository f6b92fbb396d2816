export { createSupervisor, type SupervisorOptions } from "./supervisor.ts";
