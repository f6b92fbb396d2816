import type { Bus } from "../contract/bus.ts";
import type { CallOptions } from "../contract/call.ts";
import { KeelsonError } from "../contract/errors.ts";
import type { HookRegistry } from "../contract/hooks.ts";
import type { Metrics } from "../contract/metrics.ts";
import type { Exit } from "../contract/module.ts";
import type { Clock, Log, Platform, Random } from "../contract/platform.ts";
import type { Value } from "../contract/value.ts";
import { createBusDoor, type BusDoor, type KernelBus } from "../bus/index.ts";
import { createHooksDoor, type HooksDoor, type KernelHooks } from "../hooks/index.ts";
import type { LifeContext } from "../lifecycle/life.ts";
import { controllerWith } from "../primitives/abort.ts";
import { UndoScope } from "../primitives/scope.ts";
import type { CallRouter } from "./call.ts";

/** What contexts are made from. */
export interface ContextHost {
  readonly platform: Platform;
  readonly bus: KernelBus;
  readonly hooks: KernelHooks;
  readonly metrics: Metrics;
  readonly router: CallRouter;
}

/** What a context asks of the version whose generation it serves. */
export interface ContextSource {
  readonly host: ContextHost;
  /** Whether the generation's doors may go live: false for the candidate of a reload until the swap. */
  mayActivate(): boolean;
  onFailure(error: KeelsonError): void;
}

/**
 * The context of one generation. Doors, signal and instruments are made when first asked for: a module that wants none of them costs
 * none of them.
 */
export class GenerationContext implements LifeContext {
  readonly id: string;
  readonly generation: number;
  readonly scope: UndoScope;
  readonly exited: (exit: Exit) => void;
  readonly #source: ContextSource;
  #controller: AbortController | undefined;
  #aborted = false;
  #closed = false;
  #active = false;
  #log: Log | undefined;
  #metrics: (Metrics & Disposable) | undefined;
  #bus: BusDoor | undefined;
  #hooks: HooksDoor | undefined;

  constructor(source: ContextSource, id: string, generation: number, exited: (exit: Exit) => void) {
    this.#source = source;
    this.id = id;
    this.generation = generation;
    this.exited = exited;
    this.scope = new UndoScope((error) => source.onFailure(error));
  }

  get signal(): AbortSignal {
    return (this.#controller ??= controllerWith(this.#aborted ? this.#ended() : undefined)).signal;
  }

  get platform(): Platform {
    return this.#source.host.platform;
  }

  get clock(): Clock {
    return this.#source.host.platform.clock;
  }

  get random(): Random {
    return this.#source.host.platform.random;
  }

  get log(): Log {
    const { log } = this.#source.host.platform;
    this.#log ??= {
      write: (level, message, fields) => log.write(level, message, { module: this.id, ...fields }),
    };
    return this.#log;
  }

  get metrics(): Metrics {
    if (this.#closed) throw this.#ended();
    this.#metrics ??= this.#source.host.metrics.scoped({ module: this.id });
    return this.#metrics;
  }

  get bus(): Bus {
    return (this.#bus ??= this.#open(createBusDoor(this.#source.host.bus, { source: this.id })));
  }

  get hooks(): HookRegistry {
    return (this.#hooks ??= this.#open(createHooksDoor(this.#source.host.hooks, { module: this.id })));
  }

  invoke(id: string, method: string, payload?: Value, options?: CallOptions): Promise<Value> {
    if (this.#closed) return Promise.reject(this.#ended());
    return this.#source.host.router.invoke(id, method, payload, options, undefined, this);
  }

  activate(): void {
    if (this.#active || this.#closed || !this.#source.mayActivate()) return;
    this.#active = true;
    this.#bus?.activate();
    this.#hooks?.activate();
  }

  deactivate(door?: "bus" | "hooks"): void {
    this.#active = false;
    if (door !== "hooks") this.#bus?.deactivate();
    if (door !== "bus") this.#hooks?.deactivate();
  }

  unanswered(): Promise<unknown>[] {
    return [...(this.#bus?.unanswered() ?? []), ...(this.#hooks?.unanswered() ?? [])];
  }

  abort(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#controller?.abort(this.#ended());
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#bus?.close();
    this.#hooks?.close();
    this.#metrics?.[Symbol.dispose]();
  }

  /** Brings a door that is asked for late to where the generation stands. */
  #open<Door extends BusDoor | HooksDoor>(door: Door): Door {
    if (this.#active) door.activate();
    if (this.#closed) door.close();
    return door;
  }

  #ended(): KeelsonError {
    return new KeelsonError("DOOR_CLOSED", `Generation ${this.generation} of module "${this.id}" has ended`, {
      details: { id: this.id, generation: this.generation },
    });
  }
}
