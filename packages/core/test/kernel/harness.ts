import { createKernel, nativeModule, type NativeModuleOptions } from "../../src/kernel/index.ts";
import type { Kernel, KernelOptions } from "../../src/contract/kernel.ts";
import { createTestPlatform, type TestPlatform } from "../../src/testing/index.ts";
import { onTestFinished } from "vitest";

/** A kernel on a test platform; shut down when the test ends. */
export function testKernel(options: Partial<KernelOptions> = {}): { kernel: Kernel; platform: TestPlatform } {
  const platform = createTestPlatform();
  const kernel = createKernel({ platform, ...options });
  onTestFinished(async () => {
    let done = false;
    const report = kernel.shutdown().then(() => (done = true));
    while (!done) {
      await platform.clock.next();
      await platform.clock.advance(0);
    }
    await report;
    if (platform.clock.pending > 0) throw new Error(`${platform.clock.pending} timers were left`);
  });
  return { kernel, platform };
}

/** A native module of one method, `echo`, that answers its payload with its version. */
export function echo(
  id: string,
  options: Partial<NativeModuleOptions> = {},
): ReturnType<typeof nativeModule> {
  const version = options.version ?? "1.0.0";
  return nativeModule({
    id,
    version,
    methods: { echo: ({ payload }) => ({ version, payload }) },
    ...options,
  });
}
