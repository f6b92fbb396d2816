import type { MaybePromise, Value } from "./value.ts";

/** Options of one handler. */
export interface HandlerOptions {
  /** Higher runs first; equal ones in the order they came. Default 0. */
  readonly priority?: number | undefined;
  /** How long it may take before it counts as failed and is skipped, ms. Default 30,000. */
  readonly timeoutMs?: number | undefined;
}

/** Changes a value on its way: what it returns goes to the next. */
export type FilterHandler = (value: Value, ...args: readonly Value[]) => MaybePromise<Value>;

/** Is told that something happened. */
export type ActionHandler = (...args: readonly Value[]) => MaybePromise<void>;

/** Where handlers are added. */
export interface HookRegistry {
  filter(name: string, handler: FilterHandler, options?: HandlerOptions): Disposable;
  action(name: string, handler: ActionHandler, options?: HandlerOptions): Disposable;
}

/**
 * The host's own extension points. A handler that fails is skipped (a filter's value passes on as it was), counted, and cut off by a
 * circuit breaker, by default after 5 failures in 10 minutes.
 */
export interface Hooks extends HookRegistry {
  /** Runs `value` through the filters; never rejects for a handler's failure. */
  applyFilters(name: string, value: Value, ...args: readonly Value[]): Promise<Value>;
  /** Runs the actions in order; resolves when all are done or skipped. */
  runActions(name: string, ...args: readonly Value[]): Promise<void>;
}
