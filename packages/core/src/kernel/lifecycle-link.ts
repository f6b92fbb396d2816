import type { KeelsonError } from "../contract/errors.ts";
import type { Phase } from "../contract/kernel.ts";
import type { Exit, ModuleState } from "../contract/module.ts";
import type { Clock } from "../contract/platform.ts";
import type { MaybePromise } from "../contract/value.ts";
import type { LifeContext } from "../lifecycle/life.ts";
import type { Lifecycle, LifecycleHost } from "../lifecycle/lifecycle.ts";
import type { DeadlineQueue } from "../primitives/deadline.ts";
import { GenerationContext, type ContextSource } from "./context.ts";
import type { Entry, EntryHost } from "./entry.ts";
import { addManifestHooks } from "./manifest-hooks.ts";

/** What ties one lifecycle to its entry, and its contexts to the kernel. */
export class LifecycleLink implements LifecycleHost, ContextSource {
  readonly #entry: Entry;
  readonly host: EntryHost;
  readonly clock: Clock;
  readonly deadlines: DeadlineQueue;
  readonly #lifecycle: () => Lifecycle;

  constructor(entry: Entry, host: EntryHost, lifecycle: () => Lifecycle) {
    this.#entry = entry;
    this.host = host;
    this.clock = host.clock;
    this.deadlines = host.deadlines;
    this.#lifecycle = lifecycle;
  }

  mayActivate(): boolean {
    return this.#entry.active === this.#lifecycle();
  }

  nextGeneration(): number {
    return this.#entry.nextGeneration();
  }

  openContext(generation: number, exited: (exit: Exit) => void): LifeContext {
    const { id } = this.#entry;
    const context = new GenerationContext(this, id, generation, exited);
    const { manifest } = this.#lifecycle().definition;
    if (manifest !== undefined && manifest.hooks.length > 0) {
      addManifestHooks(manifest.hooks, context.hooks, (method, payload) =>
        this.host.router.invoke(id, method, payload, undefined, undefined, context),
      );
    }
    return context;
  }

  phase(phase: Phase): MaybePromise<void> {
    return this.host.phases.run(phase, this.#lifecycle().definition.metadata);
  }

  onTransition(
    from: ModuleState,
    to: ModuleState,
    generation: number,
    error: KeelsonError | undefined,
  ): void {
    this.#entry.transitioned(this.#lifecycle(), from, to, generation, error);
  }

  onExit(exit: Exit): void {
    this.#entry.exited(this.#lifecycle(), exit);
  }

  onFailure(error: KeelsonError): void {
    this.host.onFailure(this.#entry.id, error);
  }
}
