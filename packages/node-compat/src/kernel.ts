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
  const found = reclaiming === undefined ? platform.processes?.reclaim() : undefined;
  await (reclaiming ??= Promise.resolve(found));
  const kernel = createKernel({ ...options, platform });
  const { ended, orphans } = (await found) ?? { ended: [], orphans: [] };
  if (ended.length + orphans.length === 0) return kernel;
  const plain = (list: typeof ended): { pid: number; command: string }[] =>
    list.map(({ pid, command }) => ({ pid, command }));
  kernel.bus.publish("kernel.reclaimed", { ended: plain(ended), orphans: plain(orphans) });
  for (const { pid, command } of orphans) {
    platform.log.write("warn", "A process that a dead host had left behind could not be ended", {
      pid,
      command,
    });
  }
  return kernel;
}
