export {
  asKeelsonError,
  describeThrown,
  errorCodes,
  fromWireError,
  isKeelsonError,
  KeelsonError,
  toWireError,
  type ErrorCode,
  type ErrorDetails,
  type KeelsonErrorOptions,
  type WireError,
} from "./contract/errors.ts";
export type { Bytes, MaybePromise, Value } from "./contract/value.ts";
export type * from "./contract/platform.ts";
export type * from "./contract/call.ts";
export type * from "./contract/module.ts";
export type * from "./contract/wasm.ts";
export type * from "./contract/pool.ts";
export type * from "./contract/bus.ts";
export type * from "./contract/supervised.ts";
export type * from "./contract/hooks.ts";
export type * from "./contract/metrics.ts";
export type * from "./contract/manifest.ts";
export type * from "./contract/message.ts";
export type * from "./contract/doors.ts";
export type * from "./contract/kernel.ts";
