import type { ModuleContext, Platform, Scope } from "@keelson/core";
import { createMetrics, type MetricsRegistry } from "../../src/metrics/index.ts";

/** A context as far as a pooled module looks, and the undoing of its scope. */
export interface TestContext extends ModuleContext {
  readonly metrics: MetricsRegistry;
  undo(): Promise<void>;
}

export function createContext(platform: Platform): TestContext {
  const resources: (Disposable | AsyncDisposable)[] = [];
  const scope: Scope = {
    add(resource) {
      resources.push(resource);
      return resource;
    },
    defer() {
      throw new Error("not needed here");
    },
  };
  const context: Partial<TestContext> = {
    id: "guest",
    generation: 1,
    signal: new AbortController().signal,
    scope,
    clock: platform.clock,
    random: platform.random,
    log: platform.log,
    metrics: createMetrics(),
    platform,
    async undo() {
      for (const resource of resources.splice(0).reverse()) {
        if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]();
        else resource[Symbol.dispose]();
      }
    },
  };
  return context as TestContext;
}
