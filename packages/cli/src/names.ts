// What every runtime's entry of this package exports besides createKernel.
export {
  errorCodes,
  isKeelsonError,
  KeelsonError,
  nativeModule,
  processModule,
  runOnce,
  type Bus,
  type Bytes,
  type Call,
  type CallOptions,
  type Envelope,
  type ErrorCode,
  type Exit,
  type Health,
  type Hooks,
  type Kernel,
  type LoadOptions,
  type Manifest,
  type Module,
  type ModuleContext,
  type ModuleDefinition,
  type ModuleLoader,
  type ModuleMetadata,
  type ModuleState,
  type ModuleStatus,
  type NativeModuleOptions,
  type Platform,
  type Plugin,
  type ProcessModuleOptions,
  type ReconcileReport,
  type RestartOptions,
  type ShutdownReport,
  type Value,
} from "@keelson/core";
export { suspending, wasmLoader, wasmModule, type WasmModuleOptions } from "@keelson/wasm";
export {
  defineConfig,
  type Config,
  type ConfigKernelOptions,
  type PluginConfig,
  type ProcessConfig,
} from "./config.ts";
export { createDisplay, type Display, type DisplayOptions, type DisplayOutput } from "./display.ts";
export {
  shutdownOnSignals,
  type EndingSignal,
  type ShutdownOnSignalsOptions,
  type SignalHandling,
} from "./signals.ts";
export { formatEvent, formatStatus, type FormatStatusOptions } from "./status.ts";
