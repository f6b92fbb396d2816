export { createKernel, type DenoKernelOptions } from "./kernel.ts";
export { denoPlatform, type PlatformOptions } from "./platform.ts";
