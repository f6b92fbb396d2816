// The bus: topics and who listens on them, delivery in order, queues, requests and their answers, and the log that is kept.

export { createBus, createBusDoor, type KernelBus } from "./bus.ts";
export type { BusDoor } from "./door.ts";
export type { BusOptions } from "./exchange.ts";
export { compareEnvelopes } from "./message.ts";
