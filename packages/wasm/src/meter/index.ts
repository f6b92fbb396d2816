export { attach, type Attached, type RefillFunction, unpark } from "./runtime.ts";
export { MAX_SLICE, RefillKind, STOP } from "./layout.ts";
export { meter, type MeteredModule } from "./meter.ts";
export { type OffsetMap, originalOffset } from "./offset-map.ts";
export {
  defaultMeterLimits,
  METER_VERSION,
  type MeterLimits,
  type MeterMeta,
  type MeterOptions,
  type MeterReport,
} from "./options.ts";
