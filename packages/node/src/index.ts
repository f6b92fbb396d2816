export { createKernel, type NodeKernelOptions } from "./kernel.ts";
export { nodePlatform, type PlatformOptions } from "./platform.ts";
