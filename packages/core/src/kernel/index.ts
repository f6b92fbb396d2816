export { createKernel } from "./kernel.ts";
export { nativeLoader, nativeModule, type NativeModuleOptions } from "./native.ts";
