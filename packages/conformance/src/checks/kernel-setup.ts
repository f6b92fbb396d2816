import {
  nativeModule,
  type Kernel,
  type KernelOptions,
  type ModuleDefinition,
  type NativeModuleOptions,
} from "@keelson/core";
import type { CheckContext } from "../check.ts";
import type { Subject } from "../subject.ts";

/** A kernel on the subject's platform; shut down when the check ends. */
export async function openKernel(
  subject: Subject,
  context: CheckContext,
  options: Partial<KernelOptions> = {},
): Promise<Kernel> {
  const kernel = await subject.createKernel({ platform: subject.platform(), ...options });
  context.defer(() => kernel.shutdown({ timeoutMs: 2_000 }));
  return kernel;
}

/** A native module whose method `version` answers its version. */
export function versioned(
  id: string,
  version: string,
  options: Partial<NativeModuleOptions> = {},
): ModuleDefinition {
  return nativeModule({ id, version, methods: { version: () => version }, ...options });
}

/** A promise that never settles. */
export function never(): Promise<never> {
  return new Promise(() => {});
}

/** Topics of the kernel's events for one module, in order. */
export function topicsOf(kernel: Kernel, id: string): readonly string[] {
  return kernel.events().flatMap(({ topic, data }) => ((data as { id?: string }).id === id ? [topic] : []));
}
