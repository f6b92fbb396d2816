import { createKernel, type Clock, type Kernel, type KernelOptions } from "@keelson/core";
import { createTestPlatform } from "@keelson/core/testing";
import { afterEach } from "vitest";
import { wasmModule, type WasmModuleOptions } from "../../src/index.ts";
import { realClock } from "./real-clock.ts";

const kernels: Kernel[] = [];

afterEach(async () => {
  for (const kernel of kernels.splice(0)) await kernel.shutdown();
});

/** A kernel on real time, whose platform suspends guests; shut down after the test. */
export function openKernel(options: Partial<KernelOptions> = {}, clock: Partial<Clock> = {}): Kernel {
  const platform = createTestPlatform();
  const supports = { ...platform.supports, jspi: true };
  const kernel = createKernel({
    platform: { ...platform, clock: { ...realClock, ...clock }, supports },
    ...options,
  });
  kernels.push(kernel);
  return kernel;
}

/** Such a kernel whose module `guest` runs, with the profile `raw` unless it names another. */
export async function startGuest(
  options: WasmModuleOptions,
  kernelOptions: Partial<KernelOptions> = {},
  clock: Partial<Clock> = {},
): Promise<Kernel> {
  const kernel = openKernel(kernelOptions, clock);
  await kernel.register(wasmModule({ id: "guest", abi: "raw", ...options }));
  await kernel.start("guest");
  return kernel;
}
