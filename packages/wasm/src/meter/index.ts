// The meter: rewrites a module so that its guest can be counted, capped and stopped. Works on bytes alone, and knows nothing of modules of a kernel.

export { attach, type Attached, counterGiven } from "./runtime.ts";
export { RefillKind, STOP } from "./layout.ts";
export { meter, type MeteredModule } from "./meter.ts";
export { originalOffset, type OffsetMap } from "./offset-map.ts";
export { METER_VERSION, type MeterMeta, type MeterOptions } from "./options.ts";
