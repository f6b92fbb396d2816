export { createKernel, type BunKernelOptions } from "./kernel.ts";
export { bunPlatform, type PlatformOptions } from "./platform.ts";
