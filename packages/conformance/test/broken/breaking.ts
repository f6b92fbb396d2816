import type { Kernel, KernelOptions, Pool, PoolDeps, PoolOptions, PoolSource } from "@keelson/core";
import type { Subject } from "../../src/index.ts";

/** Makes a subject that does not keep a promise. */
export type Breaking = (subject: Subject) => Subject;

/** Replaces members of every kernel; what is not named stays as it is. */
export function breakKernel(replace: (kernel: Kernel) => Partial<Kernel>, options: Partial<KernelOptions> = {}): Breaking {
  return (subject) => ({
    ...subject,
    async createKernel(given) {
      const kernel = await subject.createKernel({ ...given, ...options });
      return overlay(kernel, replace(kernel));
    },
  });
}

type AnyPool = Pool<unknown>;

/** Replaces members of every pool, or what it is made from. */
export function breakPool(
  replace: (pool: AnyPool, source: PoolSource<unknown>) => Partial<AnyPool>,
  change: (options: PoolOptions) => PoolOptions = (options) => options,
  source: (source: PoolSource<unknown>) => PoolSource<unknown> = (given) => given,
): Breaking {
  return (subject) => ({
    ...subject,
    createPool<T>(given: PoolSource<T>, options: PoolOptions, deps: PoolDeps): Pool<T> {
      const changed = source(given as PoolSource<unknown>);
      const pool = subject.createPool<unknown>(changed, change(options), deps);
      return overlay(pool, replace(pool, changed)) as Pool<T>;
    },
  });
}

/** `target` with some members replaced; the others still run on it. */
export function overlay<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get(_, key) {
      if (Object.hasOwn(members, key)) return (members as Record<PropertyKey, unknown>)[key];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}
