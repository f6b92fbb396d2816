import { createKernel, type Kernel, type KernelOptions, type Platform } from "@keelson/core";

/**
 * Makes a kernel on `platform`, after ending what hosts that died without a shutdown left behind: what was found is told as the
 * event `kernel.reclaimed`, and what survived is logged.
 */
export async function createKernelOn(platform: Platform, options: Omit<KernelOptions, "platform">): Promise<Kernel> {
  const found = await platform.processes?.reclaim();
  const kernel = createKernel({ ...options, platform });
  if (found === undefined || found.ended.length + found.orphans.length === 0) return kernel;
  const plain = (list: typeof found.ended): { pid: number; command: string }[] =>
    list.map(({ pid, command }) => ({ pid, command }));
  kernel.bus.publish("kernel.reclaimed", { ended: plain(found.ended), orphans: plain(found.orphans) });
  for (const { pid, command } of found.orphans) {
    platform.log.write("warn", "A process that a dead host had left behind could not be ended", { pid, command });
  }
  return kernel;
}
