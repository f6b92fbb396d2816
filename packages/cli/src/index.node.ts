// The package on Node; package.json picks it by export condition.
import type { Kernel } from "@keelson/core";
import { createKernel as createKernelHere, type NodeKernelOptions } from "@keelson/node";
import { withLoaders } from "./loaders.ts";

export * from "./names.ts";
export { nodePlatform as platform, type NodeKernelOptions as KernelOptions } from "@keelson/node";

/**
 * Makes a kernel on Node that loads native, process and WebAssembly plugins. First ends what hosts that died without a shutdown left behind, once
 * in a program.
 * @throws KeelsonError `INVALID_OPTIONS`
 */
export function createKernel(options: NodeKernelOptions = {}): Promise<Kernel> {
  return createKernelHere(withLoaders(options));
}
