// Child processes that speak JSON lines: the module made of one, the run of one that ends by itself, and how events and values travel.

export { boundaryEventOf, boundaryFaultOf } from "./heard.ts";
export { processLoader } from "./loader.ts";
export { normalizeEventLine } from "./normalize.ts";
export type { ChildProcessOptions, Environment, PreSpawnContext, ProcessModuleOptions } from "./options.ts";
export { processModule } from "./process-module.ts";
export type { RequestHandler } from "./requests.ts";
export { type DiscoveryConfig, runDiscoveredOnce, runOnce, type RunOnceOptions } from "./run-once.ts";
export { boundaryTopic } from "./topics.ts";
export { decodeValue, encodeValue } from "./wire-value.ts";
