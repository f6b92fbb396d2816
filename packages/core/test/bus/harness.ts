import {
  createBus,
  createBusDoor,
  type BusDoor,
  type BusOptions,
  type KernelBus,
} from "../../src/bus/index.ts";
import type { Subscription } from "../../src/contract/bus.ts";
import type { Value } from "../../src/contract/value.ts";
import { createTestPlatform, type TestPlatform } from "../../src/testing/index.ts";

/** A bus on a test platform, with a live door for a host. */
export interface TestBus {
  readonly bus: KernelBus;
  readonly host: BusDoor;
  readonly platform: TestPlatform;
  door(source: string, live?: boolean): BusDoor;
}

export function createTestBus(options: Partial<BusOptions> = {}): TestBus {
  const platform = createTestPlatform();
  const { clock, random, log } = platform;
  const bus = createBus({ clock, random, log, ...options });
  const door = (source: string, live = true): BusDoor => createBusDoor(bus, { source, live });
  return { bus, host: door("host"), platform, door };
}

/** What is queued, in order. */
export function drain(subscription: Subscription): Value[] {
  const taken: Value[] = [];
  for (let next = subscription.take(); next !== undefined; next = subscription.take()) taken.push(next.data);
  return taken;
}

/** Counts the abort listeners that are on a signal. */
export function countListeners(signal: AbortSignal): () => number {
  let count = 0;
  const add = signal.addEventListener.bind(signal) as (...args: unknown[]) => void;
  const remove = signal.removeEventListener.bind(signal) as (...args: unknown[]) => void;
  const wrapped = signal as unknown as Record<string, unknown>;
  wrapped["addEventListener"] = (...args: unknown[]) => {
    count++;
    add(...args);
  };
  wrapped["removeEventListener"] = (...args: unknown[]) => {
    count--;
    remove(...args);
  };
  return () => count;
}

/** Whether a promise has settled once all that waits on promises alone has run. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const done = (): void => void (settled = true);
  promise.then(done, done);
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  return !settled;
}
