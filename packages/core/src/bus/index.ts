export { createBus, createBusDoor, type KernelBus } from "./bus.ts";
export type { BusDoor } from "./door.ts";
export type { BusOptions } from "./exchange.ts";
export { compareEnvelopes } from "./message.ts";
