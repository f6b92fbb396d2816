// The package on Bun; package.json picks it by export condition.
import type { Kernel } from "@keelson/core";
import { createKernel as createKernelHere, type BunKernelOptions } from "@keelson/bun";
import { withLoaders } from "./loaders.ts";

export * from "./names.ts";
export { bunPlatform as platform, type BunKernelOptions as KernelOptions } from "@keelson/bun";

/**
 * Makes a kernel on Bun that loads native, process and WebAssembly plugins. First ends what hosts that died without a shutdown left behind, once
 * in a program.
 * @throws KeelsonError `INVALID_OPTIONS`
 */
export function createKernel(options: BunKernelOptions = {}): Promise<Kernel> {
  return createKernelHere(withLoaders(options));
}
