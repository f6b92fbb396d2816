// The kernel: it wires all other parts together, keeps the modules that are registered, and routes their calls.

export { createKernel } from "./kernel.ts";
export { nativeLoader, nativeModule, type NativeModuleOptions } from "./native.ts";
