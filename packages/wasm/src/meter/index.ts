export { attach, type Attached, counterGiven } from "./runtime.ts";
export { RefillKind, STOP } from "./layout.ts";
export { meter, type MeteredModule } from "./meter.ts";
export { originalOffset, type OffsetMap } from "./offset-map.ts";
export { METER_VERSION, type MeterMeta, type MeterOptions } from "./options.ts";
