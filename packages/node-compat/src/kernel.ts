import { createKernel, type Kernel, type KernelOptions, type Platform } from "@keelson/core";

/** Settles when what dead hosts left has been dealt with: once in a program, however many kernels it makes. */
let reclaiming: Promise<unknown> | undefined;

/**
 * Makes a kernel on `platform`, after ending what hosts that died without a shutdown left behind, once in a program: what was
 * found is told as the event `kernel.reclaimed` of the first kernel, and what survived is logged.
 * @throws KeelsonError `INVALID_OPTIONS`
 */
export async function createKernelOn(
  platform: Platform,
  options: Omit<KernelOptions, "platform">,
): Promise<Kernel> {
  const found = reclaiming === undefined ? platform?.processes?.reclaim() : undefined;
  await (reclaiming ??= Promise.resolve(found));
  const reclaimed = await found;
  return createKernel({ ...options, platform, ...(reclaimed === undefined ? {} : { reclaimed }) });
}
