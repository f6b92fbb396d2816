import {
  createKernel,
  type Kernel,
  type KernelOptions,
  type Platform,
  type TerminationReport,
} from "@keelson/core";
import { invalidOptions, isObject, shown } from "@keelson/core/plain";

/** Settles when what dead hosts left has been dealt with: once in a program, however many kernels it makes. */
let reclaiming: Promise<unknown> | undefined;
/** What was found, until a kernel has told it: one whose options are refused tells nothing. */
let untold: TerminationReport | undefined;

/** The options of an adapter's `createKernel`, of which there may be none. @throws KeelsonError `INVALID_OPTIONS` for what is no object */
export function kernelOptions<T extends object>(given: T | null | undefined): T | Record<string, never> {
  if (given == null || isObject(given)) return given ?? {};
  throw invalidOptions(`The options of the kernel are ${shown(given)}`, "give an object, or leave them out");
}

/**
 * Makes a kernel on `platform`, after ending what hosts that died without a shutdown left behind, once in a program: what was
 * found is told as the event `kernel.reclaimed` of the first kernel, and what survived is logged.
 * @throws KeelsonError `INVALID_OPTIONS`
 */
export async function createKernelOn(
  platform: Platform,
  options: Omit<KernelOptions, "platform">,
): Promise<Kernel> {
  reclaiming ??= Promise.resolve(platform?.processes?.reclaim()).then((found) => {
    untold = found;
  });
  await reclaiming;
  const kernel = createKernel({
    ...options,
    platform,
    ...(untold === undefined ? {} : { reclaimed: untold }),
  });
  untold = undefined;
  return kernel;
}
