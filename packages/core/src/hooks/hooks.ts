import type { ActionHandler, FilterHandler, HandlerOptions, Hooks } from "../contract/hooks.ts";
import type { Metrics } from "../contract/metrics.ts";
import type { Clock, Log } from "../contract/platform.ts";
import type { Value } from "../contract/value.ts";
import { type BreakerOptions, requireBreaker } from "../primitives/breaker.ts";
import { DeadlineQueue } from "../primitives/deadline.ts";
import {
  above0,
  invalidOptions,
  requireFunction,
  requireOptions,
  requirePorts,
  requireRange,
  shown,
} from "../primitives/invalid-options.ts";
import { type HandlerWorld, HookHandler, SKIPPED } from "./handler.ts";
import { HookPoint } from "./point.ts";

/** Options of {@link createHooks}. */
export interface HooksOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** When a failing handler is cut off. Default: 5 failures in 10 minutes, for 10 minutes. */
  readonly breaker?: BreakerOptions;
  /** How long a handler may take unless it says otherwise, ms. Default 30,000. */
  readonly timeoutMs?: number;
}

/** A handler that was registered but is live only between activate and deactivate. */
export interface PreparedHandler extends Disposable {
  /** Joins in at the next run. */
  activate(): void;
  /** Leaves. A run that began before and comes to it calls what a new generation of the module has in its place. */
  deactivate(): void;
  /** What runs wait for from it now. None of it rejects. */
  readonly unanswered: Iterable<Promise<unknown>>;
}

/** The kernel's own view of its hooks: what doors are made from. */
export interface KernelHooks extends Hooks {
  /**
   * Registers on behalf of a module, not yet live. Disposing ends it for good: runs that wait for it go on.
   * @param order which of the module's registrations this is
   */
  prepare(
    module: string,
    type: "filter" | "action",
    name: string,
    handler: FilterHandler | ActionHandler,
    options?: HandlerOptions,
    order?: number,
  ): PreparedHandler;
  /**
   * The module is about to be replaced, and nothing of it lives for a while: runs of the hooks that it handles wait until the handle is disposed, at most
   * `max` of them; what is more goes on without it, which is logged once. One hold of a module at a time.
   */
  hold(module: string, max: number): Disposable;
  /**
   * Gives up the places kept for a module, which it has in order that a new generation comes where the old one was. To be called
   * when a module is unloaded.
   */
  forget(module: string): void;
}

/**
 * Makes the host's extension points, without handlers.
 * @throws KeelsonError `INVALID_OPTIONS`
 */
export function createHooks(options: HooksOptions): KernelHooks {
  requirePorts("createHooks", options, "clock", "log", "metrics");
  return new HookTable(options);
}

/** Runs wait for a module's new version. */
interface Hold {
  readonly module: string;
  /** Where it has handlers. */
  readonly points: ReadonlySet<HookPoint | undefined>;
  readonly over: Promise<void>;
  /** How many more runs may wait; below 0 once it was told that they may not. */
  room: number;
}

class HookTable implements KernelHooks {
  readonly #filters = new Map<string, HookPoint>();
  readonly #actions = new Map<string, HookPoint>();
  readonly #world: HandlerWorld;
  readonly #timeoutMs: number;
  /** Modules that are being replaced. */
  readonly #holds = new Map<string, Hold>();

  constructor({ clock, log, metrics, breaker = {}, timeoutMs = 30_000 }: HooksOptions) {
    this.#world = { clock, log, metrics, breaker, deadlines: new DeadlineQueue(clock) };
    this.#timeoutMs = checkTimeout(timeoutMs);
    requireBreaker(breaker);
  }

  filter(name: string, handler: FilterHandler, options?: HandlerOptions): Disposable {
    return this.#live("filter", name, handler, options);
  }

  action(name: string, handler: ActionHandler, options?: HandlerOptions): Disposable {
    return this.#live("action", name, handler, options);
  }

  async applyFilters(name: string, value: Value, ...args: readonly Value[]): Promise<Value> {
    let current = value;
    const held = this.#held(this.#filters, name);
    if (held !== undefined) await held;
    for (const handler of this.#filters.get(name)?.handlers ?? []) {
      const answer = this.#call(this.#filters, name, handler, [current, ...args]);
      // Only what must be waited for is: a chain of plain functions takes the one promise of this call.
      const result = isPromise(answer) ? await answer : answer;
      if (result !== SKIPPED) current = result as Value;
    }
    return current;
  }

  async runActions(name: string, ...args: readonly Value[]): Promise<void> {
    const held = this.#held(this.#actions, name);
    if (held !== undefined) await held;
    for (const handler of this.#actions.get(name)?.handlers ?? []) {
      const answer = this.#call(this.#actions, name, handler, [...args]);
      if (isPromise(answer)) await answer;
    }
  }

  prepare(
    module: string | undefined,
    type: "filter" | "action",
    name: string,
    handler: FilterHandler | ActionHandler,
    options?: HandlerOptions,
    order = 0,
  ): PreparedHandler {
    if (typeof name !== "string" || name === "")
      throw invalidOptions(`${shown(name)} names no hook`, "name it by a text");
    requireFunction(`The handler of the hook "${name}"`, handler);
    const { priority = 0, timeoutMs = this.#timeoutMs } = options ?? {};
    const wanted = { priority: -Infinity, timeoutMs: above0 };
    requireOptions(`The hook "${name}"`, options, wanted, Infinity);
    const run = handler as (...args: Value[]) => unknown;
    const made = new HookHandler(this.#world, { hook: name, type, module, run, priority, timeoutMs, order });
    return this.#prepared(type === "filter" ? this.#filters : this.#actions, name, made);
  }

  forget(module: string): void {
    for (const points of [this.#filters, this.#actions]) {
      for (const [name, point] of points) {
        point.forget(module);
        if (point.empty) points.delete(name);
      }
    }
  }

  hold(module: string, max: number): Disposable {
    const points = new Set<HookPoint>();
    for (const table of [this.#filters, this.#actions])
      for (const point of table.values())
        if (point.handlers.some((handler) => handler.module === module)) points.add(point);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#holds.set(module, { module, points, over: promise, room: max });
    return {
      [Symbol.dispose]: () => {
        this.#holds.delete(module);
        resolve();
      },
    };
  }

  /** What a run must wait for before it begins; undefined for nothing. */
  #held(points: Map<string, HookPoint>, name: string): Promise<void> | undefined {
    if (this.#holds.size === 0) return undefined;
    const point = points.get(name);
    for (const hold of this.#holds.values())
      if (hold.points.has(point) && this.#mayWait(hold))
        return hold.over.then(() => this.#held(points, name));
    return undefined;
  }

  #mayWait(hold: Hold): boolean {
    if (hold.room-- > 0) return true;
    const { module } = hold;
    if (hold.room === -1)
      this.#world.log.write("warn", `Too many runs of hooks wait for "${module}": more go on without it`, {
        module,
      });
    return false;
  }

  /** A run comes to `handler`, which may have left since the run began. */
  #call(points: Map<string, HookPoint>, name: string, handler: HookHandler, args: Value[]): unknown {
    const { module, priority, order } = handler;
    const hold = module === undefined ? undefined : this.#holds.get(module);
    if (hold !== undefined)
      return this.#mayWait(hold) ? hold.over.then(() => this.#call(points, name, handler, args)) : SKIPPED;
    if (handler.active || module === undefined) return handler.call(args);
    const next = points
      .get(name)
      ?.handlers.find(
        (other) => other.module === module && other.priority === priority && other.order === order,
      );
    return (next ?? handler).call(args);
  }

  #prepared(points: Map<string, HookPoint>, name: string, handler: HookHandler): PreparedHandler {
    let place: Disposable | undefined;
    let closed = false;
    const leave = (): void => {
      handler.active = false;
      place?.[Symbol.dispose]();
      place = undefined;
      if (points.get(name)?.empty === true) points.delete(name);
    };
    return {
      activate: () => {
        if (closed || place !== undefined) return;
        let point = points.get(name);
        if (point === undefined) points.set(name, (point = new HookPoint()));
        place = point.add(handler);
        handler.active = true;
      },
      deactivate: leave,
      get unanswered() {
        return handler.unanswered;
      },
      [Symbol.dispose]: () => {
        closed = true;
        leave();
        handler.close();
      },
    };
  }

  #live(
    type: "filter" | "action",
    name: string,
    handler: FilterHandler | ActionHandler,
    options: HandlerOptions | undefined,
  ): Disposable {
    const prepared = this.prepare(undefined, type, name, handler, options);
    prepared.activate();
    return { [Symbol.dispose]: () => prepared[Symbol.dispose]() };
  }
}

/** {@link HookHandler.call} answers a native promise or a plain value, never a foreign thenable. */
function isPromise(answer: unknown): answer is Promise<unknown> {
  return answer instanceof Promise;
}

function checkTimeout(timeoutMs: number): number {
  requireRange("timeoutMs", timeoutMs, above0, Infinity);
  return timeoutMs;
}
