// The meter: rewrites a module so that its guest can be counted, capped and stopped. It works on bytes alone, and knows nothing of a kernel's modules.
//
// meter.ts tells the way: read/ takes the module apart; scan/ finds in each function's body what is to be inserted where; write/ decides how, copies
// the body and inserts it, and puts the module together again. layout.ts says what is appended, and runtime.ts reaches it in a running instance.

export { attach, type Attached, counterGiven } from "./runtime.ts";
export { RefillKind, STOP } from "./layout.ts";
export { meter, type MeteredModule } from "./meter.ts";
export { originalOffset, type OffsetMap } from "./offset-map.ts";
export { METER_VERSION, type MeterMeta, type MeterOptions } from "./options.ts";
