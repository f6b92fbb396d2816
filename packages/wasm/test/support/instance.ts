import {
  createMetrics,
  type Bus,
  type Call,
  type HookRegistry,
  type Instance,
  type ModuleContext,
  type Value,
} from "@keelson/core";
import { createTestPlatform, type TestPlatform } from "@keelson/core/testing";
import { compileCacheOf } from "../../src/cache/compile-cache.ts";
import { CoreModule } from "../../src/module/core-module.ts";
import type { WasmModuleOptions } from "../../src/module/options.ts";
import { settle } from "../../src/module/settings.ts";

/** A context as far as instances use it. */
export function testContext(platform: TestPlatform = createTestPlatform(), id = "guest"): ModuleContext {
  const absent = (): never => {
    throw new Error("not used here");
  };
  return {
    id,
    generation: 1,
    signal: new AbortController().signal,
    scope: { add: (resource) => resource, defer: () => {} },
    clock: platform.clock,
    random: platform.random,
    log: platform.log,
    metrics: createMetrics(),
    bus: {} as Bus,
    hooks: {} as HookRegistry,
    platform,
    invoke: absent,
    exited: absent,
  };
}

/** One instance outside any pool, called directly. */
export interface TestInstance {
  readonly instance: Instance;
  readonly platform: TestPlatform;
  call(method: string, payload?: Value): Value;
}

/** Reads, compiles and instantiates as a generation would. */
export async function open(
  options: WasmModuleOptions | Uint8Array<ArrayBuffer>,
  platform: TestPlatform = createTestPlatform(),
): Promise<TestInstance> {
  const full = options instanceof Uint8Array ? { source: options } : options;
  const settings = settle({ id: "guest", ...full });
  const context = testContext(platform, settings.id);
  const source = new CoreModule(settings, compileCacheOf(full.cache));
  await source.prepare(context);
  const instance = await source.instantiate(context);
  return {
    instance,
    platform,
    call: (method, payload) => instance.call(callOf(method, payload)) as Value,
  };
}

/** A call without a kernel. */
export function callOf(method: string, payload?: Value): Call {
  return {
    module: "guest",
    method,
    payload,
    parent: undefined,
    deadline: Infinity,
    measurement: undefined,
    signal: new AbortController().signal,
    invoke: () => Promise.reject(new Error("not used here")),
    invokeSync: () => undefined,
  };
}
