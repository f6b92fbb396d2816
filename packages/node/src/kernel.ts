import { createKernelOn, kernelOptions } from "@keelson/node-compat";
import type { Kernel, KernelOptions } from "@keelson/core";
import { nodePlatform, type PlatformOptions } from "./platform.ts";

/** Options of {@link createKernel}: those of the kernel, and those of the platform it is bound to. */
export interface NodeKernelOptions extends Omit<KernelOptions, "platform"> {
  readonly platform?: PlatformOptions | undefined;
}

/**
 * Makes a kernel on Node. First ends what hosts that died without a shutdown left behind, once in a program.
 * @throws KeelsonError `INVALID_OPTIONS`
 */
export async function createKernel(given?: NodeKernelOptions): Promise<Kernel> {
  const { platform, ...options } = kernelOptions(given);
  return createKernelOn(nodePlatform(platform), options);
}
