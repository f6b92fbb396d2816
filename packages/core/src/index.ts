// The door `@keelson/core`: all that hosts, adapters and modules may use.

export {
  asKeelsonError,
  describeThrown,
  errorCodes,
  fromWireError,
  isKeelsonError,
  KeelsonError,
  toWireError,
  withDetails,
  type ErrorCode,
  type ErrorDetails,
  type KeelsonErrorOptions,
  type WireError,
} from "./contract/errors.ts";
export type { Bytes, MaybePromise, Value } from "./contract/value.ts";
export type * from "./contract/platform.ts";
export type * from "./contract/call.ts";
export { stopOf, usageOf } from "./contract/usage.ts";
export type * from "./contract/usage.ts";
export type * from "./contract/quarantine.ts";
export type * from "./contract/module.ts";
export type * from "./contract/wasm.ts";
export type * from "./contract/places.ts";
export type * from "./contract/pool.ts";
export type * from "./contract/bus.ts";
export type * from "./contract/events.ts";
export type * from "./contract/supervised.ts";
export type * from "./contract/hooks.ts";
export type * from "./contract/metrics.ts";
export type * from "./contract/manifest.ts";
export type * from "./contract/message.ts";
export type * from "./contract/doors.ts";
export type * from "./contract/kernel.ts";
export {
  boundaryEventOf,
  boundaryFaultOf,
  boundaryTopic,
  decodeValue,
  encodeValue,
  normalizeEventLine,
  processLoader,
  processModule,
  runDiscoveredOnce,
  runOnce,
  type ChildProcessOptions,
  type DiscoveryConfig,
  type Environment,
  type PreSpawnContext,
  type ProcessModuleOptions,
  type RequestHandler,
  type RunOnceOptions,
} from "./boundary/index.ts";
export { compareEnvelopes, createBus, type BusOptions, type KernelBus } from "./bus/index.ts";
export {
  createHooks,
  type BreakerOptions,
  type HooksOptions,
  type KernelHooks,
  type PreparedHandler,
} from "./hooks/index.ts";
export { createKernel, nativeLoader, nativeModule, type NativeModuleOptions } from "./kernel/index.ts";
export { allowedIn, transitions, type Reaction, type Trigger } from "./lifecycle/states.ts";
export {
  diffCapabilities,
  formatCapabilityDiff,
  isModuleId,
  isRange,
  isVersion,
  parseManifest,
  parseSize,
  satisfies,
  type ManifestIssue,
  type ParseManifestOptions,
} from "./manifest/index.ts";
export {
  createLineReader,
  type LineFault,
  type LineReader,
  type LineReaderOptions,
} from "./primitives/json-lines.ts";
export { suggest } from "./primitives/suggest.ts";
export { createMetrics, openMetricsContentType, type MetricsRegistry } from "./metrics/index.ts";
export { createPool, pooled, type PoolDeps } from "./pool/index.ts";
export { createSupervisor, type SupervisorOptions } from "./supervisor/index.ts";
