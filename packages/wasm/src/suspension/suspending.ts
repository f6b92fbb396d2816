import { invalidOptions, shown } from "@keelson/core/plain";

/** What a function given in `imports` may look like to TypeScript. */
type HostFunction = (...args: never[]) => unknown;

const MARK = Symbol.for("keelson.suspending");

/**
 * Marks a host function as asynchronous: while its promise is pending, the guest that called it is suspended and the thread is free. It is
 * given in `imports` like any other. A module with such an import answers its calls by promise, always.
 *
 * While it waits, the call's deadline and signal hold: past them the call fails at once, and nothing of the guest runs any more, whatever
 * the promise does later. The wait does not count as the guest's `cpuMs`. If the promise rejects, the call fails as if the function had thrown.
 *
 * `INVALID_OPTIONS` for what is no function. Linking fails with `UNSUPPORTED` where the platform does not support `jspi`.
 *
 * @example
 * wasmModule({ source, imports: { host: { load: suspending(async (key) => await table.get(key)) } } });
 */
export function suspending<F extends HostFunction>(run: F): F {
  if (typeof run !== "function")
    throw invalidOptions(`What is to suspend a guest is ${shown(run)}`, "give a function");
  const marked = (...args: never[]): unknown => run(...args);
  Object.defineProperty(marked, MARK, { value: true });
  return marked as F;
}

/** Whether {@link suspending} made it, in any copy of this package. */
export function isSuspending(value: unknown): boolean {
  return typeof value === "function" && (value as { readonly [MARK]?: unknown })[MARK] === true;
}
