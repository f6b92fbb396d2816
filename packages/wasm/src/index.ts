export { abiProfiles } from "./abi/profiles.ts";
export { gonext, type ActionPayload, type FilterPayload } from "./abi/gonext.ts";
export { keelson } from "./abi/keelson.ts";
export { oxide } from "./abi/oxide.ts";
export type {
  AbiProfile,
  Binding,
  Guest,
  LaterBinding,
  LaterGuest,
  ModuleShape,
  RequiredExport,
} from "./abi/profile.ts";
export { raw } from "./abi/raw.ts";
export type { FunctionType, Outline, ValueType } from "./binary/outline.ts";
export {
  createCompileCache,
  type BinaryStep,
  type ChangedBinary,
  type CompileCache,
  type CompileCacheOptions,
  type CompiledModule,
} from "./cache/compile-cache.ts";
export { Governor, type GovernorOptions, type GuestThread, type RunLimits } from "./governor/index.ts";
export type { StoreCounts } from "./cache/module-store.ts";
export {
  inspectWasm,
  type InspectOptions,
  type MeteringFacts,
  type ProfileFit,
  type WasmInspection,
} from "./inspect/inspect.ts";
export type { TypeText } from "./inspect/type-text.ts";
export { pluginMetering } from "./inspect/plugin-metering.ts";
export { requireWholeModule } from "./inspect/require-whole.ts";
export type { ExportFacts, ImportFacts, MemoryFacts, Surface, TableFacts } from "./inspect/surface.ts";
export type { GuestHost } from "./instance/guest-host.ts";
export type { GuestMemory } from "./instance/guest-memory.ts";
export type { HostImports } from "./instance/link.ts";
export type { TrapKind } from "./instance/trap.ts";
export type { TrapPosition } from "./instance/trap-position.ts";
export { meter, type MeteredModule } from "./meter/meter.ts";
export type { MeterLimits, MeterMeta, MeterOptions, MeterReport } from "./meter/options.ts";
export type {
  CallRecording,
  RecordedHostCall,
  RecordedNumber,
  RecordedOutcome,
  RecordedWrite,
  Replayed,
  ReplayOptions,
} from "./record/recording.ts";
export type { Isolation } from "./isolation/isolation.ts";
export { parseRecord, printRecord, recordOf } from "./record/text.ts";
export { replay } from "./record/replay.ts";
export { createWasmLoader, wasmLoader, type WasmLoaderOptions } from "./module/loader.ts";
export type {
  BinarySource,
  GuestState,
  Metering,
  Scheduling,
  WasmLimits,
  WasmModuleOptions,
  WasmSource,
} from "./module/options.ts";
export { readWasmModule, wasmModule } from "./module/wasm-module.ts";
export { suspending } from "./suspension/suspending.ts";
