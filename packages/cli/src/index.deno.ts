// The package on Deno; package.json picks it by export condition.
import type { Kernel } from "@keelson/core";
import { createKernel as createKernelHere, type DenoKernelOptions } from "@keelson/deno";
import { withLoaders } from "./loaders.ts";

export * from "./names.ts";
export { denoPlatform as platform, type DenoKernelOptions as KernelOptions } from "@keelson/deno";

/**
 * Makes a kernel on Deno that loads native, process and WebAssembly plugins. First ends what hosts that died without a shutdown left behind, once
 * in a program.
 * @throws KeelsonError `INVALID_OPTIONS`
 */
export function createKernel(options: DenoKernelOptions = {}): Promise<Kernel> {
  return createKernelHere(withLoaders(options));
}
